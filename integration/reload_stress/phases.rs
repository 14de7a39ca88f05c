//! Edits of a connection while it is connecting, while it is stopping, and while the CWMP client is notified.

use super::add_connection;
use crate::harness::fleet::jid;
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request, id};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Server, Settings, WriteMethod};

/// The last state of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Present,
    Disabled,
    Gone,
}

/// Edits connection 3 repeatedly; each edit has been read before the next one follows.
async fn edit_meanwhile(fixture: &mut Fixture, ending: Ending) {
    let whole = fixture.settings.clone();
    let with = |change: fn(&mut Settings)| {
        let mut settings = whole.clone();
        change(&mut settings);
        settings
    };
    let mut steps = vec![
        with(|settings| settings.set_connection(3, "resource", "other")),
        with(|settings| settings.set_connection(3, "enable", 0)),
        with(|settings| settings.set_connection(3, "con_alias", "another")),
        with(|settings| settings.remove(3)),
        with(|settings| settings.set_connection(3, "password", "not the account's")),
        with(|settings| settings.set_connection(3, "interval", 17)),
        with(|settings| settings.set("enable", 1)),
    ];
    match ending {
        Ending::Present => steps.push(with(|settings| settings.set_connection(3, "resource", "last"))),
        Ending::Disabled => steps.push(with(|settings| settings.set_connection(3, "enable", 0))),
        Ending::Gone => steps.push(with(|settings| settings.remove(3))),
    }
    let file = fixture.daemon.xmpp().path().display().to_string();
    for (n, mut settings) in steps.into_iter().enumerate() {
        // Another period each time, so that each reading shows.
        settings.set("connreq_period", 100 + n);
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::Commit } else { WriteMethod::InPlace });
        let mark = fixture.edit(|present| *present = settings);
        fixture.daemon.log().wait(mark, &[&file, "general settings applied"], LIMIT).await;
    }
}

async fn fixture_with_a_third() -> Fixture {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    add_connection(&mut fixture, 3);
    fixture
}

async fn ends_as_the_file_says(mut fixture: Fixture) {
    fixture.prosody.thaw();
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
    assert_eq!(fixture.daemon.log().since(0, &["ERROR"]), [""; 0]);
}

async fn while_it_connects(ending: Ending) {
    let mut fixture = fixture_with_a_third().await;
    // The kernel accepts its connection; nothing answers.
    fixture.prosody.freeze();
    fixture.edit(|_| ());
    fixture.daemon.wait_for_log(&["connection 3 ", "pass 1: attempting"], LIMIT).await;
    edit_meanwhile(&mut fixture, ending).await;
    ends_as_the_file_says(fixture).await;
}

async fn while_it_is_stopped(ending: Ending) {
    let mut fixture = fixture_with_a_third().await;
    fixture.edit(|_| ());
    fixture.prosody.wait_online(&jid(3), LIMIT).await;
    fixture.daemon.wait_for_value(3, "status", "Enabled").await;
    // The server does not answer </stream:stream>.
    fixture.prosody.freeze();
    let mut without = fixture.settings.clone();
    without.remove(3);
    fixture.write(&without.text());
    fixture.daemon.wait_for_log(&["connection 3 ", "closing the stream"], LIMIT).await;
    edit_meanwhile(&mut fixture, ending).await;
    ends_as_the_file_says(fixture).await;
}

#[tokio::test]
async fn an_edit_while_connecting_is_applied() {
    while_it_connects(Ending::Present).await;
}

#[tokio::test]
async fn a_connection_can_be_disabled_while_connecting() {
    while_it_connects(Ending::Disabled).await;
}

#[tokio::test]
async fn a_connection_can_be_removed_while_connecting() {
    while_it_connects(Ending::Gone).await;
}

#[tokio::test]
async fn an_edit_while_stopping_is_applied() {
    while_it_is_stopped(Ending::Present).await;
}

#[tokio::test]
async fn a_connection_can_be_disabled_while_stopping() {
    while_it_is_stopped(Ending::Disabled).await;
}

#[tokio::test]
async fn a_connection_can_be_removed_while_stopping() {
    while_it_is_stopped(Ending::Gone).await;
}

/// A request granted under the old rules is answered; the next one is checked against the new ones.
#[tokio::test]
async fn an_edit_during_a_notification_applies_to_the_next_request() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    fixture.daemon.ubus().hold();
    let request = good_request(CPE1);
    fixture.acs.send(&request).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    let file = fixture.daemon.xmpp().path().display().to_string();
    // So few that all are applied before the notification times out after 10 s; each takes more than 0.1 s.
    for n in 0..8 {
        fixture.set_write_method(if n % 2 == 0 { WriteMethod::Commit } else { WriteMethod::InPlace });
        let mark = fixture.edit(|settings| {
            settings.set_connection(1, "con_alias", format!("told-{n}"));
            settings.set_connection(2, "con_alias", format!("told-{n}"));
            settings.set("id", "2");
            settings.set("allowed_jid", if n == 7 { "acs@a.test" } else { "other@a.test" });
        });
        fixture.daemon.log().wait(mark, &[&file, "update connection 1"], LIMIT).await;
    }
    fixture.daemon.ubus().release();
    assert_result(&fixture.acs.expect(&id(&request)).await);
    assert_eq!(fixture.daemon.ubus().calls().len(), 1);
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// The connection through which the request came restarts meanwhile: the request gets its one answer before, and later
/// requests work.
#[tokio::test]
async fn a_restart_during_a_notification_comes_after_the_answer() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    fixture.daemon.ubus().hold();
    let request = good_request(CPE2);
    fixture.acs.send(&request).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    fixture.edit(|settings| settings.set_connection(2, "resource", "new"));
    assert_unavailable(&fixture.acs.expect(&id(&request)).await);
    fixture.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "the stream is being closed"], LIMIT).await;
    fixture.wait_restart(CPE2, "cpe2@a.test/new").await;
    fixture.daemon.ubus().release();
    fixture.daemon.wait_for_value(2, "accepted", "1").await;
    assert_eq!(fixture.unsolicited(CPE1).await, [""; 0], "a second answer");
    fixture.wait_file_applied().await;
    fixture.assert_same_stream(CPE1).await;
    fixture.assert_never_disconnected(CPE1);
}
