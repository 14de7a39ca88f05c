//! A server that does what a test tells it to, in plain bytes: what no honest server does.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::net::sockopt::set_socket_linger;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use super::ca::{Ca, ServerCert, Validity};
use super::prosody::PASSWORD;
use super::scram::{self, Honesty};
use super::server::Endpoint;
use super::wait::until;
use super::wire::first_stanza;

/// The mechanisms of an ordinary server without channel binding.
pub const MECHANISMS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>";
/// The feature STARTTLS, required.
pub const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
/// The features after the login.
pub const BIND: &str = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";

/// A server; it ends with all of its connections when it is dropped.
pub struct Script {
    ca: Ca,
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

/// What happened on one connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Everything that the client sent, after decryption.
    pub received: String,
    /// How the script ended: nothing while it runs, an error if the client did not do what was expected.
    pub end: Option<Result<(), String>>,
}

impl Script {
    /// Serves `domain` on a free port of 127.0.0.1. For each connection, counted from 0, `play` is called; a connection is
    /// closed when it returns.
    pub async fn start<F, Fut>(domain: &str, play: F) -> Self
    where
        F: Fn(usize, Peer) -> Fut + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
        F: Send,
    {
        Self::start_with(domain, rustls::ALL_VERSIONS, play).await
    }

    /// As [`start`](Self::start), with these versions of TLS.
    pub async fn start_with<F, Fut>(domain: &str, versions: &[&'static SupportedProtocolVersion], play: F) -> Self
    where
        F: Fn(usize, Peer) -> Fut + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        let ca = Ca::new();
        let directory = tempfile::tempdir().unwrap();
        let acceptor = acceptor(&ca.server_cert(directory.path(), &[domain], Validity::Now), versions);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let tasks: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (list, running) = (Arc::clone(&seen), Arc::clone(&tasks));
        let domain = domain.to_owned();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = list.lock().unwrap().len();
                list.lock().unwrap().push(Seen::default());
                let peer = Peer::new(stream, acceptor.clone(), domain.clone(), number, Arc::clone(&list));
                let played = play(number, peer);
                let list = Arc::clone(&list);
                let task = tokio::spawn(async move {
                    let end = played.await.map_err(|error| error.to_string());
                    list.lock().unwrap()[number].end = Some(end);
                });
                running.lock().unwrap().push(task.abort_handle());
            }
        });
        tasks.lock().unwrap().push(accepting.abort_handle());
        Self { ca, port, seen, tasks }
    }

    /// What happened on each connection so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until the script of this connection, counted from 0, has ended; fails if it was not played to its end.
    pub async fn wait_played(&self, connection: usize, limit: Duration) -> Seen {
        let seen = until(&format!("the end of the script of connection {connection}"), limit, || {
            self.seen().get(connection).filter(|seen| seen.end.is_some()).cloned()
        })
        .await;
        assert_eq!(seen.end, Some(Ok(())), "received: {:?}", seen.received);
        seen
    }
}

impl Endpoint for Script {
    fn port(&self) -> u16 {
        self.port
    }

    fn ca_pem(&self) -> PathBuf {
        self.ca.pem()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        for task in &*self.tasks.lock().unwrap() {
            task.abort();
        }
        if std::thread::panicking() {
            eprintln!("--- the scripted server's connections: {:#?}", self.seen());
        }
    }
}

trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// The client of one connection.
pub struct Peer {
    transport: Option<Box<dyn Transport>>,
    /// The same socket, for what is to happen under TLS.
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
    fn new(
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

    /// Sends this, as it is.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let transport = self.transport.as_mut().expect("a connection");
        transport.write_all(bytes.as_ref()).await?;
        transport.flush().await
    }

    /// Reads until `end` has come; gives everything that came up to it.
    pub async fn expect(&mut self, end: &str) -> io::Result<String> {
        loop {
            if let Some(position) = self.unread.find(end) {
                let rest = self.unread.split_off(position + end.len());
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            self.read(end).await?;
        }
    }

    /// The next stanza, as text.
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

    /// Reads until the client leaves.
    pub async fn expect_end(&mut self) -> io::Result<String> {
        match self.expect("\0").await {
            // The client's RST is an end as well as its FIN.
            Err(_) => Ok(std::mem::take(&mut self.unread)),
            Ok(text) => Err(io::Error::other(format!("a NUL came: {text:?}"))),
        }
    }

    /// The client's stream header, answered with ours and these features.
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

    /// What comes after the features with STARTTLS: the client begins TLS.
    pub async fn starttls(&mut self) -> io::Result<()> {
        self.expect("<starttls").await?;
        self.expect("urn:ietf:params:xml:ns:xmpp-tls").await?;
        self.expect(">").await?;
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        // An end tag may still be there, if the element was not empty by its tag.
        self.unread.clear();
        self.tls().await
    }

    /// TLS, at once.
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

    /// Begins a login with SCRAM, and asks for that many iterations of PBKDF2.
    pub async fn ask_for_iterations(&mut self, iterations: u32) -> io::Result<()> {
        let auth = self.element("auth").await?;
        let mut exchange = scram::Exchange::new("", "");
        exchange.iterations = iterations;
        let challenge = exchange.challenge(&decode(&auth)?, None).map_err(io::Error::other)?;
        self.send(sasl("challenge", &challenge)).await
    }

    /// A login with SCRAM and this password, by a server that is honest or not. Gives the client's first message.
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

    /// Binding of a resource: the answer gives this JID, whatever was asked for.
    pub async fn bind(&mut self, full_jid: &str) -> io::Result<()> {
        let request = self.element("iq").await?;
        let id = request.split(" id=").nth(1).and_then(|rest| rest.get(1..)).unwrap_or_default();
        let id = id.split(['\'', '"']).next().unwrap_or_default();
        let bind = format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{full_jid}</jid></bind>");
        self.send(format!("<iq type='result' id='{id}'>{bind}</iq>")).await
    }

    /// All of it, as an honest server does: STARTTLS, SCRAM with the harness's password, and this JID.
    pub async fn log_in(&mut self, full_jid: &str) -> io::Result<()> {
        self.open(STARTTLS).await?;
        self.starttls().await?;
        self.open(MECHANISMS).await?;
        self.scram(PASSWORD, Honesty::Honest).await?;
        self.open(BIND).await?;
        self.bind(full_jid).await
    }

    /// The next element of this name, with its content; one that holds no other of the same name.
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

/// The content of an element, without its base64.
fn decode(element: &str) -> io::Result<String> {
    let content = element.split_once('>').and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default();
    let bytes = BASE64.decode(content).map_err(io::Error::other)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn acceptor(certificate: &ServerCert, versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(&certificate.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
