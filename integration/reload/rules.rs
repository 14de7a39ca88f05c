//! Settings of the router: they apply to the next request, and no stream is closed.

use crate::harness::notify_command::write_executable;
use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request,
};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, WriteMethod};

#[tokio::test]
async fn a_changed_allowed_jid_applies_to_the_next_request() {
    let mut fixture = Fixture::start().await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        fixture.edit_rules(|settings| settings.set("allowed_jid", "other@a.test")).await;
        assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
        assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
        fixture
            .edit_rules(|settings| settings.general = settings.general.clone().list("allowed_jid", "acs@a.test"))
            .await;
        assert_result(&fixture.ask_once(&good_request(CPE1)).await);
        fixture.edit_rules(|settings| settings.general = settings.general.clone().without("allowed_jid")).await;
        assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    }
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn a_changed_id_applies_to_the_next_request() {
    let mut fixture = Fixture::start().await;
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        fixture.edit_rules(|settings| settings.set("id", 2)).await;
        assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
        assert_result(&fixture.ask_once(&good_request(CPE2)).await);
        fixture.edit_rules(|settings| settings.set("id", 0)).await;
        assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
        fixture.edit_rules(|settings| settings.set("id", "1,2")).await;
        assert_result(&fixture.ask_once(&good_request(CPE1)).await);
        assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    }
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn changed_notify_options_apply_to_the_next_request() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("notify");
    write_executable(&script, "#!/bin/sh\n: > \"$1\"\n");
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let mut fixture = Fixture::start().await;
    fixture
        .edit_rules(|settings| {
            settings.set("notify", "command");
            settings.set("notify_command", format!("{} {}", script.display(), first.display()));
        })
        .await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert!(first.exists() && !second.exists());
    fixture
        .edit_rules(|settings| {
            settings.set("notify_command", format!("{} {}", script.display(), second.display()));
        })
        .await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert!(second.exists());
    assert_eq!(fixture.daemon.ubus().calls(), []);
    fixture.set_write_method(WriteMethod::Commit);
    fixture.edit_rules(|settings| settings.set("notify", "ubus")).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn a_changed_notify_timeout_applies_to_the_next_request() {
    let mut fixture = Fixture::start().await;
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", 100)).await;
    fixture.daemon.ubus().hold();
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["no answer on ubus within 100 ms"], LIMIT).await;
    fixture.set_write_method(WriteMethod::Commit);
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", 200)).await;
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["no answer on ubus within 200 ms"], LIMIT).await;
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn a_changed_limit_or_period_applies_to_the_next_request() {
    let mut fixture = Fixture::with(|settings| {
        settings.set("connreq_limit", 1);
        settings.set("connreq_period", 86400);
    })
    .await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
    fixture.edit_rules(|settings| settings.set("connreq_limit", 2)).await;
    assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.set_write_method(WriteMethod::Commit);
    fixture.edit_rules(|settings| settings.set("connreq_limit", 0)).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    // Notifications older than one second no longer count.
    fixture
        .edit_rules(|settings| {
            settings.set("connreq_limit", 2);
            settings.set("connreq_period", 1);
        })
        .await;
    let start = std::time::Instant::now();
    while !fixture.acs.ask(&good_request(CPE1)).await.contains(" type='result'") {
        assert!(start.elapsed() < LIMIT, "the period of before is still in force");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn changed_credentials_apply_to_the_next_request() {
    let mut fixture = Fixture::start().await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    let mark = fixture.daemon.log().mark();
    fixture.daemon.set_credentials("new-user", "new-secret").await;
    assert_not_authorized(&fixture.ask_once(&good_request(CPE1)).await);
    assert_result(&fixture.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

    fixture.daemon.cwmp().remove();
    fixture.daemon.log().wait(mark, &["WARNING", "no connection request can be authorized"], LIMIT).await;
    assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

    fixture.daemon.set_credentials("cpe-user", "cpe-secret").await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.assert_same_streams().await;
    fixture.daemon.stop_and_assert_not_logged(&["new-secret", "new-user", "cpe-secret"]).await;
}
