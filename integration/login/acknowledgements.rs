//! TCP acknowledgements during the login.

use crate::harness::{LIMIT, Prosody, Section, Server, Setup};

/// A server with Nagle's algorithm sends its features only after its session tickets are acknowledged.
#[tokio::test]
async fn what_the_server_sends_before_its_features_is_acknowledged_at_once() {
    let server = Prosody::start(&["a.test"]).await;
    server.account("cpe@a.test");
    let connection = Section::connection(1, "cpe@a.test/wan", &server);
    let daemon = Setup::new([&Section::general(&[]), &connection, &Section::server(1, &server)]).traced().start();
    daemon.wait_for_log(&["online as"], LIMIT).await;
    let calls = daemon.trace().calls();
    let acknowledged = calls.iter().filter(|call| call.contains("TCP_QUICKACK, [1]")).count();
    // Three streams: without TLS, with TLS, and after SASL.
    assert_eq!(acknowledged, 3, "{calls:?}");
}
