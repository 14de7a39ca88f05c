//! The programs under test, built by cargo when a test first needs one.
//!
//! Cargo builds only a package's own binaries for its integration tests. Built here, the programs have the features of
//! their dependencies that they are shipped with, not those that the tests add. Only [`xmppd`] has fault injection.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The directory of the workspace.
pub fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The program that `XMPPD_TEST_PROGRAM` names, such as a release build or one that runs in an emulator; otherwise `xmppd`
/// with fault injection.
pub fn xmppd() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| match std::env::var("XMPPD_TEST_PROGRAM") {
        Ok(path) => {
            std::fs::canonicalize(&path).unwrap_or_else(|error| panic!("{path}: {error}")).display().to_string()
        }
        Err(_) => build("xmppd", &["--features", "fault-injection"]),
    });
    &PROGRAM
}

/// `xmppd` as it is shipped.
pub fn shipped_xmppd() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| build("xmppd", &["--release"]));
    &PROGRAM
}

/// `connreq`, the ACS's tool.
pub fn connreq() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| build("connreq", &[]));
    &PROGRAM
}

/// Builds the binary of the package with this name. Panics with the compiler's messages if that fails.
fn build(name: &str, options: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--message-format=json-render-diagnostics"]);
    cargo.args(["--package", name, "--bin", name]).args(options);
    // Variables about the package of the tests would make build scripts that use them run again each time.
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
