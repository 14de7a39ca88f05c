//! `scripts/test.sh`, with a cargo that runs nothing, the steps of the CI run, and the empty sources with which images build
//! the dependencies.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::notify_command::write_executable;
use crate::harness::program::project;

/// Lists some tests, of which `--skip` leaves two, and reports two results.
const CARGO: &str = r#"#!/bin/bash
all='a::plain: test
a::ipv6::race: test
b::namespaces::ipv6::hole: test
b::namespaces::fuse::mount: test
b::namespaces::mount: test
b::systemd::unit: test
b::man::pages: test
b::plain: test'
case "$*" in
	*--list*--skip*) grep plain <<< "$all" ;;
	*--list*) echo "$all" ;;
	*) echo "ran: $*"
	   echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s'
	   echo 'test result: FAILED. 40 passed; 3 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s'
	   exit 101 ;;
esac
"#;

/// Runs `scripts/test.sh` with this program in place of cargo and this variable.
fn test_script(cargo: &str, name: &str, value: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("cargo");
    write_executable(&program, cargo);
    let mut command = Command::new(project().join("scripts/test.sh"));
    command.env_remove("XMPPD_TESTS_WITHOUT").env_remove("XMPPD_TESTS_AGAIN").env("CARGO", program).env(name, value);
    command.output().unwrap()
}

#[test]
fn tests_that_need_what_is_missing_are_skipped_by_name_and_counted() {
    let output = test_script(CARGO, "XMPPD_TESTS_WITHOUT", "ipv6 namespaces fuse systemd man");
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (ran, rest) = text.split_once('\n').unwrap();
    assert!(ran.ends_with("-- --skip fuse:: --skip namespaces:: --skip ipv6:: --skip systemd:: --skip man::"), "{ran}");
    let lines: Vec<&str> = rest.lines().filter(|line| !line.starts_with("test result:")).collect();
    let excluded = "which XMPPD_TESTS_WITHOUT excludes";
    assert_eq!(
        lines,
        [
            &format!("skipped: a::ipv6::race needs ipv6, {excluded}"),
            &format!("skipped: b::man::pages needs man, {excluded}"),
            &format!("skipped: b::namespaces::fuse::mount needs fuse, {excluded}"),
            &format!("skipped: b::namespaces::ipv6::hole needs namespaces, {excluded}"),
            &format!("skipped: b::namespaces::mount needs namespaces, {excluded}"),
            &format!("skipped: b::systemd::unit needs systemd, {excluded}"),
            "tests: 42 passed, 3 failed, 3 ignored, 6 skipped (1 need IPv6, 2 need namespaces, 1 need FUSE, \
             1 need systemd, 1 need man)",
        ]
    );
}

/// A cargo with two programs of tests, each of which has a test that fails. The second run has the result of its first argument.
fn cargo_with_failures(first_errors: &str, second_run: &str) -> String {
    format!(
        r#"#!/bin/bash
case "$*" in
	*--list*) ;;
	*"--exact a::slow b::late") {second_run} ;;
	*--exact*) echo "unexpected: $*"; exit 2 ;;
	*) cat << 'END'
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
failures:

---- a::slow stdout ----
    at: main.rs

failures:
    a::slow

test result: FAILED. 40 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
failures:
    b::late

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
error: {first_errors} failed:
END
	   exit 101 ;;
esac
"#
    )
}

#[test]
fn failed_tests_run_again_and_are_named() {
    let both_pass = "echo 'test result: ok. 1 passed; 0 failed'; echo 'test result: ok. 1 passed; 0 failed'";
    let one_fails =
        "echo 'test result: ok. 1 passed; 0 failed'; echo 'test result: FAILED. 0 passed; 1 failed'; exit 101";
    let one_is_gone = "echo 'test result: ok. 1 passed; 0 failed'";
    let again = "tests: 49 passed (2 when run again), 0 failed, 1 ignored, 0 skipped";
    let failed = "tests: 47 passed, 2 failed, 1 ignored, 0 skipped";
    for (errors, second_run, most, status, last) in [
        ("2 targets", both_pass, "2", 0, again),
        ("2 targets", both_pass, "1", 101, failed),
        ("2 targets", both_pass, "0", 101, failed),
        ("2 targets", one_fails, "2", 101, failed),
        ("2 targets", one_is_gone, "2", 101, failed),
        // A third program ended without a result.
        ("3 targets", both_pass, "2", 101, failed),
    ] {
        let output = test_script(&cargo_with_failures(errors, second_run), "XMPPD_TESTS_AGAIN", most);
        let text = String::from_utf8_lossy(&output.stdout);
        let case = format!("{errors}, {second_run}, at most {most}: {text}");
        assert_eq!(output.status.code(), Some(status), "{case}");
        assert_eq!(text.lines().last(), Some(last), "{case}");
        let named = ["a::slow", "b::late"]
            .map(|name| text.contains(&format!("again: {name} failed, and passed when it was run again")));
        assert_eq!(named, [status == 0; 2], "{case}");
    }
}

