//! `scripts/test.sh`, with a cargo that runs nothing, and the empty sources with which images build the dependencies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

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

#[test]
fn tests_that_need_what_is_missing_are_skipped_by_name_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let cargo = directory.path().join("cargo");
    std::fs::write(&cargo, CARGO).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(project().join("scripts/test.sh"));
    let output =
        command.env("CARGO", cargo).env("XMPPD_TESTS_WITHOUT", "ipv6 namespaces fuse systemd man").output().unwrap();
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
