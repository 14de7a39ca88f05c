//! A network with IPv6 only, and one whose IPv6 is a black hole.

use std::time::Duration;

use super::CPE;
use crate::harness::{Connection, Cpe, LIMIT, Lab};

#[test]
fn a_cpe_with_ipv6_only_is_online_and_answers() {
    let lab = Lab::new();
    let _router = lab.router(&[]);
    let _names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core6(10))]);
    let acs = lab.acs();
    let server = lab.server("xmpp", 10, "cpe1", "");
    let plan = lab.cpe_plan(&[Connection::new("cpe1")]);
    let cpe = Cpe::new(plan.env("DNS", &lab.core6(53)).env("IPV6_ONLY", "1").start());
    cpe.wait(0, &["online as", CPE, &format!("([{}]:5222)", lab.core6(10))]);
    assert_eq!(cpe.exec(&["ip", "-4", "-o", "addr", "show", "scope", "global"]), "");
    server.wait_online(CPE, LIMIT);
    acs.ask(&lab.core(10)).assert_accepted(1);
}

/// The server has an AAAA record, and its packets vanish: IPv4 is raced against it (RFC 8305) and wins a quarter of a second
/// later, in the first pass.
#[test]
fn broken_ipv6_beside_ipv4_delays_little() {
    let lab = Lab::new();
    let router = lab.router(&[]);
    let addresses = [lab.core(10), lab.core6(10)];
    let _names =
        lab.names(&[("xmpp.isp.test", 10)], &addresses.each_ref().map(|address| ("xmpp.isp.test", &**address)));
    let acs = lab.acs();
    let _server = lab.server("xmpp", 10, "cpe1", "");
    router.trouble(&["meta nfproto ipv6 counter drop"]);
    let cpe = lab.cpe(&[Connection::new("cpe1")]);
    let attempting = cpe.wait(0, &["pass 1: attempting", &lab.core6(10), &lab.core(10)]);
    let connected = cpe.wait(0, &["connected to", &lab.core(10)]);
    let delay = connected.at - attempting.at;
    // No lower bound: both lines may be read at once.
    assert!(delay < Duration::from_secs(2), "{delay:?}");
    cpe.wait(0, &["online as", CPE, &lab.core(10)]);
    assert_eq!(cpe.status()["attempt"], 1);
    assert!(router.troubled() > 0, "IPv6 was not tried");
    acs.ask(&lab.core(10)).assert_accepted(1);
}
