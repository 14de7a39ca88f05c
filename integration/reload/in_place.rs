//! Settings that are applied without closing the stream.

use crate::harness::{CPE1, Fixture, LIMIT, Server, Settings, Status, WriteMethod};

/// Edits connection 1 and waits until the edit is applied. Fails unless both streams stay up.
async fn change(fixture: &mut Fixture, option: &str, value: &str) {
    let mark = fixture.edit(|settings| settings.set_connection(1, option, value));
    fixture.daemon.log().wait(mark, &["connection 1", "settings applied in place"], LIMIT).await;
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn a_changed_interval_changes_when_pings_are_sent() {
    let mut fixture = Fixture::with(|settings| settings.set_connection(1, "interval", 0)).await;
    // Nothing else makes the connection send stanzas.
    let sent = fixture.daemon.count(1, "transmitted").await;
    // The answer may take as long as the interval.
    let mark = fixture.edit(|settings| settings.set_connection(1, "interval", 3));
    fixture.daemon.log().wait(mark, &["connection 1", "settings applied in place"], LIMIT).await;
    let pinged = |status: &Status| status.number::<u64>("transmitted") >= sent + 2;
    fixture.daemon.wait_for_status(1, "two pings", pinged).await;
    fixture.assert_same_streams().await;
    // An unanswered ping would have ended the stream after another interval.
    fixture.set_write_method(WriteMethod::Commit);
    change(&mut fixture, "interval", "-1").await;
    fixture.edit(|settings| settings.connections[0] = settings.connections[0].clone().without("interval"));
    change(&mut fixture, "interval", "300").await;
}

#[tokio::test]
async fn attempt_and_the_retry_options_are_applied_in_place() {
    let mut fixture = Fixture::start().await;
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        let other = u32::from(matches!(method, WriteMethod::Commit));
        for (option, value) in [
            ("attempt", 3 + other),
            ("initial_retry_interval", 20 + other),
            ("retry_interval_multiplier", 3000 + other),
            ("retry_max_interval", 4_000_000_000 + other),
        ] {
            change(&mut fixture, option, &value.to_string()).await;
        }
    }
    // The two logins at the start are the only events.
    let is_own = |event: &crate::harness::sessions::Event| event.jid.starts_with("cpe");
    assert_eq!(fixture.prosody.events().into_iter().filter(is_own).count(), 2);
}

#[tokio::test]
async fn changed_retry_options_shorten_a_wait_of_hours() {
    let mut fixture = Fixture::start().await;
    fixture.settings.add(3, "cpe3@a.test/r", &fixture.prosody);
    let wait = |settings: &mut Settings, seconds: u32| {
        for option in ["initial_retry_interval", "retry_max_interval"] {
            settings.set_connection(3, option, seconds);
        }
    };
    fixture.edit(|settings| wait(settings, 65535));
    fixture.daemon.wait_for_value(3, "status", "Error_AuthenticationFailure").await;
    fixture.prosody.account("cpe3@a.test");
    let next = fixture.status(3).await.next_attempt().unwrap();
    assert!(next > 30_000.0, "{next}");
    fixture.edit(|settings| wait(settings, 1));
    fixture.prosody.wait_online("cpe3@a.test/r", LIMIT).await;
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn aliases_are_applied_in_place() {
    let mut fixture = Fixture::start().await;
    assert_eq!(fixture.status(1).await["alias"], "cpe-1");
    for (method, alias) in [(WriteMethod::InPlace, "Home"), (WriteMethod::Commit, "Büro")] {
        fixture.set_write_method(method);
        fixture.edit(|settings| settings.set_connection(1, "con_alias", alias));
        fixture.daemon.wait_for_value(1, "alias", alias).await;
        assert_eq!(fixture.status(2).await["alias"], "cpe-2");
        fixture.assert_same_streams().await;

        let mark = fixture.edit(|settings| settings.set_server(1, "con_srv_alias", alias));
        let logged = ["connection 1", alias, "settings applied in place"];
        fixture.daemon.log().wait(mark, &logged, LIMIT).await;
        fixture.assert_same_streams().await;
    }
    // The alias of a disabled connection is shown too.
    fixture.edit(|settings| settings.set_connection(1, "enable", 0));
    fixture.wait_stop(CPE1).await;
    fixture.edit(|settings| settings.set_connection(1, "con_alias", "Asleep"));
    fixture.daemon.wait_for_value(1, "alias", "Asleep").await;
}
