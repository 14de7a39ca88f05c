//! What the router goes by: the next request is treated accordingly, and no stream is touched.

use std::os::unix::fs::PermissionsExt;

use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request,
};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

#[tokio::test]
async fn allowed_jid() {
    let mut scene = Scene::start().await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        scene.edit_rules(|settings| settings.set("allowed_jid", "other@a.test")).await;
        assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
        assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
        scene
            .edit_rules(|settings| settings.general = settings.general.clone().list("allowed_jid", "acs@a.test"))
            .await;
        assert_result(&scene.ask_once(&good_request(CPE1)).await);
        scene.edit_rules(|settings| settings.general = settings.general.clone().without("allowed_jid")).await;
        assert_result(&scene.ask_once(&good_request(CPE2)).await);
    }
    scene.assert_both_same().await;
}

#[tokio::test]
async fn id() {
    let mut scene = Scene::start().await;
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        scene.edit_rules(|settings| settings.set("id", 2)).await;
        assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
        assert_result(&scene.ask_once(&good_request(CPE2)).await);
        scene.edit_rules(|settings| settings.set("id", 0)).await;
        assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
        scene.edit_rules(|settings| settings.set("id", "1,2")).await;
        assert_result(&scene.ask_once(&good_request(CPE1)).await);
        assert_result(&scene.ask_once(&good_request(CPE2)).await);
    }
    scene.assert_both_same().await;
}

#[tokio::test]
async fn the_way_in_which_the_cwmp_client_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("tell");
    std::fs::write(&script, "#!/bin/sh\n: > \"$1\"\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let mut scene = Scene::start().await;
    scene
        .edit_rules(|settings| {
            settings.set("notify", "command");
            settings.set("notify_command", format!("{} {}", script.display(), first.display()));
        })
        .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert!(first.exists() && !second.exists());
    scene
        .edit_rules(|settings| {
            settings.set("notify_command", format!("{} {}", script.display(), second.display()));
        })
        .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert!(second.exists());
    assert_eq!(scene.daemon.ubus().calls(), []);
    scene.by(How::Commit);
    scene.edit_rules(|settings| settings.set("notify", "ubus")).await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    scene.assert_both_same().await;
}

#[tokio::test]
async fn the_time_that_the_cwmp_client_may_take() {
    let mut scene = Scene::with(|settings| settings.set("notify_timeout_ms", 10000)).await;
    scene.edit_rules(|settings| settings.set("notify_timeout_ms", 100)).await;
    scene.daemon.ubus().hold();
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.wait_for_log(&["no answer on ubus within 100 ms"], LIMIT).await;
    scene.by(How::Commit);
    scene.edit_rules(|settings| settings.set("notify_timeout_ms", 200)).await;
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.wait_for_log(&["no answer on ubus within 200 ms"], LIMIT).await;
    scene.assert_both_same().await;
}

#[tokio::test]
async fn the_limit_and_its_period() {
    let mut scene = Scene::with(|settings| {
        settings.set("connreq_limit", 1);
        settings.set("connreq_period", 86400);
    })
    .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
    scene.edit_rules(|settings| settings.set("connreq_limit", 2)).await;
    assert_result(&scene.ask_once(&good_request(CPE2)).await);
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    scene.by(How::Commit);
    scene.edit_rules(|settings| settings.set("connreq_limit", 0)).await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    // What was told a second ago is no longer of this period.
    scene
        .edit_rules(|settings| {
            settings.set("connreq_limit", 2);
            settings.set("connreq_period", 1);
        })
        .await;
    let start = std::time::Instant::now();
    while !scene.acs.ask(&good_request(CPE1)).await.contains(" type='result'") {
        assert!(start.elapsed() < LIMIT, "the period of before is still in force");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    scene.assert_both_same().await;
}

#[tokio::test]
async fn the_credentials_of_the_cwmp_file() {
    let mut scene = Scene::start().await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    let new = uci::text([&Section::cpe("new-user", "new-secret")]);
    let mark = scene.daemon.log().mark();
    scene.daemon.cwmp().write_in_place(&new);
    scene.daemon.log().wait(mark, &["credentials taken over"], LIMIT).await;
    assert_not_authorized(&scene.ask_once(&good_request(CPE1)).await);
    assert_result(&scene.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

    scene.daemon.cwmp().remove();
    scene.daemon.log().wait(mark, &["WARNING", "no connection request can be authorized"], LIMIT).await;
    assert_not_authorized(&scene.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

    let mark = scene.daemon.log().mark();
    scene.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
    scene.daemon.log().wait(mark, &["credentials taken over"], LIMIT).await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene.assert_both_same().await;
    scene.daemon.stop_and_look_for(&["new-secret", "new-user", "cpe-secret"]).await;
}
