//! What is kept of the requests so far (lock-outs, limit, counts) when an actor or a stream fails.

use super::assert_notified;
use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request,
};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Server};

#[tokio::test]
async fn lockouts_and_limits_survive_a_crash() {
    for actor in ["notifier", "router"] {
        let mut fixture = Fixture::with(|settings| {
            settings.set("connreq_limit", 1);
            settings.set("connreq_period", 86400);
        })
        .await;
        let mut guesser = fixture.prosody.raw_client("guesser@a.test/r").await;
        for _ in 0..5 {
            assert_not_authorized(&guesser.ask(&connection_request(CPE1, "cpe-user", "guess")).await);
        }
        assert_result(&fixture.ask_once(&good_request(CPE1)).await);
        let mark = fixture.daemon.log().mark();
        fixture.daemon.crash(actor).await;
        fixture.daemon.log().wait(mark, &["child crashed", &format!("child={actor} ")], LIMIT).await;
        assert_unavailable(&guesser.ask(&good_request(CPE1)).await);
        assert_eq!(fixture.daemon.count(1, "refused_locked").await, 1, "after the {actor}'s crash");
        assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
        assert_eq!(fixture.daemon.count(2, "refused_limit").await, 1, "after the {actor}'s crash");
        assert_notified(&fixture, 1);
        fixture.assert_same_streams().await;
    }
}

/// The answer belongs to a lost stream, but the request is counted.
#[tokio::test]
async fn a_request_is_counted_if_its_stream_is_lost_before_the_answer() {
    let mut fixture = Fixture::start().await;
    fixture.daemon.ubus().hold();
    fixture.acs.send(&good_request(CPE1)).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    fixture.daemon.crash("connection 1").await;
    let before = fixture.stream(CPE1).clone();
    crate::harness::until("another stream", LIMIT, || {
        fixture.prosody.sessions().remove(CPE1).filter(|session| *session != before)
    })
    .await;
    fixture.daemon.ubus().release();
    fixture.daemon.wait_for_value(1, "accepted", "1").await;
    fixture.daemon.wait_for_log(&["NOTICE", "connection request from acs@a.test/r accepted"], LIMIT).await;
    assert_notified(&fixture, 1);
    assert_eq!(fixture.daemon.count(1, "notify_failed").await, 0);
}
