//! A server's bytes up to the login: an attempt ends in time, in a session or an error. No server learns the password
//! in plain text, and none gets a session without proving that it knows the password.
//!
//! The words of an input's first line are the settings. The turns of the server follow, separated by lines of `%%%`.
//! Each is sent when xmppd is waiting. `$ID` stands for the id of xmppd's last stanza, and `[[text]]` for the text in
//! base64, in which `$NONCE` is xmppd's nonce and `$SIGNATURE` the signature of a server that knows the password. With
//! the word `tls` the server supports TLS: from the beginning with the word `direct`, otherwise after a turn with
//! `<proceed`. The turns after that are encrypted.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sasl::common::Password as ServerPassword;
use sasl::common::scram::{ScramProvider, Sha1, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use xmppd::config::model::Password;
use xmppd::xmpp::account::Account;
use xmppd::xmpp::attempt::AttemptError;
use xmppd::xmpp::bind::SessionStart;
use xmppd::xmpp::login::{Session, log_in};
use xmppd::xmpp::ns;
use xmppd::xmpp::servers::Security;
use xmppd::xmpp::stream_management::Resumption;
use xmppd::xmpp::tls::{LazyTls, TlsSettings, TrustStores};
use xmppd::xmpp::transport::Transport;

use crate::socket;
use crate::xml_tree::{Element, Rest, parse_stream};

const SECRET: &str = "hunter2";
const SEPARATOR: &[u8] = b"\n%%%\n";

/// Upper limit of an attempt: seven steps of 10 s, and the turns of the server.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(120);

thread_local! {
    static TLS: LazyTls = LazyTls::new(TlsSettings { ca: None, verify: false }, TrustStores::default());
    static ACCEPTOR: TlsAcceptor = acceptor();
}

/// The server's side of TLS, with a self-signed certificate.
fn acceptor() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions of TLS").with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).expect("a certificate")))
}

/// The settings of xmppd and of the simulated server.
#[allow(clippy::struct_excessive_bools, reason = "one for each word of an input's first line")]
struct Setting {
    use_tls: bool,
    direct: bool,
    /// The server supports TLS.
    tls: bool,
    resume: bool,
    resource: bool,
    /// The server closes the connection after its last turn.
    close: bool,
    /// Size of the pieces in which the server sends, bytes.
    piece: usize,
}

/// Runs one input. Returns how the attempt ended.
#[must_use]
pub fn run(input: &[u8]) -> String {
    let (words, bytes) = socket::split_settings(input);
    let has = |word: &str| words.contains(&word);
    let setting = Setting {
        use_tls: has("usetls"),
        direct: has("direct"),
        tls: has("tls"),
        resume: has("resume"),
        resource: has("resource"),
        close: has("close"),
        piece: if has("pieces") { 7 } else { 4096 },
    };
    let (result, server) = socket::block_on(attempt(&setting, bytes));
    let (clear, inside) =
        if server.encrypted { (&server.clear, server.read.as_slice()) } else { (&server.read, &[][..]) };
    let clear = before_tls(clear);
    for (written, encrypted) in [(clear, false), (inside, true)] {
        for stream in streams(written) {
            let (sent, rest) = parse_stream(stream);
            assert!(rest != Rest::Invalid, "xmppd sends invalid XML: {}", String::from_utf8_lossy(stream));
            let scram = |auth: &Element| auth.attribute("mechanism").is_some_and(|name| name.starts_with("SCRAM-SHA-"));
            let safe = |element: &Element| encrypted || !element.is(ns::SASL, "auth") || scram(element);
            assert!(sent.iter().all(safe), "PLAIN without TLS");
        }
    }
    let (secret, message) = (SECRET.as_bytes(), BASE64.encode(format!("\0cpe\0{SECRET}")));
    assert!(!holds(clear, secret) && !holds(clear, message.as_bytes()), "the password is sent unencrypted");
    match &result {
        Ok(session) => {
            assert!(!setting.use_tls || session.tls, "a session without TLS");
            let plain = session.tls && session.description.ends_with(" PLAIN");
            assert!(server.proven || plain, "a session with a server that does not know the password");
            assert!(setting.resume || matches!(session.start, SessionStart::Bound { .. }), "{:?}", session.start);
        }
        Err(error) if !holds(bytes, secret) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{shown}");
        }
        Err(_) => {}
    }
    result.map_or_else(|error| error.to_string(), |session| session.description)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The bytes before the TLS handshake, which begins with a record of type 0x16.
fn before_tls(written: &[u8]) -> &[u8] {
    written.split(|&byte| byte == 0x16).next().unwrap_or_default()
}

/// Splits what xmppd sends at each new stream.
fn streams(written: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"<?xml ";
    let mut starts: Vec<usize> =
        written.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN).map(|(at, _)| at).collect();
    starts.push(written.len());
    starts.windows(2).map(|pair| &written[pair[0]..pair[1]]).collect()
}

/// Lets xmppd log in to a server that sends these bytes.
async fn attempt(setting: &Setting, bytes: &[u8]) -> (Result<Session, AttemptError>, Server) {
    let (ours, theirs) = socket::pair();
    let account = Account {
        username: "cpe".to_owned(),
        password: Password::from(SECRET.to_owned()),
        domain: "a.test".to_owned(),
        ascii_domain: "a.test".to_owned(),
        resource: setting.resource.then(|| "wan".to_owned()),
        use_tls: setting.use_tls,
    };
    let security = if setting.direct { Security::DirectTls } else { Security::StartTls };
    let resumption = setting.resume.then(|| Resumption { previous: "some-id".to_owned(), handled: 7 });
    let tls = TLS.with(Clone::clone);
    let start = Instant::now();
    let login = async {
        let login = log_in(Transport::Plain(ours), security, &account, &tls, resumption);
        let result = tokio::time::timeout(ATTEMPT_LIMIT, login).await.expect("the attempt ends in time");
        assert!(start.elapsed() <= ATTEMPT_LIMIT);
        result
    };
    let mut server = Server::default();
    let serve = server.serve(theirs, setting, bytes);
    let result = {
        let mut serve = std::pin::pin!(serve);
        let mut login = std::pin::pin!(login);
        tokio::select! {
            biased;
            result = &mut login => result,
            () = &mut serve => login.await,
        }
    };
    (result, server)
}

