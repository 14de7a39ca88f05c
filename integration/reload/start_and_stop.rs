//! Connections that are added, enabled, removed and disabled.

use crate::harness::prosody::Prosody;
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

#[tokio::test]
async fn a_connection_that_is_added_is_started_and_one_that_is_removed_is_closed() {
    for how in [How::InPlace, How::Commit] {
        let mut scene = Scene::start().await;
        scene.by(how);
        let both = scene.settings.clone();
        scene.edit(|settings| {
            settings.connections.pop();
            settings.servers.pop();
        });
        scene.wait_stop(CPE2).await;
        scene.assert_same(CPE1).await;
        scene.daemon.wait_forgotten(2).await;

        scene.edit(|settings| *settings = both);
        scene.wait_start(CPE2).await;
        scene.assert_both_same().await;
        assert_result(&scene.ask_once(&good_request(CPE2)).await);
    }
}

#[tokio::test]
async fn a_third_connection_leaves_the_two_where_they_are() {
    let mut scene = Scene::start().await;
    scene.by(How::Commit);
    scene.prosody.account("cpe3@b.test");
    let jid = "cpe3@b.test/new";
    let add = |settings: &mut Settings, prosody: &Prosody| {
        // In front of the others: it is con_inst that tells them apart.
        settings.connections.insert(0, Section::connection(3, jid, prosody));
        settings.servers.insert(0, Section::server(3, prosody));
        settings.set("id", "1 2 3");
    };
    let mut new = scene.settings.clone();
    add(&mut new, &scene.prosody);
    scene.edit(|settings| *settings = new);
    scene.prosody.wait_online(jid, LIMIT).await;
    scene.assert_both_same().await;
    assert_result(&scene.ask_once(&good_request(jid)).await);
}

#[tokio::test]
async fn a_connection_that_is_disabled_is_closed_and_one_that_is_enabled_is_started() {
    for how in [How::InPlace, How::Commit] {
        let mut scene = Scene::start().await;
        scene.by(how);
        scene.edit(|settings| settings.set_connection(1, "enable", 0));
        scene.wait_stop(CPE1).await;
        scene.daemon.wait_for_value(1, "status", "Disabled").await;
        scene.assert_same(CPE2).await;

        // Not even its own account's settings matter while it is disabled.
        scene.edit(|settings| settings.set_connection(1, "interval", 30));
        scene.edit(|settings| settings.set_connection(1, "enable", "yes"));
        scene.wait_start(CPE1).await;
        scene.assert_both_same().await;
    }
}

#[tokio::test]
async fn enable_0_closes_all_connections_and_the_daemon_goes_on() {
    let mut scene = Scene::start().await;
    scene.edit(|settings| settings.set("enable", 0));
    scene.wait_stop(CPE1).await;
    scene.wait_stop(CPE2).await;
    for connection in [1, 2] {
        scene.daemon.wait_for_value(connection, "status", "Disabled").await;
    }
    assert!(scene.daemon.running());
    scene.edit(|settings| settings.set("enable", 1));
    scene.wait_start(CPE1).await;
    scene.wait_start(CPE2).await;
    scene.assert_both_same().await;
}
