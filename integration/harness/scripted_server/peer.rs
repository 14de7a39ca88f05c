//! The client of a scripted server, as the script sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{BIND, MECHANISMS, STARTTLS, Seen};
use crate::harness::prosody::PASSWORD;
use crate::harness::raw_client::first_stanza;
use crate::harness::scram::{self, Honesty};

trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// The client of one connection.
pub struct Peer {
    transport: Option<Box<dyn Transport>>,
    /// The same socket, to access it below TLS.
    socket: OwnedFd,
    acceptor: TlsAcceptor,
    domain: String,
    number: usize,
    seen: Arc<Mutex<Vec<Seen>>>,
    unread: String,
    /// The `tls-exporter` channel binding (RFC 9266), with TLS 1.3.
    exporter: Option<Vec<u8>>,
}

impl Peer {
    pub(super) fn new(
        stream: TcpStream,
        acceptor: TlsAcceptor,
        domain: String,
        number: usize,
        seen: Arc<Mutex<Vec<Seen>>>,
    ) -> Self {
        let socket = stream.as_fd().try_clone_to_owned().unwrap();
        Self {
            transport: Some(Box::new(stream)),
            socket,
            acceptor,
            domain,
            number,
            seen,
            unread: String::new(),
            exporter: None,
        }
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let transport = self.transport.as_mut().expect("a connection");
        transport.write_all(bytes.as_ref()).await?;
        transport.flush().await
    }

    /// Reads until `end` has arrived; returns everything up to it.
    pub async fn expect(&mut self, end: &str) -> io::Result<String> {
        loop {
            if let Some(position) = self.unread.find(end) {
                let rest = self.unread.split_off(position + end.len());
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            self.read(end).await?;
        }
    }

    /// Reads the next stanza.
    pub async fn stanza(&mut self) -> io::Result<String> {
        loop {
            if let Some(length) = first_stanza(&self.unread) {
                let rest = self.unread.split_off(length);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            self.read("a stanza").await?;
        }
    }

    async fn read(&mut self, expected: &str) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let read = self.transport.as_mut().expect("a connection").read(&mut buffer).await?;
        if read == 0 {
            let why = format!("the client left; {expected:?} was expected after {:?}", self.unread);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        let text = String::from_utf8_lossy(&buffer[..read]);
        self.seen.lock().unwrap()[self.number].received.push_str(&text);
        self.unread.push_str(&text);
        Ok(())
    }

    /// Reads until the client closes the connection.
    pub async fn expect_end(&mut self) -> io::Result<String> {
        match self.expect("\0").await {
            // A RST counts as well as a FIN.
            Err(_) => Ok(std::mem::take(&mut self.unread)),
            Ok(text) => Err(io::Error::other(format!("a NUL came: {text:?}"))),
        }
    }

    /// Reads the client's stream header, and answers with a header and these features.
    pub async fn open(&mut self, features: &str) -> io::Result<()> {
        self.expect("<stream:stream").await?;
        self.expect(">").await?;
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             version='1.0' id='s{}' from='{}'><stream:features>{features}</stream:features>",
            self.number, self.domain
        );
        self.send(header).await
    }

    /// Expects STARTTLS and performs the TLS handshake.
    pub async fn starttls(&mut self) -> io::Result<()> {
        self.expect("<starttls").await?;
        self.expect("urn:ietf:params:xml:ns:xmpp-tls").await?;
        self.expect(">").await?;
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        // Drops an end tag, if the element was not self-closing.
        self.unread.clear();
        self.tls().await
    }

    /// Performs the TLS handshake.
    pub async fn tls(&mut self) -> io::Result<()> {
        let transport = self.transport.take().expect("a connection");
        let stream = self.acceptor.accept(transport).await?;
        let connection = stream.get_ref().1;
        if connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            self.exporter = connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok();
        }
        self.transport = Some(Box::new(stream));
        Ok(())
    }

    /// Begins a SCRAM login that asks for this number of iterations of PBKDF2.
    pub async fn ask_for_iterations(&mut self, iterations: u32) -> io::Result<()> {
        let auth = self.element("auth").await?;
        let mut exchange = scram::Exchange::new("", "");
        exchange.iterations = iterations;
        let challenge = exchange.challenge(&decode(&auth)?, None).map_err(io::Error::other)?;
        self.send(sasl("challenge", &challenge)).await
    }

    /// Performs a SCRAM login with this password and behavior. Returns the client's first message.
    pub async fn scram(&mut self, password: &str, honesty: Honesty) -> io::Result<String> {
        let auth = self.element("auth").await?;
        let mechanism = auth.split("mechanism=").nth(1).and_then(|rest| rest.get(1..)).unwrap_or_default();
        let mut exchange = scram::Exchange::new(mechanism.split(['\'', '"']).next().unwrap_or_default(), password);
        let first = decode(&auth)?;
        let challenge = exchange.challenge(&first, self.exporter.as_deref()).map_err(io::Error::other)?;
        self.send(sasl("challenge", &challenge)).await?;
        let last = decode(&self.element("response").await?)?;
        match exchange.success(&last, honesty) {
            Ok(success) => self.send(sasl("success", &success)).await?,
            Err(why) => {
                self.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>").await?;
                return Err(io::Error::other(why));
            }
        }
        Ok(first)
    }

    /// Expects a request to bind a resource, and binds this JID whatever was requested.
    pub async fn bind(&mut self, full_jid: &str) -> io::Result<()> {
        let request = self.element("iq").await?;
        let id = request.split(" id=").nth(1).and_then(|rest| rest.get(1..)).unwrap_or_default();
        let id = id.split(['\'', '"']).next().unwrap_or_default();
        let bind = format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{full_jid}</jid></bind>");
        self.send(format!("<iq type='result' id='{id}'>{bind}</iq>")).await
    }

    /// Performs STARTTLS, and answers the stream header after it with these features.
    pub async fn encrypt(&mut self, features: &str) -> io::Result<()> {
        self.open(STARTTLS).await?;
        self.starttls().await?;
        self.open(features).await
    }

    /// Performs STARTTLS and SCRAM with the harness's password, and offers these features after them.
    pub async fn authenticate(&mut self, features: &str) -> io::Result<()> {
        self.encrypt(MECHANISMS).await?;
        self.scram(PASSWORD, Honesty::Honest).await?;
        self.open(features).await
    }

    /// Performs the login of an honest server: STARTTLS, SCRAM with the harness's password, and this JID.
    pub async fn log_in(&mut self, full_jid: &str) -> io::Result<()> {
        self.authenticate(BIND).await?;
        self.bind(full_jid).await
    }

    /// Reads the next element of this name with its content, which must not contain another one of that name.
    pub async fn element(&mut self, name: &str) -> io::Result<String> {
        self.expect(&format!("<{name}")).await?;
        let tag = self.expect(">").await?;
        if tag.ends_with("/>") {
            return Ok(tag);
        }
        Ok(tag + &self.expect(&format!("</{name}>")).await?)
    }

    /// Ends the connection with a RST.
    pub fn reset(self) {
        let _ = set_socket_linger(&self.socket, Some(Duration::ZERO));
    }
}

fn sasl(name: &str, data: &str) -> String {
    format!("<{name} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</{name}>", BASE64.encode(data))
}

/// Decodes the base64 content of an element.
fn decode(element: &str) -> io::Result<String> {
    let content = element.split_once('>').and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default();
    let bytes = BASE64.decode(content).map_err(io::Error::other)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
