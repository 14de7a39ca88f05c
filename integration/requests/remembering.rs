//! What was asked is not forgotten when something goes wrong in between.

use super::assert_told;
use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request,
};
use crate::harness::{CPE1, CPE2, LIMIT, Scene};

#[tokio::test]
async fn a_crash_ends_no_lock_out_and_no_limit() {
    for actor in ["notifier", "router"] {
        let mut scene = Scene::with(|settings| {
            settings.set("connreq_limit", 1);
            settings.set("connreq_period", 86400);
        })
        .await;
        let mut guesser = scene.prosody.wire("guesser@a.test/r").await;
        for _ in 0..5 {
            assert_not_authorized(&guesser.ask(&connection_request(CPE1, "cpe-user", "guess")).await);
        }
        assert_result(&scene.ask_once(&good_request(CPE1)).await);
        let mark = scene.daemon.log().mark();
        scene.daemon.crash(actor).await;
        scene.daemon.log().wait(mark, &["child crashed", &format!("child={actor} ")], LIMIT).await;
        assert_unavailable(&guesser.ask(&good_request(CPE1)).await);
        assert_eq!(scene.daemon.count(1, "refused_locked").await, 1, "after the {actor}'s crash");
        assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
        assert_eq!(scene.daemon.count(2, "refused_limit").await, 1, "after the {actor}'s crash");
        assert_told(&scene, 1);
        scene.assert_both_same().await;
    }
}

/// The answer belongs to a stream that is gone; what happened is counted all the same.
#[tokio::test]
async fn a_request_whose_stream_goes_while_it_is_decided_is_counted() {
    let mut scene = Scene::with(|settings| settings.set("notify_timeout_ms", 10000)).await;
    scene.daemon.ubus().hold();
    scene.acs.send(&good_request(CPE1)).await;
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    scene.daemon.crash("connection 1").await;
    let before = scene.stream(CPE1).clone();
    crate::harness::until("another stream", LIMIT, || {
        scene.prosody.sessions().remove(CPE1).filter(|session| *session != before)
    })
    .await;
    scene.daemon.ubus().release();
    scene.daemon.wait_for_value(1, "accepted", "1").await;
    scene.daemon.wait_for_log(&["NOTICE", "connection request from acs@a.test/r accepted"], LIMIT).await;
    assert_told(&scene, 1);
    assert_eq!(scene.daemon.count(1, "notify_failed").await, 0);
}
