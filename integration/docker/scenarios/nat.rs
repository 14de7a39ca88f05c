//! The router forgets a mapping after some seconds of silence, without a word to either side.

use std::time::{Duration, Instant};

use super::{CPE, Home};
use crate::harness::Connection;

fn timeout(seconds: u32) -> String {
    format!("net.netfilter.nf_conntrack_tcp_timeout_established={seconds}")
}

/// With a keepalive below the timeout, a request arrives at once, however long there was none.
#[test]
fn a_keepalive_below_the_timeout_keeps_the_mapping() {
    let home = Home::start_with(Connection::new("cpe1").option("interval", 5), &[&timeout(8)], |_| {});
    let session = home.session();
    for _ in 0..2 {
        // Twice the timeout.
        home.router.wait_data(&home.lab.core(10), 4, Duration::from_secs(60));
        let outcome = home.acs.ask(&home.lab.core(10));
        outcome.assert_accepted(1);
        // Before the next keepalive, so not because of it.
        assert!(outcome.round_trip("max") < Duration::from_secs(4), "{outcome:?}");
    }
    home.server.assert_same(&session);
    // The server sees the router, which has the mapping.
    let (own, router) = (home.lab.lan(10), home.lab.core(2));
    let peers = home.server.peers();
    assert!(peers.contains(&format!("{router}:{}", session.port)) && !peers.contains(&own), "{peers}");
    assert_eq!(home.router.mappings(&own, session.port).len(), 1);
}

/// With one above it, the loss is noticed within the interval and 30 s, and the stream is resumed: so even the request that
/// was lost on its way arrives, though late.
#[test]
fn a_mapping_that_expired_is_noticed_and_the_stream_resumed() {
    let interval = 12;
    let home = Home::start_with(Connection::new("cpe1").option("interval", interval), &[&timeout(4)], |_| {});
    let silent = Instant::now();
    let before = home.session();
    let (mark, notified) = (home.cpe.mark(), home.cpe.notified());
    home.router.wait_forgotten(&home.lab.lan(10), before.port);
    let outcome = home.acs.ask_with(&home.lab.core(10), &["--timeout", "2"], &["cpe1"]);
    assert_eq!((outcome.count("timeout"), home.cpe.notified()), (1, notified), "{outcome:?}");

    let lost = home.cpe.wait(mark, &["stream lost", "nothing received"]);
    assert!(lost.at - silent <= Duration::from_secs(interval + 30), "{:?}", lost.at - silent);
    home.cpe.wait(mark, &["stream resumed as", CPE]);
    home.server.wait_resumed(&before);
    crate::harness::until("the late request", crate::harness::LIMIT, || {
        (home.cpe.notified() == notified + 1).then_some(())
    });
    home.assert_answers();
}
