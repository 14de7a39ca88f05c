//! Runs tests in a network namespace of their own, for networks that loopback cannot provide. These tests are in modules
//! that are called `namespaces`, by which `scripts/test.sh` finds them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

const INSIDE: &str = "XMPPD_TEST_NAMESPACE";

/// Runs the calling test, which has this full name, again in a new network namespace, set up by a call of `ip` for each of
/// these lines of arguments. Returns true inside of the namespace. Outside it returns false after the test has passed
/// inside; the calling test then returns.
pub fn entered(test: &str, ip: &[String]) -> bool {
    assert!(test.contains("::namespaces::"), "{test} is not in a module `namespaces`");
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        // Not captured, unlike the output of a test.
        let _ = writeln!(std::io::stderr(), "{test} skipped: a network namespace needs root");
        return false;
    }
    let mut script = "set -e\nip link set lo up\n".to_owned();
    for arguments in ip {
        let _ = writeln!(script, "ip {arguments}");
    }
    script += "exec \"$0\" --exact \"$1\" --nocapture";
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| panic!("unshare: {error} (scripts/install-deps.sh installs it)"));
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{test} failed in its network namespace: {printed}"
    );
    false
}

/// A network with these hosts in which nothing answers: `192.0.2.0/24`, and `2001:db8::/64` if one of them has IPv6.
pub fn black_hole(hosts: &[&str]) -> Vec<String> {
    let mut ip = vec![
        "link add hole type veth peer name far".to_owned(),
        "link set hole up".to_owned(),
        "link set far up".to_owned(),
        "addr add 192.0.2.254/24 dev hole".to_owned(),
    ];
    if hosts.iter().any(|host| host.contains(':')) {
        ip.push("addr add 2001:db8::fe/64 dev hole nodad".to_owned());
    }
    // Without a neighbour entry the kernel would report an unreachable host after three seconds.
    ip.extend(hosts.iter().map(|host| format!("neigh add {host} lladdr 02:00:00:00:00:01 dev hole nud permanent")));
    ip
}