#[derive(Default)]
struct Server {
    /// What xmppd has sent; after the handshake, through TLS.
    read: Vec<u8>,
    /// What xmppd sent before the handshake.
    clear: Vec<u8>,
    encrypted: bool,
    /// The last server-first-message.
    first: String,
    /// The server has sent the right signature.
    proven: bool,
}

impl Server {
    async fn serve(&mut self, mut socket: TcpStream, setting: &Setting, bytes: &[u8]) {
        let turns = turns(bytes);
        let mut left = turns.as_slice();
        let at_once = setting.tls && setting.direct;
        if !at_once && !self.take_turns(&mut socket, setting, &mut left).await {
            return;
        }
        self.clear = std::mem::take(&mut self.read);
        self.encrypted = true;
        let Ok(mut socket) = ACCEPTOR.with(Clone::clone).accept(socket).await else { return };
        self.take_turns(&mut socket, setting, &mut left).await;
    }

    /// Takes the turns. Returns true when the TLS handshake is due.
    async fn take_turns<S>(&mut self, socket: &mut S, setting: &Setting, turns: &mut &[&[u8]]) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some((turn, left)) = turns.split_first() {
            *turns = left;
            if !socket::receive(socket, Duration::from_millis(1), &mut self.read).await {
                return false;
            }
            let text = self.expand(turn);
            if setting.tls && !self.encrypted && holds(&text, b"<proceed") {
                return socket.write_all(&text).await.is_ok();
            }
            if !socket::exchange(socket, &text, setting.piece, &mut self.read).await {
                return false;
            }
        }
        if setting.close {
            let _ = socket.shutdown().await;
        }
        socket::receive(socket, Duration::from_secs(600), &mut self.read).await;
        false
    }

    /// Replaces the placeholders of a turn.
    fn expand(&mut self, turn: &[u8]) -> Vec<u8> {
        let id = last_between(&self.read, "id='", "'").unwrap_or_default().to_owned();
        let mut text = Vec::new();
        let mut rest = turn;
        while let Some((before, inside, after)) = split_brackets(rest) {
            text.extend(replaced(before, "$ID", &id));
            let message = self.message(inside);
            text.extend(BASE64.encode(message).into_bytes());
            rest = after;
        }
        text.extend(replaced(rest, "$ID", &id));
        text
    }

    /// Replaces the placeholders of a SCRAM message.
    fn message(&mut self, text: &[u8]) -> Vec<u8> {
        let auth = last_between(&self.read, "<auth", "</auth>").unwrap_or_default();
        let initial = decoded(auth.rsplit('>').next().unwrap_or_default());
        let bare = initial.splitn(3, ',').nth(2).unwrap_or_default();
        let mut message = replaced(text, "$NONCE", attribute(bare, "r=").unwrap_or_default());
        if holds(&message, b"$SIGNATURE") {
            let response = last_between(&self.read, "<response", "</response>").unwrap_or_default();
            let response = decoded(response.rsplit('>').next().unwrap_or_default());
            let sha256 = auth.contains("SCRAM-SHA-256");
            let signed = if sha256 { self.sign::<Sha256>(bare, &response) } else { self.sign::<Sha1>(bare, &response) };
            message = replaced(&message, "$SIGNATURE", &signed.map(|signed| BASE64.encode(signed)).unwrap_or_default());
            self.proven = true;
        }
        if message.starts_with(b"r=")
            && let Ok(text) = std::str::from_utf8(&message)
        {
            text.clone_into(&mut self.first);
        }
        message
    }

    /// RFC 5802 3: `ServerSignature`.
    fn sign<H: ScramProvider>(&self, client_first: &str, client_last: &str) -> Option<Vec<u8>> {
        let salt = BASE64.decode(attribute(&self.first, "s=")?).ok()?;
        let iterations = attribute(&self.first, "i=")?.parse().ok().filter(|count| (1..=500_000).contains(count))?;
        let without_proof = client_last.split(",p=").next()?;
        let message = format!("{client_first},{},{without_proof}", self.first);
        let salted = H::derive(&ServerPassword::Plain(SECRET.to_owned()), &salt, iterations).ok()?;
        H::hmac(message.as_bytes(), &H::hmac(b"Server Key", &salted).ok()?).ok()
    }
}

fn turns(bytes: &[u8]) -> Vec<&[u8]> {
    let mut turns = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        turns.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    turns.push(rest);
    turns
}

/// Splits at the first `[[...]]`: what precedes, is inside, and follows it.
fn split_brackets(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let at = |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark);
    let open = at(bytes, b"[[")?;
    let close = open + 2 + at(&bytes[open + 2..], b"]]")?;
    Some((&bytes[..open], &bytes[open + 2..close], &bytes[close + 2..]))
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn last_between<'a>(bytes: &'a [u8], begin: &str, end: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(before_tls(bytes)).ok()?;
    let (_, behind) = text.rsplit_once(begin)?;
    behind.split_once(end).map(|(between, _)| between)
}

fn decoded(text: &str) -> String {
    BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name))
}
