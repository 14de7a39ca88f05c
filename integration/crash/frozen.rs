//! Actors that wait for a future that never completes: heartbeats find them, and they are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::fixture::{assert_untouched, child, started_by_root};
use crate::harness::fleet::{accepted, wait_reconnected};
use crate::harness::{Daemon, LIMIT, Prosody, Server, Session, Settings};

/// A minute in production.
const HEARTBEAT: Duration = Duration::from_millis(500);

const KILLED: &str = "child was frozen: killed";

async fn start(fleet: &Settings, prosody: &Prosody) -> (Daemon, BTreeMap<u32, Session>) {
    let daemon = fleet.setup().env("XMPPD_HEARTBEAT_MS", HEARTBEAT.as_millis().to_string()).start();
    let sessions = fleet.wait_online(&daemon, prosody).await;
    (daemon, sessions)
}

/// Freezes an actor; it is killed with one warning.
async fn is_killed(daemon: &Daemon, who: &str) -> usize {
    let mark = daemon.log().mark();
    daemon.crash(&format!("{who} freeze")).await;
    let child = format!("child={} ", child(who));
    let killed = daemon.log().wait(mark, &["WARNING", KILLED, &child], LIMIT).await;
    assert!(killed.contains("reason=no answer to a heartbeat follows=restarted"), "{killed}");
    daemon.log().wait(mark, &["child started", &child], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["WARNING"]).len(), 1);
    assert_eq!(daemon.log().since(mark, &["xmppd: ERROR"]), Vec::<String>::new());
    mark
}

#[tokio::test]
async fn a_connection_is_replaced_and_the_others_keep_their_streams() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (daemon, before) = start(&fleet, &prosody).await;
    let mark = is_killed(&daemon, "connection 1").await;
    wait_reconnected(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
    assert_untouched(&prosody, &before, &[2, 3]);
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
}

#[tokio::test]
async fn an_actor_at_the_root_is_replaced_and_no_stream_is_touched() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = start(&fleet, &prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for who in ["notifier", "router", "config", "control"] {
        let mark = is_killed(&daemon, who).await;
        assert_eq!(started_by_root(&daemon, mark), [who]);
        for id in fleet.ids() {
            accepted(&mut acs, id).await;
        }
    }
    assert_untouched(&prosody, &before, &[1, 2]);
}

#[tokio::test]
async fn the_supervisor_of_the_connections_is_replaced_with_all_of_them() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = start(&fleet, &prosody).await;
    is_killed(&daemon, "connections").await;
    for id in fleet.ids() {
        wait_reconnected(&prosody, id, &before[&id]).await;
    }
}

#[tokio::test]
async fn a_process_that_was_stopped_and_continued_kills_no_actor() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = start(&fleet, &prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for _ in 0..3 {
        daemon.signal(Signal::STOP);
        // Longer than several heartbeats.
        tokio::time::sleep(5 * HEARTBEAT).await;
        daemon.signal(Signal::CONT);
        for id in fleet.ids() {
            accepted(&mut acs, id).await;
        }
        tokio::time::sleep(3 * HEARTBEAT).await;
    }
    assert_eq!(daemon.log().since(0, &[KILLED]), Vec::<String>::new());
    assert_untouched(&prosody, &before, &[1, 2, 3]);
}
