//! Settings that need a new stream: the connection restarts with them, and the other one keeps its stream.

use crate::harness::prosody::PASSWORD;
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, Endpoint, Fixture, LIMIT, Options, Server, SessionEnd, WriteMethod};

#[tokio::test]
async fn a_changed_username_domain_or_resource_restarts_the_connection() {
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let mut fixture = Fixture::start().await;
        fixture.set_write_method(method);
        fixture.prosody.account("cpe1new@a.test");
        fixture.prosody.account("cpe1new@b.test");
        fixture.edit(|settings| settings.set_connection(1, "username", "cpe1new"));
        fixture.wait_restart(CPE1, "cpe1new@a.test/wan").await;
        fixture.assert_same_stream(CPE2).await;
        fixture.edit(|settings| settings.set_connection(1, "domain", "b.test"));
        fixture.wait_restart("cpe1new@a.test/wan", "cpe1new@b.test/wan").await;
        fixture.assert_same_stream(CPE2).await;
        fixture.edit(|settings| settings.set_connection(1, "resource", "other"));
        fixture.wait_restart("cpe1new@b.test/wan", "cpe1new@b.test/other").await;
        fixture.assert_same_stream(CPE2).await;
        for gone in [CPE1, "cpe1new@a.test/wan", "cpe1new@b.test/wan"] {
            assert_eq!(fixture.prosody.wait_gone(gone, LIMIT).await, Some(SessionEnd::ByClient), "{gone}");
        }
    }
}

#[tokio::test]
async fn a_changed_password_restarts_the_connection() {
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let mut fixture = Fixture::start().await;
        fixture.set_write_method(method);
        fixture.prosody.add_account("cpe1@a.test", "a new one");
        fixture.edit(|settings| settings.set_connection(1, "password", "a new one"));
        fixture.wait_restart(CPE1, CPE1).await;
        fixture.assert_same_stream(CPE2).await;
        // After the next restart it still uses the new password, which is wrong by now.
        fixture.prosody.account("cpe1@a.test");
        fixture.edit(|settings| settings.set_connection(1, "tls_verify", 0));
        fixture.wait_stop(CPE1).await;
        fixture.daemon.wait_for_value(1, "status", "Error_AuthenticationFailure").await;
        fixture.assert_same_stream(CPE2).await;
        fixture.edit(|settings| settings.set_connection(1, "password", PASSWORD));
        fixture.wait_start(CPE1).await;
        fixture.assert_same_streams().await;
        fixture.daemon.stop_and_assert_not_logged(&["a new one", PASSWORD]).await;
    }
}

#[tokio::test]
async fn changed_tls_options_restart_the_connection() {
    let options = Options { require_tls: false, ..Options::default() };
    let mut fixture = Fixture::start_with(options, |_| {}, |setup| setup).await;
    assert_eq!(fixture.status(1).await["tls"], "true");
    fixture.edit(|settings| settings.set_connection(1, "usetls", 0));
    fixture.wait_restart(CPE1, CPE1).await;
    fixture.daemon.wait_for_value(1, "tls", "false").await;
    fixture.assert_same_stream(CPE2).await;

    fixture.set_write_method(WriteMethod::Commit);
    fixture.edit(|settings| settings.set_connection(1, "usetls", "on"));
    fixture.wait_restart(CPE1, CPE1).await;
    fixture.daemon.wait_for_value(1, "tls", "true").await;

    let copy = fixture.daemon.xmpp().path().with_file_name("ca.pem");
    std::fs::copy(fixture.prosody.ca_pem(), &copy).unwrap();
    fixture.edit(|settings| settings.set_connection(1, "tls_ca", copy.display()));
    fixture.wait_restart(CPE1, CPE1).await;

    let mark = fixture.edit(|settings| settings.set_connection(1, "tls_verify", "off"));
    fixture.wait_restart(CPE1, CPE1).await;
    fixture.daemon.log().wait(mark, &["WARNING", "connection 1", "any certificate is accepted"], LIMIT).await;
    fixture.assert_same_stream(CPE2).await;

    // A CA that did not sign the server's certificate shows that the option is applied.
    let other = crate::harness::Ca::new();
    fixture.edit(|settings| {
        settings.set_connection(1, "tls_verify", 1);
        settings.set_connection(1, "tls_ca", other.pem().display());
    });
    fixture.wait_stop(CPE1).await;
    fixture.daemon.wait_for_value(1, "status", "Error_Misconfigured").await;
    fixture.assert_same_stream(CPE2).await;
}

#[tokio::test]
async fn a_changed_server_algorithm_restarts_the_connection() {
    let directory = tempfile::tempdir().unwrap();
    let resolv_conf = directory.path().join("resolv.conf");
    // No name server listens there.
    std::fs::write(&resolv_conf, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
    let setup = |setup: crate::harness::Setup| setup.env("XMPPD_RESOLV_CONF", &resolv_conf);
    let mut fixture = Fixture::start_with(Options::default(), |_| {}, setup).await;
    fixture.edit(|settings| settings.set_connection(1, "serveralgorithm", "DNS-SRV"));
    fixture.wait_stop(CPE1).await;
    fixture.daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    fixture.assert_same_stream(CPE2).await;
    fixture.edit(|settings| settings.set_connection(1, "serveralgorithm", "servertable"));
    fixture.wait_start(CPE1).await;
    fixture.assert_same_streams().await;
}

mod ipv6 {
    use super::*;

    #[tokio::test]
    async fn changed_server_rows_restart_the_connection() {
        for method in [WriteMethod::InPlace, WriteMethod::Commit] {
            let mut fixture = Fixture::start().await;
            fixture.set_write_method(method);
            let port = fixture.prosody.port();
            fixture.daemon.wait_for_value(1, "address", &format!("127.0.0.1:{port}")).await;
            // Another address.
            fixture.edit(|settings| settings.set_server(1, "server_address", "::1"));
            fixture.wait_restart(CPE1, CPE1).await;
            fixture.daemon.wait_for_value(1, "address", &format!("[::1]:{port}")).await;
            fixture.assert_same_stream(CPE2).await;
            // A second row that is preferred.
            let second = Section::server(1, &fixture.prosody).option("con_srv_inst", 7);
            fixture.edit(|settings| {
                settings.set_server(1, "con_srv_inst", 3);
                settings.set_server(1, "priority", 9);
                settings.servers.push(second.option("priority", 1));
            });
            fixture.wait_restart(CPE1, CPE1).await;
            fixture.daemon.wait_for_value(1, "address", &format!("127.0.0.1:{port}")).await;
            fixture.assert_same_stream(CPE2).await;
            // The second row is disabled, and then removed, which changes nothing more.
            fixture.edit(|settings| settings.set_server(3, "enable", 0));
            fixture.wait_restart(CPE1, CPE1).await;
            fixture.daemon.wait_for_value(1, "address", &format!("[::1]:{port}")).await;
            // A port on which no server listens.
            let closed_port = crate::harness::ports::free();
            fixture.edit(|settings| {
                settings.servers.pop();
                settings.set_server(1, "port", closed_port);
            });
            fixture.wait_stop(CPE1).await;
            fixture.daemon.wait_for_value(1, "status", "ServerNotPresent").await;
            fixture.assert_same_stream(CPE2).await;
            fixture.edit(|settings| settings.set_server(1, "port", port));
            fixture.wait_start(CPE1).await;
            fixture.assert_same_streams().await;
        }
    }
}
