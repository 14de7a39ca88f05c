//! Who may send connection requests, and to which connections.

use super::assert_told;
use crate::harness::prosody::Prosody;
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request, id};
use crate::harness::{CPE1, CPE2, Daemon, LIMIT, Scene, Wire};

/// A server with a neighbour whose name begins like `a.test`, and connection 1 on it with these rules.
async fn start(change: impl FnOnce(&mut Settings)) -> (Prosody, Daemon) {
    let prosody = Prosody::start(&["a.test", "a.test.evil.test", "evil-a.test"]).await;
    prosody.account("cpe1@a.test");
    let mut settings = Settings::two(&prosody);
    settings.connections.pop();
    settings.servers.pop();
    settings.set("id", 1);
    change(&mut settings);
    let daemon = Daemon::start(settings.sections());
    prosody.wait_online(CPE1, LIMIT).await;
    (prosody, daemon)
}

async fn ask_as(prosody: &Prosody, jid: &str) -> String {
    let mut sender: Wire = prosody.wire(jid).await;
    let answer = sender.ask(&good_request(CPE1)).await;
    sender.close().await;
    answer
}

const STRANGERS: [&str; 6] = [
    "acs@a.test.evil.test/any",
    "acs2@a.test/any",
    "xacs@a.test/any",
    "ac@a.test/any",
    "acs@evil-a.test/any",
    "x@a.test.evil.test/acs@a.test",
];

#[tokio::test]
async fn a_bare_jid_passes_with_any_resource_and_nobody_with_a_name_like_it() {
    let (prosody, mut daemon) = start(|settings| {
        settings.general = settings.general.clone().list("allowed_jid", "acs@a.test");
    })
    .await;
    for (n, stranger) in STRANGERS.iter().enumerate() {
        assert_unavailable(&ask_as(&prosody, stranger).await);
        assert_eq!(daemon.count(1, "refused_sender").await, 1 + n as u64);
    }
    assert!(daemon.ubus().calls().is_empty());
    for resource in ["any", "other"] {
        assert_result(&ask_as(&prosody, &format!("acs@a.test/{resource}")).await);
    }
    assert_eq!(daemon.ubus().calls().len(), 2);
    assert_eq!(daemon.count(1, "accepted").await, 2);
    daemon.stop_and_look_for(&["cpe-secret", crate::harness::prosody::PASSWORD]).await;
    for stranger in STRANGERS {
        let refused = daemon.log().since(0, &["NOTICE", "connection 1", &format!(" {stranger} "), "refused"]);
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
}

#[tokio::test]
async fn a_full_jid_passes_alone_and_a_domain_is_not_its_users() {
    let (prosody, daemon) =
        start(|settings| settings.set("allowed_jid", "ACS@A.test/one,a.test.evil.test  cpe2@a.test")).await;
    assert_result(&ask_as(&prosody, "acs@a.test/one").await);
    assert_unavailable(&ask_as(&prosody, "acs@a.test/two").await);
    assert_unavailable(&ask_as(&prosody, "acs@a.test/One").await);
    assert_unavailable(&ask_as(&prosody, "acs@a.test.evil.test/one").await);
    assert_result(&ask_as(&prosody, "cpe2@a.test/any").await);
    assert_eq!(daemon.ubus().calls().len(), 2);
}

#[tokio::test]
async fn without_a_list_everyone_passes() {
    let (prosody, daemon) = start(|_| {}).await;
    for stranger in &STRANGERS[..2] {
        assert_result(&ask_as(&prosody, stranger).await);
    }
    assert_eq!(daemon.ubus().calls().len(), 2);
}

#[tokio::test]
async fn only_the_listed_connections_accept_requests() {
    let mut scene = Scene::with(|settings| settings.set("id", 2)).await;
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 0);
    assert_eq!(scene.daemon.count(1, "refused_disabled").await, 1);
    assert_result(&scene.ask_once(&good_request(CPE2)).await);
    assert_told(&scene, 1);
}

#[tokio::test]
async fn who_gives_wrong_credentials_five_times_is_not_listened_to_any_more() {
    let mut scene = Scene::start().await;
    let wrong = || crate::harness::stanzas::connection_request(CPE1, "cpe-user", "guess");
    for _ in 0..5 {
        crate::harness::stanzas::assert_not_authorized(&scene.acs.ask(&wrong()).await);
    }
    // Neither on this connection nor on the other one, and not with another resource.
    let mut again = scene.prosody.wire("acs@a.test/again").await;
    for request in [good_request(CPE1), wrong(), good_request(CPE2)] {
        let answer = again.ask(&request).await;
        assert!(answer.contains(&id(&request)));
        assert_unavailable(&answer);
    }
    assert_told(&scene, 0);
    assert_eq!(scene.daemon.count(1, "refused_locked").await, 2);
    assert_result(&scene.prosody.wire("other@a.test/r").await.ask(&good_request(CPE1)).await);
    assert_told(&scene, 1);
}
