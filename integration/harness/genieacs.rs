//! An ACS that behaves like `GenieACS`, without buffering its stream.
//!
//! Once it is online, each read must return whole stanzas. It evaluates only the first child of an error, and on
//! `not-authorized` tries its next credentials at once. It waits longer for an answer than the 2 s of `GenieACS`, which an
//! answer may take on a busy machine.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use connreq::tls::Trust;
use rustls::pki_types::ServerName;
use sasl::client::Mechanism;
use sasl::client::mechanisms::{Plain, Scram};
use sasl::common::ChannelBinding;
use sasl::common::scram::Sha1;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::prosody::PASSWORD;
use super::raw_client::first_stanza;
use super::server::Server;
use super::stanzas::CONNECTION_REQUEST;
use super::wait::LIMIT;

/// The login mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// SCRAM-SHA-1 without channel binding.
    ScramSha1,
    /// PLAIN
    Plain,
}

/// The outcome of a connection request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer of type `result`.
    Accepted,
    /// An answer of type `error` whose first child is this.
    Refused(String),
    /// No answer in time.
    Silence,
}

/// A session.
pub struct GenieAcs {
    transport: TlsStream<TcpStream>,
    bare_jid: String,
    requests: usize,
}

impl GenieAcs {
    /// Creates the account and logs in with it; the server chooses the resource.
    pub async fn login(server: &impl Server, bare_jid: &str, login: Login) -> Self {
        server.account(bare_jid);
        let (user, domain) = bare_jid.split_once('@').expect("a bare JID");
        let header = format!(
            "<?xml version='1.0'?><stream:stream to=\"{domain}\" version=\"1.0\" xmlns=\"jabber:client\" \
             xmlns:stream=\"http://etherx.jabber.org/streams\">"
        );
        let mut tcp = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        converse(&mut tcp, &header, "</stream:features>").await;
        converse(&mut tcp, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>", "<proceed").await;
        let config = Trust::File(server.ca_pem()).client_config().unwrap();
        let name = ServerName::try_from(domain.to_owned()).unwrap();
        let mut transport = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await.unwrap();
        converse(&mut transport, &header, "</stream:features>").await;

        let mut mechanism: Box<dyn Mechanism> = match login {
            Login::ScramSha1 => Box::new(Scram::<Sha1>::new(user, PASSWORD, ChannelBinding::None).unwrap()),
            Login::Plain => Box::new(Plain::new(user, PASSWORD)),
        };
        let initial = BASE64.encode(mechanism.initial());
        let mut said = format!(
            "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\" mechanism=\"{}\">{initial}</auth>",
            mechanism.name()
        );
        loop {
            let answer = converse(&mut transport, &said, ">").await;
            if answer.contains("<success") {
                break;
            }
            assert!(answer.contains("<challenge"), "{login:?}: {answer}");
            let challenge = answer.split('>').nth(1).and_then(|rest| rest.split('<').next()).unwrap();
            let response = mechanism.response(&BASE64.decode(challenge).unwrap()).unwrap();
            said =
                format!("<response xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\">{}</response>", BASE64.encode(response));
        }
        converse(&mut transport, &header, "</stream:features>").await;
        let bind = "<iq type=\"set\" id=\"bind\"><bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\"/></iq>";
        let bound = converse(&mut transport, bind, "</iq>").await;
        assert!(bound.contains(&format!("<jid>{bare_jid}/")), "{bound}");
        Self { transport, bare_jid: bare_jid.to_owned(), requests: 0 }
    }

    /// Sends a connection request with its bare JID as the sender.
    pub async fn request(&mut self, to: &str, username: &str, password: &str) -> Answer {
        self.requests += 1;
        let id = format!("cr{:03}", self.requests);
        let request = format!(
            "<iq from=\"{}\" to=\"{to}\" id=\"{id}\" type=\"get\"><connectionRequest xmlns=\"{CONNECTION_REQUEST}\">\
             <username>{username}</username><password>{password}</password></connectionRequest></iq>",
            self.bare_jid
        );
        self.transport.write_all(request.as_bytes()).await.unwrap();
        let answer = timeout(LIMIT, async {
            loop {
                let stanzas = self.segment().await;
                if let Some(answer) = stanzas.into_iter().find(|stanza| stanza.contains(&format!("id='{id}'"))) {
                    return answer;
                }
            }
        });
        let Ok(answer) = answer.await else { return Answer::Silence };
        let tag = answer.split('>').next().unwrap();
        if tag.contains(" type='result'") {
            return Answer::Accepted;
        }
        let (_, in_error) = answer.split_once("<error").unwrap_or_else(|| panic!("neither: {answer}"));
        let first = in_error.split('<').nth(1).unwrap_or_default();
        Answer::Refused(first.split([' ', '/', '>']).next().unwrap().to_owned())
    }

    /// Tries these credentials in order, the next ones after `not-authorized`. Returns the last outcome and the number of
    /// requests.
    pub async fn try_all(&mut self, to: &str, credentials: &[(&str, &str)]) -> (Answer, usize) {
        let mut last = (Answer::Silence, 0);
        for (username, password) in credentials {
            last = (self.request(to, username, password).await, last.1 + 1);
            if last.0 != Answer::Refused("not-authorized".to_owned()) {
                break;
            }
        }
        last
    }

    /// Returns the stanzas of one read; fails unless they are complete.
    async fn segment(&mut self) -> Vec<String> {
        let mut buffer = vec![0; 64 << 10];
        let read = self.transport.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended");
        let mut text = std::str::from_utf8(&buffer[..read]).expect("whole characters");
        let mut stanzas = Vec::new();
        while !text.trim_start().is_empty() {
            let length = first_stanza(text).unwrap_or_else(|| panic!("a segment that is not whole: {text:?}"));
            stanzas.push(text[..length].to_owned());
            text = &text[length..];
        }
        stanzas
    }

    /// Drops the connection.
    pub fn leave(self) {
        drop(self);
    }
}

/// Sends text and reads until `end` has arrived.
async fn converse(transport: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str, end: &str) -> String {
    transport.write_all(text.as_bytes()).await.unwrap();
    transport.flush().await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, async {
        while !(answer.contains(end) && answer.trim_end().ends_with('>')) {
            let mut buffer = [0; 4096];
            let read = transport.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the server left after {answer:?}");
            answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no {end:?} after {text:?}"));
    answer
}
