//! A CPE without a real-time clock.

use crate::harness::{Connection, Cpe, Lab};

use super::CPE;

/// In 1970, certificates are checked as of the time when xmppd was built, and a warning says so once.
#[test]
fn a_cpe_whose_clock_is_in_1970_is_online() {
    let lab = Lab::new();
    let _router = lab.router(&[]);
    let _names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core(10))]);
    let acs = lab.acs();
    let _server = lab.server("xmpp", 10, "cpe1", "");
    let plan = lab.cpe_plan(&[Connection::new("cpe1")]);
    let cpe = Cpe::new(plan.env("CLOCK", "1970-01-02 00:00:00").start());
    cpe.wait(0, &["online as", CPE]);
    acs.ask(&lab.core(10)).assert_accepted(1);
    let since = cpe.status()["since"].as_u64().unwrap();
    assert!((80_000..200_000).contains(&since), "xmppd does not believe in 1970: {since}");
    let warnings = cpe.log().since(0, &["WARNING", "the system's clock is before the time"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}
