//! Stream features as servers send them.

use std::io;

use crate::harness::prosody::PASSWORD;
use crate::harness::script::{BIND, MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Honesty, LIMIT, Peer, Script, Section};

const SESSION: &str = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>";
const OPTIONAL: &str = "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>";

fn daemon(script: &Script) -> Daemon {
    let section = Section::connection(1, "cpe@a.test/wan", script);
    Daemon::start([&Section::general(&[]), &section, &Section::server(1, script)])
}

/// A login with these features before TLS, before SASL and after it.
async fn log_in(peer: &mut Peer, features: [&str; 3]) -> io::Result<()> {
    peer.open(features[0]).await?;
    peer.starttls().await?;
    peer.open(features[1]).await?;
    peer.scram(PASSWORD, Honesty::Honest).await?;
    peer.open(features[2]).await?;
    peer.bind("cpe@a.test/wan").await
}

/// The attributes of an IQ for the session, if this is one.
fn session_request(iq: &str) -> Option<&str> {
    iq.contains("urn:ietf:params:xml:ns:xmpp-session").then(|| iq.split(" id=").nth(1)?.get(1..17)).flatten()
}

#[tokio::test]
async fn duplicates_and_what_is_not_known_cost_nothing() {
    let script = Script::start("a.test", |_, mut peer| async move {
        let strange = "<sm xmlns='urn:xmpp:sm:3' x='1'/><x xmlns='urn:x'><y/></x>text";
        let bindings = "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding/></sasl-channel-binding>";
        let starttls = STARTTLS.repeat(2);
        let mechanisms = MECHANISMS.repeat(2) + bindings;
        let bind = BIND.repeat(2) + strange + strange + OPTIONAL + SESSION;
        log_in(&mut peer, [&starttls, &mechanisms, &bind]).await?;
        peer.expect("<presence").await.map(drop)
    })
    .await;
    let daemon = daemon(&script);
    daemon.wait_for_log(&["online as cpe@a.test/wan"], LIMIT).await;
    script.wait_played(0, LIMIT).await;
}

/// RFC 3921 3: such a server delivers nothing before (`MongooseIM` by default).
#[tokio::test]
async fn the_session_is_requested_where_it_is_not_optional() {
    let script = Script::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, [STARTTLS, MECHANISMS, &format!("{BIND}{SESSION}")]).await?;
        let request = peer.stanza().await?;
        let id = session_request(&request).ok_or_else(|| io::Error::other(request.clone()))?;
        peer.send(format!("<iq type='result' id='{id}'/>")).await?;
        peer.expect("<presence").await.map(drop)
    })
    .await;
    let daemon = daemon(&script);
    daemon.wait_for_log(&["online as cpe@a.test/wan"], LIMIT).await;
    script.wait_played(0, LIMIT).await;
}

#[tokio::test]
async fn the_session_is_not_requested_where_it_is_optional() {
    let script = Script::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, [STARTTLS, MECHANISMS, &format!("{BIND}{OPTIONAL}")]).await?;
        let first = peer.stanza().await?;
        if first.contains("<presence") { Ok(()) } else { Err(io::Error::other(first)) }
    })
    .await;
    let daemon = daemon(&script);
    daemon.wait_for_log(&["online as cpe@a.test/wan"], LIMIT).await;
    script.wait_played(0, LIMIT).await;
}

#[tokio::test]
async fn a_refused_session_is_a_failed_attempt() {
    let script = Script::start("a.test", |_, mut peer| async move {
        log_in(&mut peer, [STARTTLS, MECHANISMS, &format!("{BIND}{SESSION}")]).await?;
        let request = peer.stanza().await?;
        let id = session_request(&request).ok_or_else(|| io::Error::other(request.clone()))?;
        let error = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
        peer.send(format!("<iq type='error' id='{id}'>{error}</iq>")).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = daemon(&script);
    let words = ["attempt failed", "binding the resource", "refuses the session that it requires: forbidden"];
    daemon.wait_for_log(&words, LIMIT).await;
    script.wait_played(0, LIMIT).await;
}
