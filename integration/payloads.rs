//! Payloads of all kinds, byte by byte, sent to xmppd directly and through the real servers.
//!
//! Each gets exactly one answer, the expected one, or none if none is due; and after each, the next request is
//! accepted.

mod table;

use std::collections::BTreeMap;
use std::io::Cursor;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use xmpp_parsers::minidom::Element;

use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{good_request, id, ping};
use crate::harness::{
    Daemon, LIMIT, Peer, RawClient, ScriptedServer, Section, Server, ServerOptions, Setup, on_each_server,
};
use table::{ACCEPTED, NOT_AUTHORIZED, NOTHING, Row, rows};

const CPE: &str = "cpe@a.test/wan";
const ACS: &str = "acs@a.test/r";

/// A way to send bytes to the CPE and to receive its answers.
trait Line {
    /// Whether the answers arrive as xmppd wrote them.
    const DIRECT: bool;

    async fn say(&mut self, bytes: &[u8]);

    /// The next stanza.
    async fn hear(&mut self) -> String;

    /// What arrives until the stream ends.
    async fn rest(&mut self) -> String;
}

impl Line for RawClient {
    const DIRECT: bool = false;

    async fn say(&mut self, bytes: &[u8]) {
        self.send_bytes(bytes).await;
    }

    async fn hear(&mut self) -> String {
        self.next(LIMIT).await.expect("a stanza")
    }

    async fn rest(&mut self) -> String {
        self.until_end().await
    }
}

impl Line for Peer {
    const DIRECT: bool = true;

    async fn say(&mut self, bytes: &[u8]) {
        self.send(bytes).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        tokio::time::timeout(LIMIT, self.stanza()).await.expect("a stanza").unwrap()
    }

    async fn rest(&mut self) -> String {
        tokio::time::timeout(LIMIT, self.expect_end()).await.expect("the end").unwrap()
    }
}

/// Sends a row, and a ping that shows that nothing else follows. Returns the outcome.
async fn exchange<L: Line>(line: &mut L, row: &Row, comes: &str) -> String {
    line.say(&row.bytes).await;
    if comes.contains("stream error") {
        return end(&line.rest().await);
    }
    let answer = if comes.ends_with(NOTHING) { None } else { Some(line.hear().await) };
    let ending = answer.as_ref().is_some_and(|answer| answer.starts_with("<stream:error"));
    let was = match answer {
        Some(answer) if ending => end(&answer),
        Some(answer) => outcome(&answer, row, L::DIRECT),
        None => NOTHING.to_owned(),
    };
    if !ending {
        well(line).await;
    }
    was
}

/// A ping, a good request and another ping: fails unless each is answered and nothing else arrives.
async fn well(line: &mut impl Line) {
    for question in [ping(CPE), good_request(CPE), ping(CPE)] {
        line.say(question.replacen(" to=", &format!(" from='{ACS}' to="), 1).as_bytes()).await;
        let answer = line.hear().await;
        let element = read(&answer);
        assert_eq!(element.attr("id"), Some(&*id(&question)), "uninvited: {answer}");
        assert_eq!((element.attr("type"), element.children().count()), (Some("result"), 0), "{answer}");
    }
}

fn read(stanza: &str) -> Element {
    let prefixes: BTreeMap<Option<String>, String> = [
        (None, "jabber:client".to_owned()),
        (Some("stream".to_owned()), "http://etherx.jabber.org/streams".to_owned()),
    ]
    .into();
    Element::from_reader_with_prefixes(Cursor::new(stanza), prefixes)
        .unwrap_or_else(|error| panic!("{error}: {stanza}"))
}

/// Describes an answer.
fn outcome(answer: &str, row: &Row, direct: bool) -> String {
    let iq = read(answer);
    assert!(iq.is("iq", "jabber:client"), "{answer}");
    // Servers write a line break in an attribute unescaped, which the parser reads as a space.
    let id = |id: Option<&str>| id.map(|id| if direct { id.to_owned() } else { id.replace(['\n', '\t'], " ") });
    assert_eq!(id(iq.attr("id")), id(row.id.as_deref()), "{answer}");
    if iq.attr("type") != Some("error") {
        let children = iq.children().count();
        return format!(
            "{}{}",
            iq.attr("type").unwrap_or("?"),
            if children > 0 { " that holds something" } else { "" }
        );
    }
    let error = iq.get_child("error", "jabber:client").unwrap_or_else(|| panic!("no error: {answer}"));
    let condition = error.children().next().unwrap_or_else(|| panic!("no condition: {answer}"));
    assert_eq!(condition.ns(), "urn:ietf:params:xml:ns:xmpp-stanzas", "{answer}");
    let words = ["type", "code"].into_iter().filter_map(|name| error.attr(name)).chain([condition.name()]);
    format!("error {}", words.collect::<Vec<_>>().join(" "))
}

