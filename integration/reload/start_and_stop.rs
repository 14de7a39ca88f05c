//! Connections that are added, enabled, removed or disabled.

use crate::harness::prosody::Prosody;
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Server, Settings, WriteMethod};

#[tokio::test]
async fn an_added_connection_is_started_and_a_removed_one_is_stopped() {
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let mut fixture = Fixture::start().await;
        fixture.set_write_method(method);
        let both = fixture.settings.clone();
        fixture.edit(|settings| settings.remove(2));
        fixture.wait_stop(CPE2).await;
        fixture.assert_same_stream(CPE1).await;
        fixture.daemon.wait_removed(2).await;

        fixture.edit(|settings| *settings = both);
        fixture.wait_start(CPE2).await;
        fixture.assert_same_streams().await;
        assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    }
}

#[tokio::test]
async fn adding_a_connection_does_not_affect_the_others() {
    let mut fixture = Fixture::start().await;
    fixture.set_write_method(WriteMethod::Commit);
    fixture.prosody.account("cpe3@b.test");
    let jid = "cpe3@b.test/new";
    let add = |settings: &mut Settings, prosody: &Prosody| {
        // It is first in the file: connections are identified by con_inst, not by position.
        settings.connections.insert(0, Section::connection(3, jid, prosody));
        settings.servers.insert(0, Section::server(3, prosody));
        settings.set("id", "1 2 3");
    };
    let mut new = fixture.settings.clone();
    add(&mut new, &fixture.prosody);
    fixture.edit(|settings| *settings = new);
    fixture.prosody.wait_online(jid, LIMIT).await;
    fixture.assert_same_streams().await;
    assert_result(&fixture.ask_once(&good_request(jid)).await);
}

#[tokio::test]
async fn a_disabled_connection_is_stopped_and_an_enabled_one_is_started() {
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let mut fixture = Fixture::start().await;
        fixture.set_write_method(method);
        fixture.edit(|settings| settings.set_connection(1, "enable", 0));
        fixture.wait_stop(CPE1).await;
        fixture.daemon.wait_for_value(1, "status", "Disabled").await;
        fixture.assert_same_stream(CPE2).await;

        // Edits of a disabled connection have no effect.
        fixture.edit(|settings| settings.set_connection(1, "interval", 30));
        fixture.edit(|settings| settings.set_connection(1, "enable", "yes"));
        fixture.wait_start(CPE1).await;
        fixture.assert_same_streams().await;
    }
}

#[tokio::test]
async fn enable_0_stops_all_connections_but_not_the_daemon() {
    let mut fixture = Fixture::start().await;
    fixture.edit(|settings| settings.set("enable", 0));
    fixture.wait_stop(CPE1).await;
    fixture.wait_stop(CPE2).await;
    for connection in [1, 2] {
        fixture.daemon.wait_for_value(connection, "status", "Disabled").await;
    }
    assert!(fixture.daemon.running());
    fixture.edit(|settings| settings.set("enable", 1));
    fixture.wait_start(CPE1).await;
    fixture.wait_start(CPE2).await;
    fixture.assert_same_streams().await;
}
