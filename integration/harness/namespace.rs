//! Tests in a network namespace of their own, for what loopback alone cannot be made to do.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

const INSIDE: &str = "XMPPD_TEST_NAMESPACE";

/// Runs the calling test, which has this full name, once more in a new network namespace. `ip` sets the namespace up: one
/// call for each of these lines of arguments. True inside; outside, the test is over when this returns, and has failed if it
/// failed inside.
pub fn entered(test: &str, ip: &[String]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        // Past the capture of a test's output.
        let _ = writeln!(std::io::stderr(), "{test} is left out: a network namespace takes root");
        return false;
    }
    let mut script = "set -e\nip link set lo up\n".to_owned();
    for arguments in ip {
        let _ = writeln!(script, "ip {arguments}");
    }
    script += "exec \"$0\" --exact \"$1\" --nocapture";
    let status = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .status()
        .unwrap_or_else(|error| panic!("unshare: {error} (scripts/install-deps.sh installs it)"));
    assert!(status.success(), "{test} failed in its network namespace: {status}");
    false
}

/// A network behind whose link nothing answers, for both families: `192.0.2.0/24` and `2001:db8::/64`, with these hosts.
pub fn black_hole(hosts: &[&str]) -> Vec<String> {
    let mut ip = vec![
        "link add hole type veth peer name far".to_owned(),
        "link set hole up".to_owned(),
        "link set far up".to_owned(),
        "addr add 192.0.2.254/24 dev hole".to_owned(),
        "addr add 2001:db8::fe/64 dev hole nodad".to_owned(),
    ];
    // Without a neighbour the kernel would say after three seconds that there is no such host.
    ip.extend(hosts.iter().map(|host| format!("neigh add {host} lladdr 02:00:00:00:00:01 dev hole nud permanent")));
    ip
}
