//! A connection request end to end: from the ACS to the CWMP client, and back.

use connreq::{Answer, Credentials};

use crate::harness::{Daemon, LIMIT, Prosody, Section, Server, SessionEnd};

#[tokio::test]
async fn a_connection_request_notifies_the_cwmp_client_and_is_then_answered() {
    let prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe@a.test");
    let mut daemon = Daemon::start(&[
        Section::general(&[1]).list("allowed_jid", "acs@a.test"),
        Section::connection(1, "cpe@a.test/wan", &prosody),
        Section::server(1, &prosody),
    ]);
    prosody.wait_online("cpe@a.test/wan", LIMIT).await;

    let mut acs = prosody.acs("acs@a.test/r").await;
    let to = "cpe@a.test/wan".parse().unwrap();
    let answer = acs.request(&to, &Credentials::new("cpe-user", "cpe-secret"), LIMIT).await;
    assert!(matches!(answer, Answer::Result { .. }), "{answer:?}");
    let calls = daemon.ubus().calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].announces_a_request(), "{calls:?}");
    assert_eq!(calls[0].status, Some(0), "answered before the CWMP client was told");

    let status = daemon.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(prosody.wait_gone("cpe@a.test/wan", LIMIT).await, Some(SessionEnd::ByClient));
}
