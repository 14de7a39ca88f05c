//! Settings that a stream was set up with: this connection restarts with the new ones, the other stays where it is.

use crate::harness::prosody::PASSWORD;
use crate::harness::uci::Section;
use crate::harness::{CPE1, CPE2, End, How, LIMIT, Options, Scene};

#[tokio::test]
async fn a_username_another_domain_and_another_resource() {
    for how in [How::InPlace, How::Commit] {
        let mut scene = Scene::start().await;
        scene.by(how);
        scene.prosody.account("cpe1new@a.test");
        scene.prosody.account("cpe1new@b.test");
        scene.edit(|settings| settings.set_connection(1, "username", "cpe1new"));
        scene.wait_restart(CPE1, "cpe1new@a.test/wan").await;
        scene.assert_same(CPE2).await;
        scene.edit(|settings| settings.set_connection(1, "domain", "b.test"));
        scene.wait_restart("cpe1new@a.test/wan", "cpe1new@b.test/wan").await;
        scene.assert_same(CPE2).await;
        scene.edit(|settings| settings.set_connection(1, "resource", "other"));
        scene.wait_restart("cpe1new@b.test/wan", "cpe1new@b.test/other").await;
        scene.assert_same(CPE2).await;
        for gone in [CPE1, "cpe1new@a.test/wan", "cpe1new@b.test/wan"] {
            assert_eq!(scene.prosody.wait_gone(gone, LIMIT).await, Some(End::ByClient), "{gone}");
        }
    }
}

#[tokio::test]
async fn another_password() {
    for how in [How::InPlace, How::Commit] {
        let mut scene = Scene::start().await;
        scene.by(how);
        scene.prosody.account_with("cpe1@a.test", "a new one");
        scene.edit(|settings| settings.set_connection(1, "password", "a new one"));
        scene.wait_restart(CPE1, CPE1).await;
        scene.assert_same(CPE2).await;
        // It is the new one that it knows, also when it comes back.
        scene.prosody.account("cpe1@a.test");
        scene.edit(|settings| settings.set_connection(1, "tls_verify", 0));
        scene.wait_stop(CPE1).await;
        scene.daemon.wait_for_value(1, "status", "Error_AuthenticationFailure").await;
        scene.assert_same(CPE2).await;
        scene.edit(|settings| settings.set_connection(1, "password", PASSWORD));
        scene.wait_start(CPE1).await;
        scene.assert_both_same().await;
        scene.daemon.stop_and_look_for(&["a new one", PASSWORD]).await;
    }
}

#[tokio::test]
async fn other_tls_options() {
    let options = Options { require_tls: false, ..Options::default() };
    let mut scene = Scene::start_with(options, |_| {}, |setup| setup).await;
    assert_eq!(scene.status(1).await["tls"], "true");
    scene.edit(|settings| settings.set_connection(1, "usetls", 0));
    scene.wait_restart(CPE1, CPE1).await;
    scene.daemon.wait_for_value(1, "tls", "false").await;
    scene.assert_same(CPE2).await;

    scene.by(How::Commit);
    scene.edit(|settings| settings.set_connection(1, "usetls", "on"));
    scene.wait_restart(CPE1, CPE1).await;
    scene.daemon.wait_for_value(1, "tls", "true").await;

    let copy = scene.daemon.xmpp().path().with_file_name("ca.pem");
    std::fs::copy(scene.prosody.ca().pem(), &copy).unwrap();
    scene.edit(|settings| settings.set_connection(1, "tls_ca", copy.display()));
    scene.wait_restart(CPE1, CPE1).await;

    let mark = scene.edit(|settings| settings.set_connection(1, "tls_verify", "off"));
    scene.wait_restart(CPE1, CPE1).await;
    scene.daemon.log().wait(mark, &["WARNING", "connection 1", "any certificate is accepted"], LIMIT).await;
    scene.assert_same(CPE2).await;

    // An authority that did not sign the server's certificate: the option is really taken over.
    let other = crate::harness::Ca::new();
    scene.edit(|settings| {
        settings.set_connection(1, "tls_verify", 1);
        settings.set_connection(1, "tls_ca", other.pem().display());
    });
    scene.wait_stop(CPE1).await;
    scene.daemon.wait_for_value(1, "status", "Error_Misconfigured").await;
    scene.assert_same(CPE2).await;
}

#[tokio::test]
async fn another_server_algorithm() {
    let directory = tempfile::tempdir().unwrap();
    let resolv_conf = directory.path().join("resolv.conf");
    // Nobody serves DNS there.
    std::fs::write(&resolv_conf, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
    let setup = |setup: crate::harness::Setup| setup.env("XMPPD_RESOLV_CONF", &resolv_conf);
    let mut scene = Scene::start_with(Options::default(), |_| {}, setup).await;
    scene.edit(|settings| settings.set_connection(1, "serveralgorithm", "DNS-SRV"));
    scene.wait_stop(CPE1).await;
    scene.daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    scene.assert_same(CPE2).await;
    scene.edit(|settings| settings.set_connection(1, "serveralgorithm", "servertable"));
    scene.wait_start(CPE1).await;
    scene.assert_both_same().await;
}

#[tokio::test]
async fn other_server_rows() {
    for how in [How::InPlace, How::Commit] {
        let mut scene = Scene::start().await;
        scene.by(how);
        let port = scene.prosody.port();
        scene.daemon.wait_for_value(1, "address", &format!("127.0.0.1:{port}")).await;
        // Its address.
        scene.edit(|settings| settings.set_server(1, "server_address", "::1"));
        scene.wait_restart(CPE1, CPE1).await;
        scene.daemon.wait_for_value(1, "address", &format!("[::1]:{port}")).await;
        scene.assert_same(CPE2).await;
        // One more, which is to be preferred.
        let second = Section::server(1, &scene.prosody).option("con_srv_inst", 7);
        scene.edit(|settings| {
            settings.set_server(1, "con_srv_inst", 3);
            settings.set_server(1, "priority", 9);
            settings.servers.push(second.option("priority", 1));
        });
        scene.wait_restart(CPE1, CPE1).await;
        scene.daemon.wait_for_value(1, "address", &format!("127.0.0.1:{port}")).await;
        scene.assert_same(CPE2).await;
        // That one disabled, and then gone: only the first makes a difference.
        scene.edit(|settings| settings.set_server(3, "enable", 0));
        scene.wait_restart(CPE1, CPE1).await;
        scene.daemon.wait_for_value(1, "address", &format!("[::1]:{port}")).await;
        // Its port, where nobody is.
        let nobody = crate::harness::ports::free();
        scene.edit(|settings| {
            settings.servers.pop();
            settings.set_server(1, "port", nobody);
        });
        scene.wait_stop(CPE1).await;
        scene.daemon.wait_for_value(1, "status", "ServerNotPresent").await;
        scene.assert_same(CPE2).await;
        scene.edit(|settings| settings.set_server(1, "port", port));
        scene.wait_start(CPE1).await;
        scene.assert_both_same().await;
    }
}
