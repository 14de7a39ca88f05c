//! A client that sends exactly the given text and answers nothing by itself: a misbehaving CPE, or a sender of stanzas
//! that no library would build.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use connreq::Account;
use connreq::connector::{Connector, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_xmpp::xmlstream::Timeouts;
use xmpp_parsers::component::Handshake;

use super::wait::LIMIT;

trait Transport: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// A session of an account or a component, on which text is written and read.
pub struct RawClient {
    transport: Box<dyn Transport>,
    jid: String,
    received: String,
}

impl RawClient {
    /// Logs in and binds the account's resource, without sending presence.
    pub async fn login(account: Account) -> Self {
        let tls = account.trust.client_config().unwrap();
        let bare = account.jid.to_bare();
        let stream = Connector::new(account.server, tls)
            .login(&bare, &account.password, Timeouts::tight())
            .await
            .expect("the login");
        let pending = stream.send_header(header(bare.domain().as_str())).await.unwrap();
        let (_, stream) = pending.recv_features::<xmpp_parsers::sasl::Nonza>().await.unwrap();
        let mut wire = Self { transport: Box::new(stream.into_inner()), jid: String::new(), received: String::new() };
        let resource = account.jid.resource().map(ToString::to_string).unwrap_or_default();
        let answer = wire
            .ask(&format!(
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                 <resource>{resource}</resource></bind></iq>"
            ))
            .await;
        let jid = answer.split("<jid>").nth(1).and_then(|rest| rest.split('<').next());
        jid.unwrap_or_else(|| panic!("not bound: {answer}")).clone_into(&mut wire.jid);
        wire
    }

    /// Connects as an external component (XEP-0114), whose stanzas need a `from` in its domain.
    pub async fn component(port: u16, domain: &str, secret: &str) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut wire = Self { transport: Box::new(tcp), jid: domain.to_owned(), received: String::new() };
        wire.send(&format!(
            "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
        ))
        .await;
        let header = loop {
            let open = wire.received.find("<stream:stream");
            if let Some(end) = open.and_then(|open| Some(open + wire.received[open..].find('>')? + 1)) {
                break wire.received.drain(..end).collect::<String>();
            }
            timeout(LIMIT, wire.read()).await.expect("the stream's header");
        };
        let id = attribute(header.split("<stream:stream").nth(1).unwrap(), "id");
        let proof = Handshake::from_stream_id_and_password(id, secret).data.expect("a proof");
        let hex = proof.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        wire.send(&format!("<handshake>{hex}</handshake>")).await;
        let answer = wire.next(LIMIT).await.expect("an answer to the handshake");
        assert!(answer.starts_with("<handshake"), "{domain} is not let in: {answer}");
        wire
    }

    /// The bound full JID, or the component's domain.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// Sends this text.
    pub async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    /// Sends these bytes.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.transport.write_all(bytes).await.unwrap();
        self.transport.flush().await.unwrap();
    }

    /// Reads until the server closes the connection. Returns what was read.
    pub async fn until_end(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.received).into_bytes();
        // A close without TLS's close_notify counts as well.
        let _ = timeout(LIMIT, self.transport.read_to_end(&mut bytes)).await.expect("the end of the stream");
        String::from_utf8(bytes).unwrap()
    }

    /// Returns the next stanza that arrives within `limit`. Fails if the stream ends.
    pub async fn next(&mut self, limit: Duration) -> Option<String> {
        timeout(limit, async {
            loop {
                if let Some(length) = first_stanza(&self.received) {
                    let rest = self.received.split_off(length);
                    return std::mem::replace(&mut self.received, rest).trim_start().to_owned();
                }
                self.read().await;
            }
        })
        .await
        .ok()
    }

    /// Waits for data and reads it. Fails if the stream ends.
    async fn read(&mut self) {
        let mut buffer = [0; 4096];
        let read = self.transport.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{}: the stream ended after {:?}", self.jid, self.received);
        self.received.push_str(std::str::from_utf8(&buffer[..read]).expect("ASCII in tests"));
    }

    /// Returns the next stanza that contains `needle`, dropping others.
    pub async fn expect(&mut self, needle: &str) -> String {
        loop {
            let stanza = self.next(LIMIT).await.unwrap_or_else(|| panic!("nothing with {needle:?} came"));
            if stanza.contains(needle) {
                return stanza;
            }
        }
    }

    /// Sends an IQ and returns its answer, by its id, which must be in single quotes.
    pub async fn ask(&mut self, iq: &str) -> String {
        let id = iq.split(" id='").nth(1).and_then(|rest| rest.split('\'').next()).expect("an id");
        let needle = format!(" id='{id}'");
        self.send(iq).await;
        self.expect(&needle).await
    }

    /// Waits for one answer to each of these IQs, in any order. Fails if anything else arrives.
    pub async fn answers(&mut self, requests: &[String]) -> Vec<String> {
        let mut missing: BTreeSet<String> = requests.iter().map(|request| attribute(request, "id")).collect();
        let mut answers = Vec::new();
        while !missing.is_empty() {
            let answer = self.next(LIMIT).await.unwrap_or_else(|| panic!("{} not answered", missing.len()));
            assert!(missing.remove(&attribute(&answer, "id")), "not asked, or answered twice: {answer}");
            answers.push(answer);
        }
        answers
    }

    /// Waits for a request and answers it with an empty result, as a CPE does. Returns the request.
    pub async fn accept(&mut self) -> String {
        let request = self.expect("<iq ").await;
        let (id, from) = (attribute(&request, "id"), attribute(&request, "from"));
        self.send(&format!("<iq type='result' id='{id}' to='{from}'/>")).await;
        request
    }

    /// Closes the stream cleanly.
    pub async fn close(mut self) {
        self.send("</stream:stream>").await;
        let _ = timeout(LIMIT, self.transport.read_to_end(&mut Vec::new())).await;
    }
}

/// The value of an attribute of the stanza's top-level element.
pub fn attribute(stanza: &str, name: &str) -> String {
    let tag = stanza.split('>').next().unwrap_or_default();
    let value = tag.split(&format!(" {name}='")).nth(1).and_then(|rest| rest.split('\'').next());
    value.unwrap_or_else(|| panic!("no attribute {name} in {stanza}")).to_owned()
}

/// The length of the first stanza in the output of a server or xmppd, which has no comments and no CDATA.
pub fn first_stanza(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut position = 0;
    while let Some(open) = text[position..].find('<') {
        let start = position + open;
        let end = start + end_of_tag(&text[start..])?;
        let tag = &text[start..end];
        position = end;
        if tag.starts_with("</") {
            depth -= 1;
        } else if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth <= 0 {
            return Some(position);
        }
    }
    None
}

/// Skips `>` in attribute values, which ejabberd does not escape.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (position, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '>') => return Some(position + 1),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

#[test]
fn stanzas_are_cut_at_their_ends() {
    assert_eq!(first_stanza("<iq id='1'><a/><b>t</b></iq><iq"), Some(28));
    assert_eq!(first_stanza(" <iq/><m>"), Some(6));
    assert_eq!(first_stanza("<iq id='/>' x=\">'<\"/><iq/>"), Some(21));
    assert_eq!(first_stanza("<iq><a/>"), None);
    assert_eq!(first_stanza("<iq id='1"), None);
    assert_eq!(first_stanza("</stream:stream>"), Some(16));
}
