//! Settings that are taken over while the stream stays up.

use crate::harness::prosody::PASSWORD;
use crate::harness::uci::Section;
use crate::harness::{CPE1, How, LIMIT, Scene, Status};

/// Edits connection 1 and waits until the edit has reached it; both streams stay.
async fn change(scene: &mut Scene, option: &str, value: &str) {
    let mark = scene.edit(|settings| settings.set_connection(1, option, value));
    scene.daemon.log().wait(mark, &["connection 1", "settings taken over in place"], LIMIT).await;
    scene.assert_both_same().await;
}

#[tokio::test]
async fn interval_and_the_pings_follow_it() {
    let mut scene = Scene::with(|settings| settings.set_connection(1, "interval", 0)).await;
    // Without anything that arrives from elsewhere, what is sent is pings.
    let sent = scene.daemon.count(1, "transmitted").await;
    let mark = scene.edit(|settings| settings.set_connection(1, "interval", 1));
    scene.daemon.log().wait(mark, &["connection 1", "settings taken over in place"], LIMIT).await;
    let pinged = |status: &Status| status.number::<u64>("transmitted") >= sent + 2;
    scene.daemon.wait_for_status(1, "two pings", pinged).await;
    scene.assert_both_same().await;
    // A sign of life is awaited for no longer than the interval: both of them were answered.
    scene.by(How::Commit);
    change(&mut scene, "interval", "-1").await;
    scene.edit(|settings| settings.connections[0] = settings.connections[0].clone().without("interval"));
    change(&mut scene, "interval", "300").await;
}

#[tokio::test]
async fn attempt_and_the_retry_options() {
    let mut scene = Scene::start().await;
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        let other = u32::from(matches!(how, How::Commit));
        for (option, value) in [
            ("attempt", 3 + other),
            ("initial_retry_interval", 20 + other),
            ("retry_interval_multiplier", 3000 + other),
            ("retry_max_interval", 4_000_000_000 + other),
        ] {
            change(&mut scene, option, &value.to_string()).await;
        }
    }
    // Nothing but these edits has happened to them.
    let bound = |event: &crate::harness::sessions::Event| event.jid.starts_with("cpe");
    assert_eq!(scene.prosody.events().into_iter().filter(bound).count(), 2);
}

#[tokio::test]
async fn a_wait_of_hours_ends_with_the_options_that_made_it() {
    let mut scene = Scene::start().await;
    let mut third = Section::connection(3, "cpe3@a.test/r", &scene.prosody)
        .option("initial_retry_interval", 65535)
        .option("retry_max_interval", 65535);
    let server = Section::server(3, &scene.prosody);
    let (connection, row) = (third.clone(), server.clone());
    scene.edit(|settings| {
        settings.connections.push(connection);
        settings.servers.push(row);
    });
    scene.daemon.wait_for_value(3, "status", "Error_AuthenticationFailure").await;
    scene.prosody.account_with("cpe3@a.test", PASSWORD);
    let wait = scene.status(3).await.next_attempt().unwrap();
    assert!(wait > 30_000.0, "{wait}");
    third = third.option("initial_retry_interval", 1).option("retry_max_interval", 1);
    scene.edit(|settings| settings.connections[2] = third);
    scene.prosody.wait_online("cpe3@a.test/r", LIMIT).await;
    scene.assert_both_same().await;
}

#[tokio::test]
async fn aliases_of_the_connection_and_of_its_server() {
    let mut scene = Scene::start().await;
    assert_eq!(scene.status(1).await["alias"], "cpe-1");
    for (how, alias) in [(How::InPlace, "Home"), (How::Commit, "Büro")] {
        scene.by(how);
        scene.edit(|settings| settings.set_connection(1, "con_alias", alias));
        scene.daemon.wait_for_value(1, "alias", alias).await;
        assert_eq!(scene.status(2).await["alias"], "cpe-2");
        scene.assert_both_same().await;

        let mark = scene.edit(|settings| settings.set_server(1, "con_srv_alias", alias));
        let said = ["connection 1", alias, "settings taken over in place"];
        scene.daemon.log().wait(mark, &said, LIMIT).await;
        scene.assert_both_same().await;
    }
    // A disabled one shows it too.
    scene.edit(|settings| settings.set_connection(1, "enable", 0));
    scene.wait_stop(CPE1).await;
    scene.edit(|settings| settings.set_connection(1, "con_alias", "Asleep"));
    scene.daemon.wait_for_value(1, "alias", "Asleep").await;
}
