//! Stream features as sent by servers.

use std::io;

use crate::harness::prosody::PASSWORD;
use crate::harness::scripted_server::{BIND, MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Honesty, LIMIT, Peer, ScriptedServer, Section};

const SESSION: &str = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
const OPTIONAL: &str = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>";

/// Starts a daemon with a connection to this server, and waits for a line of its log and the end of the script.
async fn logs(script: &ScriptedServer, words: &[&str]) {
    let section = Section::connection(1, "cpe@a.test/wan", script);
    let daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, script)]);
    daemon.wait_for_log(words, LIMIT).await;
    script.wait_finished(0, LIMIT).await;
}

/// Logs in with these features after SASL.
async fn log_in(peer: &mut Peer, features: &str) -> io::Result<()> {
    peer.authenticate(features).await?;
    peer.bind("cpe@a.test/wan").await
}

/// Returns the attributes of an IQ that requests a session.
fn session_request(iq: &str) -> Option<&str> {
    iq.contains("urn:ietf:params:xml:ns:xmpp-session").then(|| iq.split(" id=").nth(1)?.get(1..17)).flatten()
}

#[tokio::test]
async fn duplicate_and_unknown_features_are_ignored() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        let strange = "<sm xmlns='urn:xmpp:sm:3' x='1'/><x xmlns='urn:x'><y/></x>text";
        let bindings = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding/></sasl-channel-binding>";
        let starttls = STARTTLS.repeat(2);
        let mechanisms = MECHANISMS.repeat(2) + bindings;
        let bind = BIND.repeat(2) + strange + strange + OPTIONAL + SESSION;
        peer.open(&starttls).await?;
        peer.starttls().await?;
        peer.open(&mechanisms).await?;
        peer.scram(PASSWORD, Honesty::Honest).await?;
        peer.open(&bind).await?;
        peer.bind("cpe@a.test/wan").await?;
        peer.expect("<presence").await.map(drop)
    })
    .await;
    logs(&script, &["online as cpe@a.test/wan"]).await;
}

/// RFC 3921 3: such a server delivers nothing before the session is requested (`MongooseIM` by default).
#[tokio::test]
async fn a_session_that_is_not_optional_is_requested() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, &format!("{BIND}{SESSION}")).await?;
        let request = peer.stanza().await?;
        let id = session_request(&request).ok_or_else(|| io::Error::other(request.clone()))?;
        peer.send(format!("<iq type='result' id='{id}'/>")).await?;
        peer.expect("<presence").await.map(drop)
    })
    .await;
    logs(&script, &["online as cpe@a.test/wan"]).await;
}

#[tokio::test]
async fn an_optional_session_is_not_requested() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, &format!("{BIND}{OPTIONAL}")).await?;
        let first = peer.stanza().await?;
        if first.contains("<presence") { Ok(()) } else { Err(io::Error::other(first)) }
    })
    .await;
    logs(&script, &["online as cpe@a.test/wan"]).await;
}

#[tokio::test]
async fn a_refused_session_is_a_failed_attempt() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, &format!("{BIND}{SESSION}")).await?;
        let request = peer.stanza().await?;
        let id = session_request(&request).ok_or_else(|| io::Error::other(request.clone()))?;
        let error = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        peer.send(format!("<iq type='error' id='{id}'>{error}</iq>")).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let words = ["attempt failed", "binding the resource", "refuses the session that it requires: forbidden"];
    logs(&script, &words).await;
}
