//! Two actors that panic in the same turn of the event loop.

use super::fixture::{PANICKED, assert_no_secrets};
use crate::harness::fleet::{accepted, session, wait_reconnected};
use crate::harness::{LIMIT, Prosody, Server, Settings, until};

/// Two panics are logged in two lines; the connections in `back` reconnect, the others keep their streams.
async fn both(one: &str, other: &str, back: &[u32]) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Settings::fleet(2, &[1, 2], &prosody).start(&prosody).await;
    let (pid, mark) = (daemon.pid(), daemon.log().mark());
    daemon.crash(&format!("{one}, {other}")).await;
    until("both panics", LIMIT, || (daemon.log().since(mark, &[PANICKED]).len() >= 2).then_some(())).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for (id, before) in &before {
        if back.contains(id) {
            wait_reconnected(&prosody, *id, before).await;
        } else {
            assert_eq!(session(&prosody, *id).as_ref(), Some(before), "connection {id}");
        }
        daemon.wait_for_value(*id, "status", "Enabled").await;
        accepted(&mut acs, *id).await;
    }
    let lines = daemon.log().since(mark, &[PANICKED]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(daemon.running());
    assert_eq!(daemon.pid(), pid);
    assert_no_secrets(&daemon);
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
