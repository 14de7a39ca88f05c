//! Packets are lost, late, out of order, or too large for a link that does not say so.

use std::time::Duration;

use super::{CPE, Home};
use crate::harness::{Connection, Lab};

/// TCP makes up for it: all requests are answered, on the same stream.
#[test]
fn five_percent_of_loss_delay_requests_and_lose_none() {
    let home = Home::start_with(Connection::new("cpe1"), &[], |router| {
        router.trouble(&["meta l4proto tcp numgen random mod 100 < 5 counter drop"]);
    });
    let session = home.session();
    let outcome = home.acs.ask_with(&home.lab.core(10), &["--count", "100", "--interval", "0"], &["cpe1"]);
    outcome.assert_accepted(100);
    assert!(home.router.troubled() > 0, "no packet was dropped");
    home.server.assert_same(&session);
    home.cpe.assert_not_logged(0, "stream lost");
}

#[test]
fn a_latency_of_300_ms_and_reordering_are_no_loss() {
    let home = Home::start_with(Connection::new("cpe1"), &[], |router| {
        router.delay(Duration::from_millis(150), 3);
    });
    let session = home.session();
    let options = ["--count", "2", "--interval", "0", "--concurrency", "1"];
    let outcome = home.acs.ask_with(&home.lab.core(10), &options, &["cpe1"]);
    outcome.assert_accepted(2);
    assert!(outcome.round_trip("min") >= Duration::from_millis(300), "{outcome:?}");
    // Many at a time, which overtake each other.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let ask = || home.acs.ask_with(&home.lab.core(10), &["--count", "10", "--interval", "0"], &["cpe1"]);
            scope.spawn(move || ask().assert_accepted(10));
        }
    });
    assert!(home.router.reordered() > Some(0), "no packet was overtaken");
    home.server.assert_same(&session);
    home.cpe.assert_not_logged(0, "stream lost");
}

/// A link takes no packets of more than 1000 bytes, and its router does not say so (RFC 2923): a large stanza vanishes, and all
/// that follows on the stream. The server repeats it when the stream is resumed, so that this cannot work either; a new
/// stream does.
#[test]
fn an_mtu_black_hole_costs_the_stream_and_not_the_next_one() {
    let home = Home::start(Connection::new("cpe1").option("interval", 3));
    let before = home.session();
    let mark = home.cpe.mark();
    home.router.trouble(&["meta length > 1000 counter drop"]);
    home.assert_answers();
    home.server.assert_same(&before);

    let large = "x".repeat(3000);
    let options = ["--timeout", "1", "--connreq-user", &large];
    let outcome = home.acs.ask_with(&home.lab.core(10), &options, &["cpe1"]);
    assert_eq!(outcome.count("timeout"), 1, "{outcome:?}");
    assert!(home.router.troubled() > 0, "nothing vanished");
    home.cpe.wait_within(mark, &["stream lost", "nothing received"], Duration::from_secs(15));
    home.cpe.wait(mark, &["attempt failed", "resuming the previous stream: no answer within 10 s"]);
    home.cpe.wait(mark, &["online as", CPE]);
    home.assert_answers();
}

/// Where not even the server's certificate gets through, the error says so, and the first attempt after the link was mended
/// succeeds.
#[test]
fn a_certificate_that_vanishes_is_a_failed_attempt() {
    let lab = Lab::new();
    let router = lab.router(&[]);
    let _names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core(10))]);
    let acs = lab.acs();
    let _server = lab.server("xmpp", 10, "cpe1", "");
    router.trouble(&[&format!("ip saddr {} meta length > 500 counter drop", lab.core(10))]);
    let cpe = lab.cpe(&[Connection::new("cpe1")]);
    cpe.wait(0, &["attempt failed", "TLS: no answer within 10 s"]);
    let error = cpe.status()["error"].to_string();
    assert!(error.contains("TLS: no answer within 10 s"), "{error}");
    router.heal();
    cpe.wait(0, &["online as", CPE]);
    acs.ask(&lab.core(10)).assert_accepted(1);
}
