//! Edits of a connection while it is on its way to the server, while it is being stopped, and while the CWMP client is told.

use super::{add_connection, remove_connection};
use crate::harness::fleet::jid;
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request, id};
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// How the file ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Present,
    Disabled,
    Gone,
}

/// Edits of connection 3, each of which has been read when the next one follows.
async fn edit_meanwhile(scene: &mut Scene, ending: Ending) {
    let whole = scene.settings.clone();
    let with = |change: fn(&mut Settings)| {
        let mut settings = whole.clone();
        change(&mut settings);
        settings
    };
    let mut steps = vec![
        with(|settings| settings.set_connection(3, "resource", "other")),
        with(|settings| settings.set_connection(3, "enable", 0)),
        with(|settings| settings.set_connection(3, "con_alias", "another")),
        with(|settings| remove_connection(settings, 3)),
        with(|settings| settings.set_connection(3, "password", "not the account's")),
        with(|settings| settings.set_connection(3, "interval", 17)),
        with(|settings| settings.set("enable", 1)),
    ];
    match ending {
        Ending::Present => steps.push(with(|settings| settings.set_connection(3, "resource", "last"))),
        Ending::Disabled => steps.push(with(|settings| settings.set_connection(3, "enable", 0))),
        Ending::Gone => steps.push(with(|settings| remove_connection(settings, 3))),
    }
    let file = scene.daemon.xmpp().path().display().to_string();
    for (n, mut settings) in steps.into_iter().enumerate() {
        // So that each reading shows itself.
        settings.set("connreq_period", 100 + n);
        scene.by(if n % 2 == 0 { How::Commit } else { How::InPlace });
        let mark = scene.edit(|present| *present = settings);
        scene.daemon.log().wait(mark, &[&file, "general settings taken over"], LIMIT).await;
    }
}

async fn scene_with_a_third() -> Scene {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    add_connection(&mut scene, 3);
    scene
}

async fn ends_as_the_file_says(mut scene: Scene) {
    scene.prosody.thaw();
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
    assert_eq!(scene.daemon.log().since(0, &["ERROR"]), [""; 0]);
}

async fn while_it_connects(ending: Ending) {
    let mut scene = scene_with_a_third().await;
    // The system accepts its connection; nobody answers on it.
    scene.prosody.freeze();
    scene.edit(|_| ());
    scene.daemon.wait_for_log(&["connection 3 ", "attempt 1 at"], LIMIT).await;
    edit_meanwhile(&mut scene, ending).await;
    ends_as_the_file_says(scene).await;
}

async fn while_it_is_stopped(ending: Ending) {
    let mut scene = scene_with_a_third().await;
    scene.edit(|_| ());
    scene.prosody.wait_online(&jid(3), LIMIT).await;
    scene.daemon.wait_for_value(3, "status", "Enabled").await;
    // It does not answer </stream:stream>.
    scene.prosody.freeze();
    let mut without = scene.settings.clone();
    remove_connection(&mut without, 3);
    scene.write(&without.text());
    scene.daemon.wait_for_log(&["connection 3 ", "closing the stream"], LIMIT).await;
    edit_meanwhile(&mut scene, ending).await;
    ends_as_the_file_says(scene).await;
}

#[tokio::test]
async fn edited_while_it_connects() {
    while_it_connects(Ending::Present).await;
}

#[tokio::test]
async fn disabled_while_it_connects() {
    while_it_connects(Ending::Disabled).await;
}

#[tokio::test]
async fn removed_while_it_connects() {
    while_it_connects(Ending::Gone).await;
}

#[tokio::test]
async fn edited_while_it_is_stopped() {
    while_it_is_stopped(Ending::Present).await;
}

#[tokio::test]
async fn disabled_while_it_is_stopped() {
    while_it_is_stopped(Ending::Disabled).await;
}

#[tokio::test]
async fn removed_while_it_is_stopped() {
    while_it_is_stopped(Ending::Gone).await;
}

/// What was granted under the old rules is answered; the next request meets the new ones.
#[tokio::test]
async fn edited_while_the_cwmp_client_is_told() {
    let mut scene = Scene::with(|settings| {
        settings.set("connreq_limit", 0);
        settings.set("notify_timeout_ms", 10_000);
    })
    .await;
    scene.daemon.ubus().hold();
    let request = good_request(CPE1);
    scene.acs.send(&request).await;
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    let file = scene.daemon.xmpp().path().display().to_string();
    for n in 0..20 {
        scene.by(if n % 2 == 0 { How::Commit } else { How::InPlace });
        let mark = scene.edit(|settings| {
            settings.set_connection(1, "con_alias", format!("told-{n}"));
            settings.set_connection(2, "con_alias", format!("told-{n}"));
            settings.set("id", "2");
            settings.set("allowed_jid", if n == 19 { "acs@a.test" } else { "other@a.test" });
        });
        scene.daemon.log().wait(mark, &[&file, "update connection 1"], LIMIT).await;
    }
    scene.daemon.ubus().release();
    assert_result(&scene.acs.expect(&id(&request)).await);
    assert_eq!(scene.daemon.ubus().calls().len(), 1);
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// The connection that the request came through starts anew meanwhile: that request gets its one answer before, and all
/// that comes later is as it should be.
#[tokio::test]
async fn started_anew_while_the_cwmp_client_is_told() {
    let mut scene = Scene::with(|settings| {
        settings.set("connreq_limit", 0);
        settings.set("notify_timeout_ms", 10_000);
    })
    .await;
    scene.daemon.ubus().hold();
    let request = good_request(CPE2);
    scene.acs.send(&request).await;
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    scene.edit(|settings| settings.set_connection(2, "resource", "new"));
    assert_unavailable(&scene.acs.expect(&id(&request)).await);
    scene.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "the stream is closed"], LIMIT).await;
    scene.wait_restart(CPE2, "cpe2@a.test/new").await;
    scene.daemon.ubus().release();
    scene.daemon.wait_for_value(2, "accepted", "1").await;
    assert_eq!(scene.uninvited(CPE1).await, [""; 0], "a second answer");
    scene.wait_file_runs().await;
    scene.assert_same(CPE1).await;
    scene.assert_never_cut(CPE1);
}
