//! Checks that the documents which name tests name only those that run, and that docs/conformance.md proves what it claims.

mod log_lines;

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
fn the_tests_found_in_the_sources_match_the_binary() {
    let found: Vec<Test> = integration_tests()
        .into_iter()
        .map(|test| {
            if cfg!(servers) || test.conditions.is_empty() {
                return test;
            }
            Test { name: format!("skipped::{}", test.name), ignored: true, ..test }
        })
        .collect();
    let names: BTreeSet<String> = found.iter().map(|test| test.name.clone()).collect();
    assert_eq!(names.symmetric_difference(&listed(&[])).collect::<Vec<_>>(), Vec::<&String>::new());
    let ignored: BTreeSet<String> = found.into_iter().filter(|test| test.ignored).map(|test| test.name).collect();
    assert_eq!(ignored, listed(&["--ignored"]));
}

#[test]
fn only_tests_are_found_in_the_sources() {
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

/// Returns the texts in backquotes that look like the path of a test.
fn claims(text: &str) -> Vec<&str> {
    let is_path = |word: &&str| {
        word.contains("::") && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).collect()
}

/// Fails if the document names a test that does not run.
fn assert_names_tests_that_run(document: &str, at_least: usize) {
    let text = fs::read_to_string(project().join(document)).unwrap();
    let claims = claims(&text);
    assert!(claims.len() > at_least, "{claims:?}");
    // Without ignored tests, and those that only some builds have.
    let runs = |test: &Test| !test.ignored && test.conditions.iter().all(|condition| condition == "servers");
    let tests: Vec<String> = integration_tests()
        .into_iter()
        .chain(sources::find(&project().join("src/lib.rs")).0)
        .filter(runs)
        // A claim omits the modules `tests` and those of the servers.
        .map(|test| {
            let names = test.name.split("::").filter(|name| !["tests", "on_prosody", "on_ejabberd"].contains(name));
            names.collect::<Vec<_>>().join("::")
        })
        .collect();
    let missing: Vec<_> = claims.into_iter().filter(|claim| !tests.iter().any(|test| test == claim)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "{document} names tests that do not run");
}

#[test]
fn security_md_names_only_tests_that_run() {
    assert_names_tests_that_run("SECURITY.md", 30);
}

#[test]
fn the_page_of_conformance_names_only_tests_that_run() {
    assert_names_tests_that_run("docs/conformance.md", 100);
}

/// Returns the cells of the last two columns, the state and the tests, of the tables whose last column is "shown by".
fn duties(text: &str) -> Vec<(&str, &str)> {
    let mut is_table_of_duties = false;
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let (&tests, before) = cells.split_last()?;
        let &state = before.last()?;
        if state == "state" || tests == "notification" {
            is_table_of_duties = tests == "shown by";
            return None;
        }
        (is_table_of_duties && state != "---").then_some((state, tests))
    });
    rows.collect()
}

/// What is done has a test, and what is not has a reason.
#[test]
fn each_duty_of_the_page_of_conformance_has_a_test_or_a_reason() {
    let text = fs::read_to_string(project().join("docs/conformance.md")).unwrap();
    let duties = duties(&text);
    assert!(duties.len() > 90, "{}", duties.len());
    let is_done = |state: &str| ["done", "not applicable"].iter().any(|word| state.starts_with(word));
    let is_left_out = |state: &str| state.strip_prefix("not done: ").is_some_and(|reason| reason.len() > 20);
    for (state, tests) in duties {
        let has_tests = !claims(tests).is_empty();
        assert!((is_done(state) && has_tests) || (is_left_out(state) && !has_tests), "{state} | {tests}");
    }
}
