//! Links that are dead without a word, and the keepalive that notices.

use std::time::{Duration, Instant};

use super::{CPE, Scene};
use crate::harness::{Bystander, LIMIT, Server, on_each_server, until};

on_each_server!(the_keepalive_asks_by_stream_management, a_held_link_is_noticed, a_frozen_server_is_noticed);

/// The interval of these tests, in seconds; the answer may take as long again.
const INTERVAL: u32 = 2;
/// Within which a dead link has to be noticed: the interval, the wait for the answer, and what a busy machine takes.
const NOTICED: Duration = Duration::from_secs(2 * INTERVAL as u64 + 10);

async fn the_keepalive_asks_by_stream_management<S: Server>() {
    let scene = Scene::<S>::start(1).await;
    // The presence alone: no ping goes out.
    let transmitted = scene.daemon.count(1, "transmitted").await;
    let asked = scene.server.acknowledgement_requests();
    until("two more requests", LIMIT, || (scene.server.acknowledgement_requests() >= asked + 2).then_some(())).await;
    let status = scene.daemon.status(1).await;
    assert_eq!((status.word(), status.number("transmitted")), ("Enabled", transmitted));
    assert_eq!(scene.server.client_port(CPE), Some(scene.port));
}

async fn a_held_link_is_noticed<S: Server>() {
    let mut other = Bystander::start().await;
    let mut scene = Scene::<S>::start_beside(INTERVAL, &other.sections()).await;
    other.online().await;
    let start = Instant::now();
    scene.gate.hold();
    scene.send_request_in_vain().await;
    let lost = scene.daemon.wait_for_log(&["connection 1", "stream lost", "no sign of life"], LIMIT);
    let ((), lost) = tokio::join!(other.undisturbed(), lost);
    assert!(start.elapsed() < NOTICED, "after {:?}: {lost}", start.elapsed());
    // What was sent meanwhile is answered on the new connection.
    scene.answered_once().await;
    scene.wait_resumed().await;
    other.undisturbed().await;
}

async fn a_frozen_server_is_noticed<S: Server>() {
    let mut other = Bystander::start().await;
    let mut scene = Scene::<S>::start_beside(INTERVAL, &other.sections()).await;
    other.online().await;
    let start = Instant::now();
    scene.server.freeze();
    let lost = scene.daemon.wait_for_log(&["connection 1", "stream lost", "no sign of life"], LIMIT);
    let ((), lost) = tokio::join!(other.undisturbed(), lost);
    assert!(start.elapsed() < NOTICED, "after {:?}: {lost}", start.elapsed());
    scene.server.thaw();
    scene.wait_resumed().await;
    scene.send_request().await;
    scene.answered_once().await;
    other.undisturbed().await;
}
