//! The CPE, or the server, is away for a while.

use std::time::Duration;

use super::{CPE, Home};
use crate::harness::{Connection, LIMIT};

/// Within how much time a loss is noticed: the interval, the same again, and what a busy machine needs.
fn noticed(interval: u64) -> Duration {
    Duration::from_secs(2 * interval + 15)
}

#[test]
fn a_cpe_that_is_unplugged_resumes_its_stream_when_it_is_plugged_in_again() {
    let home = Home::start(Connection::new("cpe1").option("interval", 4));
    let before = home.session();
    let mark = home.cpe.mark();
    home.cpe.disconnect(&home.lab.lan_network());
    home.cpe.wait_within(mark, &["stream lost"], noticed(4));
    home.cpe.connect(&home.lab.lan_network(), &home.lab.lan(10));
    home.cpe.wait(mark, &["stream resumed as", CPE]);
    home.server.wait_resumed(&before);
    home.assert_answers();
}

/// What was sent meanwhile arrives when the packets do.
#[test]
fn an_outage_that_is_shorter_than_the_keepalive_loses_nothing() {
    let home = Home::start(Connection::new("cpe1").option("interval", 15));
    let before = home.session();
    home.router.trouble(&["counter drop"]);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| home.assert_answers());
        // The request, and TCP's second attempt.
        home.router.wait_troubled(2);
        home.router.heal();
        asked.join().unwrap();
    });
    home.server.assert_same(&before);
    home.cpe.assert_not_logged(0, "stream lost");
}

#[test]
fn a_cpe_whose_packets_are_dropped_without_a_word_notices_and_resumes_its_stream() {
    let home = Home::start(Connection::new("cpe1").option("interval", 4));
    let before = home.session();
    let mark = home.cpe.mark();
    home.router.trouble(&["counter drop"]);
    home.cpe.wait_within(mark, &["stream lost", "nothing received"], noticed(4));
    // Attempts fail until then.
    home.cpe.wait(mark, &["attempt failed"]);
    assert_ne!(home.cpe.status()["status"], "Enabled");
    home.router.heal();
    home.cpe.wait(mark, &["stream resumed as", CPE]);
    home.server.wait_resumed(&before);
    home.assert_answers();
}

#[test]
fn a_server_that_was_cut_off_goes_on_with_the_stream() {
    let home = Home::start(Connection::new("cpe1").option("interval", 4));
    let before = home.session();
    let mark = home.cpe.mark();
    home.server.disconnect(&home.lab.core_network());
    home.cpe.wait_within(mark, &["stream lost", "nothing received"], noticed(4));
    home.server.connect(&home.lab.core_network(), &home.lab.core(10));
    home.cpe.wait(mark, &["stream resumed as", CPE]);
    home.server.wait_resumed(&before);
    home.assert_answers();
}

/// The server knows nothing of the stream any more, so that a resource is bound on the TCP connection of the attempt.
#[test]
fn a_server_that_was_killed_while_it_was_cut_off_gets_a_new_stream() {
    let home = Home::start(Connection::new("cpe1").option("interval", 4));
    let mark = home.cpe.mark();
    home.server.disconnect(&home.lab.core_network());
    home.server.kill();
    home.cpe.wait_within(mark, &["stream lost", "nothing received"], noticed(4));
    home.server.connect(&home.lab.core_network(), &home.lab.core(10));
    home.server.start_again();
    home.server.wait_started();
    home.cpe.wait(mark, &["online as", CPE]);
    let session = home.server.wait_online(CPE, LIMIT);
    assert_eq!(session.kind, "bind");
    home.cpe.assert_not_logged(mark, "stream resumed");
    home.assert_answers();
}
