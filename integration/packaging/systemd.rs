//! The systemd unit.

use std::process::Command;

use crate::harness::program::project;

/// docs/debian.md has the rating. 2.0 is "OK"; the scale ends at 10, "UNSAFE".
#[test]
fn the_sandbox_of_the_unit_is_rated_ok() {
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager", "--threshold=20"]);
    let output = command.arg(project().join("config/xmppd.service")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Overall exposure level for xmppd.service"), "{text}");
}
