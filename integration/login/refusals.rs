//! Logins that fail, or must fail.

use super::daemon;
use crate::harness::scripted_server::MECHANISMS;
use crate::harness::{Daemon, Honesty, LIMIT, ScriptedServer, Section, Server, ServerOptions, on_each_server};

const PLAIN: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";

#[cfg(servers)]
on_each_server!(a_wrong_password_is_an_authentication_failure_with_a_wait);

async fn a_wrong_password_is_an_authentication_failure_with_a_wait<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions::default()).await;
    server.account("cpe@a.test");
    let waits = [("initial_retry_interval", "20"), ("retry_max_interval", "20")];
    let options = [("password", "not the one"), waits[0], waits[1]];
    let mut daemon = daemon(&server, "cpe@a.test/wan", &options);
    daemon.wait_for_log(&["attempt failed", "the server refuses the login: not-authorized"], LIMIT).await;
    let status = daemon.wait_for_status(1, "waits", |status| status.next_attempt().is_some()).await;
    assert_eq!(status.word(), "Error_AuthenticationFailure");
    assert!(status.get("error").unwrap().contains("not-authorized"), "{status:?}");
    // At least half of initial_retry_interval, to spare a locked account. (A moment has already passed.)
    let next = status.next_attempt().unwrap();
    assert!((5.0..=20.0).contains(&next), "{next}");
    let line = &daemon.log().since(0, &["next try in"])[0];
    let wait: f64 = line.rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert!((10.0..=20.0).contains(&wait), "{line}");
    assert_eq!(server.login_counts("cpe@a.test/wan").bound, 0);
    assert!(daemon.stop().await.success());
    for line in daemon.log().lines() {
        assert!(!line.contains("not the one"), "the password is in the log: {line}");
    }
}

fn scripted(script: &ScriptedServer, usetls: u8) -> Daemon {
    let section = Section::connection(1, "cpe@a.test/wan", script).option("usetls", usetls);
    Daemon::start([&Section::general(&[1]), &section, &Section::server(1, script)])
}

#[tokio::test]
async fn a_server_without_the_password_is_not_trusted() {
    for lie in [Honesty::WrongSignature, Honesty::NoSignature] {
        let script = ScriptedServer::start("a.test", move |_, mut peer| async move {
            peer.encrypt(MECHANISMS).await?;
            peer.scram("whatever", lie).await?;
            peer.expect_end().await.map(drop)
        })
        .await;
        let daemon = scripted(&script, 1);
        daemon.wait_for_log(&["attempt failed", "it may be an impostor"], LIMIT).await;
        let status = daemon.wait_for_status(1, "the failure", |status| status.word() != "Connecting").await;
        assert_eq!(status.word(), "Error_AuthenticationFailure");
        let seen = script.wait_finished(0, LIMIT).await;
        let after_login = seen.received.split("</response>").nth(1).unwrap();
        assert!(!after_login.contains("<stream:stream") && !after_login.contains("<iq"), "{after_login:?}");
    }
}

#[tokio::test]
async fn plain_is_not_used_without_tls() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        peer.open(PLAIN).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = scripted(&script, 0);
    daemon.wait_for_log(&["attempt failed", "no usable login mechanism", "(PLAIN)"], LIMIT).await;
    let seen = script.wait_finished(0, LIMIT).await;
    assert!(!seen.received.contains("<auth"), "{:?}", seen.received);
}

#[tokio::test]
async fn no_login_is_started_without_tls_if_tls_is_required() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        peer.open(MECHANISMS).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = scripted(&script, 1);
    daemon.wait_for_log(&["attempt failed", "the server offers no TLS"], LIMIT).await;
    let status = daemon.wait_for_status(1, "the failure", |status| status.word() != "Connecting").await;
    assert_eq!(status.word(), "Error_Misconfigured");
    let seen = script.wait_finished(0, LIMIT).await;
    assert!(!seen.received.contains("<auth"), "{:?}", seen.received);
}
