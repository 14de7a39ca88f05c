//! Logins that fail, and that must fail.

use super::daemon;
use crate::harness::prosody::PASSWORD;
use crate::harness::script::{MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Honesty, LIMIT, Script, Section, Server, Wanted, on_each_server};

const PLAIN: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>";

on_each_server!(a_wrong_password);

async fn a_wrong_password<S: Server>() {
    let server = S::launch(&["a.test"], Wanted::default()).await;
    server.add_account("cpe@a.test", PASSWORD);
    let waits = [("initial_retry_interval", "20"), ("retry_max_interval", "20")];
    let options = [("password", "not the one"), waits[0], waits[1]];
    let mut daemon = daemon(&server, "cpe@a.test/wan", &options);
    daemon.wait_for_log(&["attempt failed", "the server refuses the login: not-authorized"], LIMIT).await;
    let status = daemon.wait_for_status(1, "waits", |status| status.next_attempt().is_some()).await;
    assert_eq!(status.word(), "Error_AuthenticationFailure");
    assert!(status.get("error").unwrap().contains("not-authorized"), "{status:?}");
    // At least half of initial_retry_interval: a locked account is not hammered. (A moment has passed since.)
    let next = status.next_attempt().unwrap();
    assert!((5.0..=20.0).contains(&next), "{next}");
    let line = &daemon.log().since(0, &["next try in"])[0];
    let wait: f64 = line.rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert!((10.0..=20.0).contains(&wait), "{line}");
    assert_eq!(server.entries("cpe@a.test/wan").bound, 0);
    assert!(daemon.stop().await.0.success());
    for line in daemon.log().lines() {
        assert!(!line.contains("not the one"), "the password is in the log: {line}");
    }
}

fn scripted(script: &Script, usetls: u8) -> Daemon {
    let section = Section::connection(1, "cpe@a.test/wan", script).option("usetls", usetls);
    Daemon::start([&Section::general(&[1]), &section, &Section::server(1, script)])
}

#[tokio::test]
async fn a_server_that_cannot_prove_that_it_knows_the_password() {
    for lie in [Honesty::WrongSignature, Honesty::NoSignature] {
        let script = Script::start("a.test", move |_, mut peer| async move {
            peer.open(STARTTLS).await?;
            peer.starttls().await?;
            peer.open(MECHANISMS).await?;
            peer.scram("whatever", lie).await?;
            peer.expect_end().await.map(drop)
        })
        .await;
        let daemon = scripted(&script, 1);
        daemon.wait_for_log(&["attempt failed", "it may be an impostor"], LIMIT).await;
        let status = daemon.wait_for_status(1, "the failure", |status| status.word() != "Connecting").await;
        assert_eq!(status.word(), "Error_AuthenticationFailure");
        let seen = script.wait_played(0, LIMIT).await;
        let after_login = seen.received.split("</response>").nth(1).unwrap();
        assert!(!after_login.contains("<stream:stream") && !after_login.contains("<iq"), "{after_login:?}");
    }
}

#[tokio::test]
async fn plain_is_not_used_without_tls() {
    let script = Script::start("a.test", |_, mut peer| async move {
        peer.open(PLAIN).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = scripted(&script, 0);
    daemon.wait_for_log(&["attempt failed", "no usable login mechanism", "(PLAIN)"], LIMIT).await;
    let seen = script.wait_played(0, LIMIT).await;
    assert!(!seen.received.contains("<auth"), "{:?}", seen.received);
}

#[tokio::test]
async fn nothing_is_said_to_a_server_without_starttls_where_tls_is_demanded() {
    let script = Script::start("a.test", |_, mut peer| async move {
        peer.open(MECHANISMS).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = scripted(&script, 1);
    daemon.wait_for_log(&["attempt failed", "the server offers no TLS"], LIMIT).await;
    let status = daemon.wait_for_status(1, "the failure", |status| status.word() != "Connecting").await;
    assert_eq!(status.word(), "Error_Misconfigured");
    let seen = script.wait_played(0, LIMIT).await;
    assert!(!seen.received.contains("<auth"), "{:?}", seen.received);
}
