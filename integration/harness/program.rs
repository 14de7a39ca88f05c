//! The programs under test, built by cargo when a test first needs one.
//!
//! Cargo builds a package's own binaries for its integration tests, but not those of other packages. Built here, they have
//! the dependencies' features that they are shipped with, not those that the tests add. The features that inject faults
//! are in this xmppd alone.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The directory of the workspace.
pub fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// `xmppd`, with fault injection.
pub fn xmppd() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| build("xmppd", &["--features", "test-hooks"]));
    &PROGRAM
}

/// `connreq`, the ACS's tool.
pub fn connreq() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| build("connreq", &[]));
    &PROGRAM
}

/// Builds the binary of a package with that name; panics with the compiler's messages if it does not build.
fn build(name: &str, options: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--message-format=json-render-diagnostics"]);
    cargo.args(["--package", name, "--bin", name]).args(options);
    // What cargo says about the tests' own package would make build scripts that look at it run again each time.
    let is_about_the_tests = |name: &OsString| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"].iter().any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_the_tests(name)) {
        cargo.env_remove(name);
    }
    let output = cargo.current_dir(project()).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "cargo cannot build {name}");
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let executable = messages.filter_map(|message| message["executable"].as_str().map(str::to_owned)).next_back();
    executable.expect("cargo names the executable")
}
