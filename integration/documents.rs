//! Checks claims of the documents: SECURITY.md names only tests that run.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::harness::program::project;
use crate::sources::{self, Test};

/// The tests that this binary lists, by name.
fn listed(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The integration tests that the sources have.
fn integration_tests() -> Vec<Test> {
    sources::find(&project().join("integration/main.rs")).0
}

#[test]
fn the_tests_found_in_the_sources_are_those_of_the_binary() {
    let found: Vec<Test> = integration_tests()
        .into_iter()
        .map(|test| {
            if cfg!(servers) || test.conditions.is_empty() {
                return test;
            }
            Test { name: format!("left_out::{}", test.name), ignored: true, ..test }
        })
        .collect();
    let names: BTreeSet<String> = found.iter().map(|test| test.name.clone()).collect();
    assert_eq!(names.symmetric_difference(&listed(&[])).collect::<Vec<_>>(), Vec::<&String>::new());
    let ignored: BTreeSet<String> = found.into_iter().filter(|test| test.ignored).map(|test| test.name).collect();
    assert_eq!(ignored, listed(&["--ignored"]));
}

#[test]
fn only_what_runs_as_a_test_is_found_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "main.rs",
        "mod a;\n#[cfg(feature = \"f\")]\nmod b;\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn within() {}\n}\n\
         fn no_test() {}\n#[ignore = \"slow\"]\n#[tokio::test]\nasync fn slow() {}\n// #[test]\n",
    );
    write("a.rs", "#[tokio::test(start_paused = true)]\n/// Text.\nasync fn runs() {}\n");
    write("b.rs", "#[test]\nfn rarely() {}\n");
    write("unused.rs", "#[test]\nfn never() {}\n");
    let found = sources::find(&directory.path().join("main.rs")).0;
    let test = |name: &str, ignored, conditions: &[&str]| Test {
        name: name.to_owned(),
        ignored,
        conditions: conditions.iter().map(|&condition| condition.to_owned()).collect(),
    };
    assert_eq!(
        found,
        [
            test("a::runs", false, &[]),
            test("b::rarely", false, &["feature = \"f\""]),
            test("tests::within", false, &[]),
            test("slow", true, &[]),
        ]
    );
}

/// What stands between backquotes and has the form of a path to a test.
fn claims(text: &str) -> Vec<&str> {
    let is_path = |word: &&str| {
        word.contains("::") && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).collect()
}

#[test]
fn security_claims() {
    let text = fs::read_to_string(project().join("SECURITY.md")).unwrap();
    let claims = claims(&text);
    assert!(claims.len() > 30, "{claims:?}");
    // Not those that take as long as they are told to, nor those that only some builds have.
    let runs = |test: &Test| !test.ignored && test.conditions.iter().all(|condition| condition == "servers");
    let tests: Vec<String> = integration_tests()
        .into_iter()
        .chain(sources::find(&project().join("src/lib.rs")).0)
        .filter(runs)
        // A claim names the module that is tested, and all servers that a test runs on.
        .map(|test| {
            let names = test.name.split("::").filter(|name| !["tests", "on_prosody", "on_ejabberd"].contains(name));
            names.collect::<Vec<_>>().join("::")
        })
        .collect();
    let missing: Vec<_> = claims.into_iter().filter(|claim| !tests.iter().any(|test| test == claim)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "SECURITY.md names tests that do not run");
}
