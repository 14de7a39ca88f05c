//! Channel binding, with a scripted server: neither real server supports `tls-exporter`.

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::harness::prosody::PASSWORD;
use crate::harness::scripted_server::BIND;
use crate::harness::{Daemon, Honesty, LIMIT, ScriptedServer, Section};

const PLUS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism>\
    <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism></mechanisms>";
const PLUS_512: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>\
    <mechanism>SCRAM-SHA-512</mechanism><mechanism>SCRAM-SHA-512-PLUS</mechanism></mechanisms>";
const BARE: &str =
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256</mechanism></mechanisms>";
const EXPORTER: &str = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-server-end-point'/>\
    <channel-binding type='tls-exporter'/></sasl-channel-binding>";
const OTHERS: &str =
    "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-unique'/></sasl-channel-binding>";

/// Logs in to a server that offers this over this version of TLS. Returns the log's description of the login and the
/// GS2 header.
async fn log_in(version: &'static SupportedProtocolVersion, offered: [&'static str; 2]) -> (String, String) {
    let script = ScriptedServer::start_with("a.test", &[version], move |_, mut peer| async move {
        peer.encrypt(&offered.concat()).await?;
        peer.scram(PASSWORD, Honesty::Honest).await?;
        peer.open(BIND).await?;
        peer.bind("cpe@a.test/wan").await?;
        peer.expect("<presence").await.map(drop)
    })
    .await;
    let section = Section::connection(1, "cpe@a.test/wan", &script);
    let daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, &script)]);
    let line = daemon.wait_for_log(&["online as cpe@a.test/wan"], LIMIT).await;
    let seen = script.wait_finished(0, LIMIT).await;
    let auth = seen.received.split("<auth ").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1)).unwrap().to_owned();
    let first = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, auth).unwrap();
    let header = String::from_utf8(first).unwrap().split(",,").next().unwrap().to_owned();
    (line.rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned(), header)
}

#[tokio::test]
async fn the_channel_is_bound_over_tls_1_3() {
    for list in ["", EXPORTER] {
        let (login, header) = log_in(&TLS13, [PLUS, list]).await;
        assert_eq!((login.as_str(), header.as_str()), ("TLS 1.3, SCRAM-SHA-256-PLUS", "p=tls-exporter"));
    }
}

#[tokio::test]
async fn the_channel_is_bound_with_sha_512() {
    let (login, header) = log_in(&TLS13, [PLUS_512, EXPORTER]).await;
    assert_eq!((login.as_str(), header.as_str()), ("TLS 1.3, SCRAM-SHA-512-PLUS", "p=tls-exporter"));
}

#[tokio::test]
async fn the_channel_is_not_bound_without_a_common_binding() {
    let (login, header) = log_in(&TLS13, [PLUS, OTHERS]).await;
    assert_eq!((login.as_str(), header.as_str()), ("TLS 1.3, SCRAM-SHA-256", "n"));
}

#[tokio::test]
async fn the_channel_is_not_bound_over_tls_1_2() {
    let (login, header) = log_in(&TLS12, [PLUS, ""]).await;
    assert_eq!((login.as_str(), header.as_str()), ("TLS 1.2, SCRAM-SHA-256", "n"));
}

#[tokio::test]
async fn a_server_without_plus_is_told_that_the_client_supports_binding() {
    let (login, header) = log_in(&TLS13, [BARE, ""]).await;
    assert_eq!((login.as_str(), header.as_str()), ("TLS 1.3, SCRAM-SHA-256", "y"));
}

/// RFC 5802 6: a server that supports channel binding refuses `y`, because -PLUS was removed from its list by an
/// attacker. A second login with `n` in the same attempt would undo that protection.
#[tokio::test]
async fn a_login_refused_for_y_is_not_repeated_with_n() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        peer.encrypt(BARE).await?;
        peer.element("auth").await?;
        peer.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>").await?;
        let rest = peer.expect_end().await?;
        if rest.contains("<auth") { Err(std::io::Error::other(rest)) } else { Ok(()) }
    })
    .await;
    // At least half of that passes before the second attempt.
    let waits = [("initial_retry_interval", "1000"), ("retry_max_interval", "1000")];
    let section = Section::connection(1, "cpe@a.test/wan", &script).options(&waits);
    let daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, &script)]);
    daemon.wait_for_log(&["attempt failed", "not-authorized", "an attacker removed -PLUS from its list"], LIMIT).await;
    let seen = script.wait_finished(0, LIMIT).await;
    assert_eq!(seen.received.matches("<auth").count(), 1, "{}", seen.received);
    let status = daemon.wait_for_status(1, "the failure", |status| status.next_attempt().is_some()).await;
    assert_eq!(status.word(), "Error_AuthenticationFailure");
    assert_eq!(script.seen().len(), 1);
}
