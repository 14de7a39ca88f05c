//! Half-open connections, and the keepalive that notices them.

use super::{CPE, Fixture};
use crate::harness::{LIMIT, Server, UnaffectedConnection, on_each_server, until};

on_each_server!(
    the_keepalive_requests_an_acknowledgement,
    a_half_open_connection_is_noticed,
    a_frozen_server_is_noticed
);

/// The keepalive interval of these tests, in seconds; the answer may take as long again.
const INTERVAL: u32 = 4;

async fn the_keepalive_requests_an_acknowledgement<S: Server>() {
    let fixture = Fixture::<S>::start(3).await;
    // The presence only: no ping is sent.
    let transmitted = fixture.daemon.count(1, "transmitted").await;
    let asked = fixture.server.acknowledgement_requests();
    until("two more requests", LIMIT, || (fixture.server.acknowledgement_requests() >= asked + 2).then_some(())).await;
    let status = fixture.daemon.status(1).await;
    assert_eq!((status.word(), status.number("transmitted")), ("Enabled", transmitted));
    assert_eq!(fixture.server.client_port(CPE), Some(fixture.port));
}

async fn a_half_open_connection_is_noticed<S: Server>() {
    let mut other = UnaffectedConnection::start().await;
    let mut fixture = Fixture::<S>::start_beside(INTERVAL, &other.sections()).await;
    other.online().await;
    fixture.proxy.stall();
    fixture.send_request_in_vain().await;
    let lost = fixture.daemon.wait_for_log(&["connection 1", "stream lost", "nothing received"], LIMIT);
    tokio::join!(other.assert_unaffected(), lost);
    // A request sent meanwhile is answered on the new connection.
    fixture.answered_once().await;
    fixture.wait_resumed().await;
    other.assert_unaffected().await;
}

async fn a_frozen_server_is_noticed<S: Server>() {
    let mut other = UnaffectedConnection::start().await;
    let mut fixture = Fixture::<S>::start_beside(INTERVAL, &other.sections()).await;
    other.online().await;
    fixture.server.freeze();
    let lost = fixture.daemon.wait_for_log(&["connection 1", "stream lost", "nothing received"], LIMIT);
    tokio::join!(other.assert_unaffected(), lost);
    fixture.server.thaw();
    fixture.wait_resumed().await;
    fixture.send_request().await;
    fixture.answered_once().await;
    other.assert_unaffected().await;
}
