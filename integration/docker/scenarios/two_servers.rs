//! Two servers with SRV records of different priority, the first one away and back.

use std::time::Duration;

use super::CPE;
use crate::harness::{Connection, LIMIT, Lab};

/// The first one is silent, which costs the time limit of TCP, 10 s, and no wait. When it is back, the stream to the second
/// one stays. Once that is lost, the next pass begins at the first one.
#[test]
fn the_second_server_is_used_while_the_first_one_is_away() {
    let lab = Lab::new();
    let router = lab.router(&[]);
    let (first, second) = (lab.core(10), lab.core(11));
    let services = [("first.isp.test", 10), ("second.isp.test", 20)];
    let _names = lab.names(&services, &[("first.isp.test", &first), ("second.isp.test", &second)]);
    let acs = lab.acs();
    let servers = [lab.server("first", 10, "cpe1", ""), lab.server("second", 11, "cpe1", "")];
    router.trouble(&[&format!("ip daddr {first} counter drop")]);

    let cpe = lab.cpe(&[Connection::new("cpe1").option("interval", 2)]);
    let attempting = cpe.wait(0, &["pass 1: attempting", "first.isp.test"]);
    cpe.wait(0, &["attempt failed at first.isp.test", "trying the next server"]);
    let online = cpe.wait(0, &["online as", CPE, "at second.isp.test"]);
    let took = online.at - attempting.at;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(cpe.status()["attempt"], 1);
    assert!(router.troubled() > 0);
    acs.ask(&second).assert_accepted(1);

    router.heal();
    let session = servers[1].wait_online(CPE, LIMIT);
    let mark = cpe.mark();
    router.wait_data(&second, 3, LIMIT);
    servers[1].assert_same(&session);

    servers[1].kill();
    cpe.wait(mark, &["stream lost"]);
    cpe.wait(mark, &["online as", CPE, "at first.isp.test"]);
    servers[0].wait_online(CPE, LIMIT);
    acs.ask(&first).assert_accepted(1);
}
