//! Senders of connection requests, and the connections that accept them.

use super::assert_notified;
use crate::harness::prosody::Prosody;
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request, id};
use crate::harness::{CPE1, CPE2, Daemon, Fixture, LIMIT, RawClient, Server, Settings};

/// Starts a server with a second host whose name begins like `a.test`, and connection 1 with these rules.
async fn start(change: impl FnOnce(&mut Settings)) -> (Prosody, Daemon) {
    let prosody = Prosody::start(&["a.test", "a.test.evil.test", "evil-a.test"]).await;
    prosody.account("cpe1@a.test");
    let mut settings = Settings::two(&prosody);
    settings.remove(2);
    settings.set("id", 1);
    change(&mut settings);
    let daemon = Daemon::start(settings.sections());
    prosody.wait_online(CPE1, LIMIT).await;
    (prosody, daemon)
}

async fn ask_as(prosody: &Prosody, jid: &str) -> String {
    let mut sender: RawClient = prosody.raw_client(jid).await;
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
async fn an_allowed_bare_jid_matches_any_resource_but_no_similar_jid() {
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
    daemon.stop_and_assert_not_logged(&["cpe-secret", crate::harness::prosody::PASSWORD]).await;
    for stranger in STRANGERS {
        let refused = daemon.log().since(0, &["NOTICE", "connection 1", &format!(" {stranger} "), "refused"]);
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
}

#[tokio::test]
async fn an_allowed_full_jid_matches_only_itself_and_a_domain_not_its_users() {
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
async fn without_allowed_jid_all_senders_are_allowed() {
    let (prosody, daemon) = start(|_| {}).await;
    for stranger in &STRANGERS[..2] {
        assert_result(&ask_as(&prosody, stranger).await);
    }
    assert_eq!(daemon.ubus().calls().len(), 2);
}

#[tokio::test]
async fn only_the_listed_connections_accept_requests() {
    let mut fixture = Fixture::with(|settings| settings.set("id", 2)).await;
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 0);
    assert_eq!(fixture.daemon.count(1, "refused_disabled").await, 1);
    assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    assert_notified(&fixture, 1);
}

#[tokio::test]
async fn five_wrong_credentials_lock_the_sender_out() {
    let mut fixture = Fixture::start().await;
    let wrong = || crate::harness::stanzas::connection_request(CPE1, "cpe-user", "guess");
    for _ in 0..5 {
        crate::harness::stanzas::assert_not_authorized(&fixture.acs.ask(&wrong()).await);
    }
    // On neither connection, and with no resource.
    let mut again = fixture.prosody.raw_client("acs@a.test/again").await;
    for request in [good_request(CPE1), wrong(), good_request(CPE2)] {
        let answer = again.ask(&request).await;
        assert!(answer.contains(&id(&request)));
        assert_unavailable(&answer);
    }
    assert_notified(&fixture, 0);
    assert_eq!(fixture.daemon.count(1, "refused_locked").await, 2);
    assert_result(&fixture.prosody.raw_client("other@a.test/r").await.ask(&good_request(CPE1)).await);
    assert_notified(&fixture, 1);
}
