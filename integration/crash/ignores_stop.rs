//! Actors that do not stop when they are asked to: they are killed when their time is over, and the tree goes on.

use std::time::Duration;

use rustix::process::Signal;

use super::{child, started_by_root, untouched};
use crate::harness::fleet::{accepted, jid, wait_back};
use crate::harness::{Daemon, Fleet, LIMIT, Prosody};

const KILLING: &str = "child did not stop in its time: killing it";

/// One warning says that it is killed.
fn is_killed_once(daemon: &Daemon, mark: usize, who: &str) {
    let lines = daemon.log().since(mark, &["WARNING", &format!("child={} ", child(who))]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(KILLING), "{lines:?}");
}

async fn wait_killed(daemon: &Daemon, mark: usize, who: &str) {
    daemon.log().wait(mark, &["WARNING", KILLING, &format!("child={} ", child(who))], LIMIT).await;
}

#[tokio::test]
async fn a_connection_that_is_removed_is_killed_and_can_be_added_again() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(3, &[1, 2, 3], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mut without = fleet.clone();
    without.connections.remove(0);
    without.servers.remove(0);
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    daemon.xmpp().commit(&without.text());
    wait_killed(&daemon, mark, "connection 1").await;
    prosody.wait_gone(&jid(1), LIMIT).await;
    daemon.wait_forgotten(1).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for id in [2, 3] {
        accepted(&mut acs, id).await;
    }

    daemon.xmpp().commit(&fleet.text());
    wait_back(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut acs, 1).await;
    untouched(&prosody, &before, &[2, 3]);
    is_killed_once(&daemon, mark, "connection 1");
    assert_eq!(daemon.log().since(mark, &["xmppd: ERROR"]), Vec::<String>::new());
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
}

/// The new run waits until the old one is killed: there are never two.
#[tokio::test]
async fn a_connection_that_is_wanted_again_before_it_is_gone_is_started_when_it_is_killed() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mut without = fleet.clone();
    without.connections.remove(0);
    without.servers.remove(0);
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    daemon.xmpp().commit(&without.text());
    daemon.log().wait(mark, &["asking child to stop", "child=1 "], LIMIT).await;
    daemon.xmpp().commit(&fleet.text());
    daemon.log().wait(mark, &["child started", "child=1 "], LIMIT).await;
    is_killed_once(&daemon, mark, "connection 1");
    wait_back(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    accepted(&mut prosody.requester("acs@a.test/r").await, 1).await;
    untouched(&prosody, &before, &[2]);
}

#[tokio::test]
async fn a_connection_that_is_restarted_is_killed_and_has_its_new_settings() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 ignores_stop").await;
    fleet.change(1, "resource", "another");
    daemon.xmpp().commit(&fleet.text());
    prosody.wait_online("cpe1@a.test/another", LIMIT).await;
    is_killed_once(&daemon, mark, "connection 1");
    prosody.wait_gone(&jid(1), LIMIT).await;
    untouched(&prosody, &before, &[2]);
}

#[tokio::test]
async fn the_end_of_the_process_does_not_wait_for_the_notifier() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, _) = Fleet::new(1, &[1], &prosody).start(&prosody).await;
    daemon.crash("notifier ignores_stop").await;
    let mark = daemon.log().mark();
    let (status, _) = daemon.stop().await;
    assert_eq!(status.code(), Some(0), "{status:?}");
    is_killed_once(&daemon, mark, "notifier");
    assert_eq!(daemon.log().lines().last().map(String::as_str), Some("xmppd: INFO stopped"));
}

/// They are stopped side by side, so that the time of the slowest one is all that it takes.
#[tokio::test]
async fn the_process_ends_in_time_if_no_actor_stops() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, _) = Fleet::new(1, &[1], &prosody).start(&prosody).await;
    let all = ["notifier", "router", "config", "control", "connection 1"];
    daemon.crash(&all.map(|who| format!("{who} ignores_stop")).join(",")).await;
    let mark = daemon.log().mark();
    let (status, took) = daemon.end(Signal::TERM).await;
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    for who in all {
        is_killed_once(&daemon, mark, who);
    }
    assert_eq!(daemon.log().lines().last().map(String::as_str), Some("xmppd: INFO stopped"));
    assert!(!daemon.socket().exists(), "the control socket is left behind");
}