/// Describes the end of a stream.
fn end(text: &str) -> String {
    let condition = text.split("<stream:error").nth(1).and_then(|rest| rest.split('<').nth(1)).unwrap_or_default();
    if condition.is_empty() {
        return format!("stream error??? {text}");
    }
    format!("stream error {}", condition.split([' ', '/', '>']).next().unwrap_or_default())
}

/// How often the CWMP client was notified, for a row and the request after it.
fn told(daemon: &Daemon) -> usize {
    daemon.ubus().calls().len()
}

fn setup(server: &impl crate::harness::Endpoint) -> Setup {
    Setup::new([
        &Section::general(&[1]).option("connreq_limit", 0),
        &Section::connection(1, CPE, server),
        &Section::server(1, server),
    ])
}

/// A scripted server, so that xmppd receives every byte as it is written here.
#[tokio::test]
async fn each_payload_gets_its_answer() {
    let (queue, mut peers) = unbounded_channel();
    let script = ScriptedServer::start("a.test", move |_, mut peer| {
        let queue = queue.clone();
        async move {
            peer.log_in(CPE).await?;
            peer.expect("</presence>").await?;
            let _ = queue.send(peer);
            Ok(())
        }
    })
    .await;
    let mut daemon = setup(&script).start();
    let mut peer = next(&mut peers).await;
    let (mut wrong, mut expected) = (Vec::new(), BTreeMap::new());
    for row in rows() {
        let before = told(&daemon);
        let comes = exchange(&mut peer, &row, row.direct).await;
        if comes.starts_with("stream error") {
            peer = next(&mut peers).await;
            well(&mut peer).await;
        }
        let calls = told(&daemon) - before;
        if comes != row.direct || calls != 1 + usize::from(comes == ACCEPTED) {
            wrong.push(format!("{}: {comes}, not {}; {calls} calls", row.name, row.direct));
        }
        *expected.entry(row.direct).or_insert(0_u64) += 1;
    }
    assert_eq!(wrong, [""; 0]);
    let status = daemon.status(1).await;
    for (count, number) in [
        ("accepted", expected[ACCEPTED] + rows().len() as u64),
        ("refused_credentials", expected[NOT_AUTHORIZED]),
        ("notify_failed", 0),
        ("refused_locked", 0),
    ] {
        assert_eq!(status.number::<u64>(count), number, "{count}");
    }
    daemon.stop_and_assert_not_logged(&["cpe-secret", PASSWORD]).await;
    for bad in ["ERROR", "panic"] {
        assert_eq!(daemon.log().since(0, &[bad]), [""; 0]);
    }
}

async fn next(peers: &mut UnboundedReceiver<Peer>) -> Peer {
    tokio::time::timeout(LIMIT, peers.recv()).await.expect("a connection").expect("a script")
}

on_each_server!(each_payload_gets_its_answer_through_a_server);

async fn each_payload_gets_its_answer_through_a_server<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions::default()).await;
    server.account("cpe@a.test");
    let mut daemon = setup(&server).start();
    let port = server.wait_client(CPE, LIMIT).await;
    // Its own presence, which the server returns, must not count below.
    daemon.wait_for_value(1, "received", "1").await;
    let mut acs = server.raw_client(ACS).await;
    let mut wrong = Vec::new();
    for row in rows() {
        let expected = if std::any::type_name::<S>().ends_with("Prosody") { row.prosody } else { row.ejabberd };
        let (calls, received) = (told(&daemon), daemon.count(1, "received").await);
        let mut comes = exchange(&mut acs, &row, expected).await;
        if comes.starts_with("stream error") {
            acs = server.raw_client(ACS).await;
            well(&mut acs).await;
        }
        // In addition to the three requests that follow it.
        let seen = daemon.count(1, "received").await - received - 3;
        if seen == 0 {
            comes = format!("server: {comes}");
        }
        let calls = told(&daemon) - calls;
        if comes != expected || seen > 1 || calls != 1 + usize::from(comes == ACCEPTED) {
            wrong.push(format!("{}: {comes}, not {expected}; {calls} calls", row.name));
        }
    }
    assert_eq!(server.client_port(CPE), Some(port), "what somebody sends must not cost the CPE its connection");
    assert_eq!(wrong, [""; 0]);
    daemon.stop_and_assert_not_logged(&["cpe-secret", PASSWORD]).await;
    for bad in ["ERROR", "WARNING", "panic"] {
        assert_eq!(daemon.log().since(0, &[bad]), [""; 0]);
    }
}