/// Runs steps of the CI run. Returns what is reported of them, without the time it took, and then the status.
fn steps(minutes: u8, script: &str) -> Vec<String> {
    let script = format!(". scripts/ci-steps.sh; part_of_ci part {minutes}; {script}; echo \"part: status $status\"");
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(project()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let reports = text.lines().filter_map(|line| line.strip_prefix("part: "));
    reports.filter_map(|report| report.split(" in ").next()?.split(" after ").next().map(str::to_owned)).collect()
}

#[test]
fn steps_of_the_ci_run_report_what_became_of_them() {
    assert_eq!(steps(2, "step works 1 true"), ["works passed", "status 0"]);
    let failed = |time: &str| format!("breaks FAILED the {time} time (exit status 4)");
    assert_eq!(steps(2, "step breaks 1 bash -c 'exit 4'"), [&failed("first"), &failed("second"), "status 1"]);
    let once = "d=$(mktemp -d); step breaks 1 bash -c \"rmdir '$d' && exit 4 || exit 0\"";
    assert_eq!(steps(2, once), [&failed("first"), "breaks passed", "status 0"]);
    let no_engine = "cannot_run() { [ $1 -ne 3 ] || echo 'no engine'; }; step works 1 bash -c 'exit 3'";
    assert_eq!(steps(2, no_engine), ["works NOT RUN: no engine", "status 0"]);
    assert_eq!(
        steps(2, "limit=150; step long 3 true"),
        ["long NOT RUN: it takes up to 3 min, 2 min are left", "status 0"]
    );
    // The time is over while it runs.
    assert_eq!(
        steps(1, "limit=$((SECONDS + 3)); step long 0 sleep 60"),
        ["long NOT FINISHED: no time is left", "status 0"]
    );
}

/// Copies what the instructions `COPY` of a Dockerfile copy before its first instruction `RUN integration/docker/stubs.sh`.
fn copy_manifests(dockerfile: &str, to: &Path) {
    let text = fs::read_to_string(project().join(dockerfile)).unwrap();
    let (layers, _) = text.split_once("RUN integration/docker/stubs.sh").unwrap();
    for line in layers.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with("--")).collect();
        let (_, files) = words.split_last().unwrap();
        for file in files {
            let copy = to.join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(project().join(file), copy).unwrap();
        }
    }
}

/// Without a manifest or a source that cargo expects, the image is not built; an empty source that is none of the workspace's
/// stays beside the real ones.
#[test]
fn images_have_an_empty_source_for_each_target_of_the_workspace() {
    for dockerfile in ["Dockerfile.test", "integration/docker/Dockerfile.programs"] {
        let directory = tempfile::tempdir().unwrap();
        copy_manifests(dockerfile, directory.path());
        let run = |command: &mut Command| {
            let output = command.current_dir(directory.path()).output().unwrap();
            assert!(output.status.success(), "{dockerfile}: {}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        run(&mut Command::new("integration/docker/stubs.sh"));
        let metadata =
            run(Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]));
        let metadata: Value = serde_json::from_slice(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let mut sources = 0;
        for target in packages.iter().flat_map(|package| package["targets"].as_array().unwrap()) {
            let source = Path::new(target["src_path"].as_str().unwrap());
            let file = source.strip_prefix(directory.path().canonicalize().unwrap()).unwrap();
            assert!(source.exists(), "{dockerfile}: no {}", file.display());
            assert!(project().join(file).exists(), "{dockerfile}: {} is not in the workspace", file.display());
            sources += 1;
        }
        assert!(sources > 10, "{dockerfile}: {sources}");
    }
}
