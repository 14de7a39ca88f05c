//! Two actors that panic in the same turn.

use super::{WORDS, no_secrets};
use crate::harness::fleet::{accepted, session, wait_back};
use crate::harness::{Fleet, LIMIT, Prosody, until};

/// Two panics, two lines; these connections come back, and all is as before.
async fn both(one: &str, other: &str, back: &[u32]) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Fleet::new(2, &[1, 2], &prosody).start(&prosody).await;
    let (pid, mark) = (daemon.pid(), daemon.log().mark());
    daemon.crash(&format!("{one}, {other}")).await;
    until("both panics", LIMIT, || (daemon.log().since(mark, &[WORDS]).len() >= 2).then_some(())).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for (id, before) in &before {
        if back.contains(id) {
            wait_back(&prosody, *id, before).await;
        } else {
            assert_eq!(session(&prosody, *id).as_ref(), Some(before), "connection {id}");
        }
        daemon.wait_for_value(*id, "status", "Enabled").await;
        accepted(&mut acs, *id).await;
    }
    let lines = daemon.log().since(mark, &[WORDS]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(daemon.running());
    assert_eq!(daemon.pid(), pid);
    no_secrets(&daemon);
}

#[tokio::test]
async fn two_connections() {
    both("connection 1", "connection 2", &[1, 2]).await;
}

#[tokio::test]
async fn a_connection_and_the_config_actor() {
    both("connection 1", "config", &[1]).await;
}

#[tokio::test]
async fn a_connection_and_the_router() {
    both("connection 1", "router", &[1]).await;
}

#[tokio::test]
async fn the_router_and_a_connection() {
    both("router", "connection 1", &[1]).await;
}

#[tokio::test]
async fn the_notifier_and_the_router() {
    both("notifier", "router", &[]).await;
}

#[tokio::test]
async fn the_supervisor_of_the_connections_and_the_config_actor() {
    both("connections", "config", &[1, 2]).await;
}

#[tokio::test]
async fn the_first_and_the_last_at_the_root() {
    both("control future", "notifier future", &[]).await;
}
