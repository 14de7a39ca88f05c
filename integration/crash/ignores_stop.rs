//! Actors that ignore a stop: they are killed after their stop limit.

use rustix::process::Signal;

use super::fixture::{assert_untouched, child, started_by_root, without_first};
use crate::harness::fleet::{accepted, jid, wait_reconnected};
use crate::harness::{Daemon, LIMIT, Prosody, Server, Settings};

const KILLED: &str = "child did not stop in time: killed";

/// Fails unless one warning says that the actor was killed.
fn assert_killed_once(daemon: &Daemon, mark: usize, who: &str) {
    let lines = daemon.log().since(mark, &["WARNING", &format!("child={} ", child(who))]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(KILLED), "{lines:?}");
}

async fn wait_killed(daemon: &Daemon, mark: usize, who: &str) {
    daemon.log().wait(mark, &["WARNING", KILLED, &format!("child={} ", child(who))], LIMIT).await;
}

#[tokio::test]
async fn a_connection_that_is_removed_is_killed_and_can_be_added_again() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    daemon.xmpp().commit(&without_first(&fleet));
    wait_killed(&daemon, mark, "connection 1").await;
    prosody.wait_gone(&jid(1), LIMIT).await;
    daemon.wait_removed(1).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in [2, 3] {
        accepted(&mut acs, id).await;
    }

    daemon.xmpp().commit(&fleet.text());
    wait_reconnected(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut acs, 1).await;
    assert_untouched(&prosody, &before, &[2, 3]);
    assert_killed_once(&daemon, mark, "connection 1");
    assert_eq!(daemon.log().since(mark, &["xmppd: ERROR"]), Vec::<String>::new());
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
}

/// There are never two runs: the new one waits until the old one is killed.
#[tokio::test]
async fn a_connection_that_is_added_again_while_it_stops_is_started_when_it_is_killed() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    daemon.xmpp().commit(&without_first(&fleet));
    daemon.log().wait(mark, &["asking child to stop", "child=1 "], LIMIT).await;
    daemon.xmpp().commit(&fleet.text());
    daemon.log().wait(mark, &["child started", "child=1 "], LIMIT).await;
    assert_killed_once(&daemon, mark, "connection 1");
    wait_reconnected(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut prosody.acs("acs@a.test/r").await, 1).await;
    assert_untouched(&prosody, &before, &[2]);
}

#[tokio::test]
async fn a_connection_that_is_restarted_is_killed_and_gets_its_new_settings() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    fleet.set_connection(1, "resource", "another");
    daemon.xmpp().commit(&fleet.text());
    prosody.wait_online("cpe1@a.test/another", LIMIT).await;
    assert_killed_once(&daemon, mark, "connection 1");
    prosody.wait_gone(&jid(1), LIMIT).await;
    assert_untouched(&prosody, &before, &[2]);
}

#[tokio::test]
async fn the_end_of_the_process_does_not_wait_for_the_notifier() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, _) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    daemon.crash("notifier ignores_stop").await;
    let mark = daemon.log().mark();
    daemon.assert_stops(Signal::TERM).await;
    assert_killed_once(&daemon, mark, "notifier");
}

/// They are stopped side by side: it takes as long as the slowest one.
#[tokio::test]
async fn the_process_ends_in_time_if_no_actor_stops() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, _) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    let all = ["notifier", "router", "config", "control", "connection 1"];
    let mut mark = stopped(&mut daemon, &all).await;
    for _ in 0..2 {
        // The limit of a connection is 0.2 s before that of the process. A busy machine may notice both at once; the process then
        // ends without a word of the connection. That does not happen each time.
        if daemon.log().since(mark, &["shutdown timed out"]).is_empty() {
            break;
        }
        daemon.start_again();
        daemon.wait_for_value(1, "status", "Enabled").await;
        mark = stopped(&mut daemon, &all).await;
    }
    for who in all {
        assert_killed_once(&daemon, mark, who);
    }
}

/// Stops the process while these actors ignore that. Returns the mark in the log from before.
async fn stopped(daemon: &mut Daemon, ignoring: &[&str]) -> usize {
    let faults: Vec<String> = ignoring.iter().map(|who| format!("{who} ignores_stop")).collect();
    daemon.crash(&faults.join(",")).await;
    let mark = daemon.log().mark();
    daemon.assert_stops(Signal::TERM).await;
    mark
}
