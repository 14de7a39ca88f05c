//! The man pages.

use std::path::Path;
use std::process::Command;

use super::pages;

/// What man says about a page, as Debian's lintian asks it.
fn warnings(page: &Path) -> String {
    let mut command = Command::new("man");
    command.args(["--warnings", "--encoding=UTF-8", "--local-file", "--troff-device=utf8", "--ditroff"]);
    command.envs([("LC_ALL", "C.UTF-8"), ("MANROFFSEQ", ""), ("MANWIDTH", "80")]);
    let output = command.arg(page).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn man_has_no_warnings_about_the_pages() {
    for page in pages() {
        assert_eq!(warnings(&page), "", "{}", page.display());
    }
    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), ".Dd November 26, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Xx\n").unwrap();
    assert!(warnings(wrong.path()).contains("Xx"), "a macro that is not known");
}
