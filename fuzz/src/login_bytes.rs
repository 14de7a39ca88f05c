//! A server's bytes from the first one up to the login: an attempt ends in time, in a session or in an error that says
//! why, whatever the server sends; and no server gets a password out of it, or a session without proof that it knows it.
//!
//! The first line of an input says with words how xmppd is set up. Below it is what the server says, in turns: lines of
//! `%%%` separate them, and each is sent when xmppd has nothing more to say. So that a server of bytes can play its part,
//! `$ID` stands for the id of xmppd's last stanza, `[[text]]` for the text in base64, in which `$NONCE` is xmppd's nonce
//! and `$SIGNATURE` the signature of a server that knows the password. With the word `tls` the server does TLS, at once
//! with the word `direct`, or else after a turn with `<proceed`; what follows is sent through it.

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
use xmppd::xmpp::connect::{Account, AttemptError, Session, SessionStart};
use xmppd::xmpp::login::log_in;
use xmppd::xmpp::ns;
use xmppd::xmpp::servers::Security;
use xmppd::xmpp::stream_management::Resumption;
use xmppd::xmpp::tls::{LazyTls, TlsSettings, TrustStores};
use xmppd::xmpp::transport::Transport;

use super::tree::{self, Element, Rest};
use super::wire;

const SECRET: &str = "hunter2";
const SEPARATOR: &[u8] = b"\n%%%\n";

/// Seven steps of 10 s, and what the turns of the server take.
const LONGEST: Duration = Duration::from_secs(120);

thread_local! {
    static TLS: LazyTls = LazyTls::new(TlsSettings { ca: None, verify: false }, TrustStores::default());
    static ACCEPTOR: TlsAcceptor = acceptor();
}

/// The server's side of TLS, with a certificate that nobody knows.
fn acceptor() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions of TLS").with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).expect("a certificate")))
}

/// How xmppd and the server are set up.
#[allow(clippy::struct_excessive_bools, reason = "one for each word of an input's first line")]
struct Setting {
    use_tls: bool,
    direct: bool,
    /// The server knows what TLS is.
    tls: bool,
    resume: bool,
    resource: bool,
    /// The server closes the connection behind its last word.
    close: bool,
    /// The bytes come in pieces of this size.
    piece: usize,
}

/// One input; says how the attempt ended.
pub fn run(input: &[u8]) -> String {
    let (words, bytes) = wire::first_line(input);
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
    let (result, server) = wire::run(play(&setting, bytes));
    let (clear, inside) =
        if server.encrypted { (&server.clear, server.read.as_slice()) } else { (&server.read, &[][..]) };
    let clear = plain(clear);
    for (written, encrypted) in [(clear, false), (inside, true)] {
        for stream in streams(written) {
            let (said, rest) = tree::stream(stream);
            assert!(rest != Rest::Wrong, "what is written is no stream: {}", String::from_utf8_lossy(stream));
            let scram = |auth: &Element| auth.attribute("mechanism").is_some_and(|name| name.starts_with("SCRAM-SHA-"));
            let safe = |element: &Element| encrypted || !element.is(ns::SASL, "auth") || scram(element);
            assert!(said.iter().all(safe), "PLAIN without TLS");
        }
    }
    let (secret, message) = (SECRET.as_bytes(), BASE64.encode(format!("\0cpe\0{SECRET}")));
    assert!(!holds(clear, secret) && !holds(clear, message.as_bytes()), "the password is sent for everyone to read");
    match &result {
        Ok(session) => {
            assert!(!setting.use_tls || session.tls, "a session without TLS");
            let plain = session.tls && session.description.ends_with(" PLAIN");
            assert!(server.proven || plain, "a session with a server that does not know the password");
            assert!(setting.resume || matches!(session.start, SessionStart::Bound { .. }), "{:?}", session.start);
        }
        Err(error) if !holds(bytes, secret) => {
            let said = format!("{error} {error:?}");
            assert!(!said.contains(SECRET), "{said}");
        }
        Err(_) => {}
    }
    result.map_or_else(|error| error.to_string(), |session| session.description)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What comes before TLS, whose handshake begins with a record of this type.
fn plain(written: &[u8]) -> &[u8] {
    written.split(|&byte| byte == 0x16).next().unwrap_or_default()
}

/// What is written, cut at each new stream.
fn streams(written: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"<?xml ";
    let mut starts: Vec<usize> =
        written.windows(BEGIN.len()).enumerate().filter(|(_, window)| *window == BEGIN).map(|(at, _)| at).collect();
    starts.push(written.len());
    starts.windows(2).map(|pair| &written[pair[0]..pair[1]]).collect()
}

async fn play(setting: &Setting, bytes: &[u8]) -> (Result<Session, AttemptError>, Server) {
    let (ours, theirs) = wire::pair();
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
    let begun = Instant::now();
    let attempt = async {
        let attempt = log_in(Transport::Plain(ours), security, &account, &tls, resumption);
        let result = tokio::time::timeout(LONGEST, attempt).await.expect("it ends in time");
        assert!(begun.elapsed() <= LONGEST);
        // The stream is left here, so that the server can see it.
        result
    };
    let mut server = Server::default();
    let serve = server.serve(theirs, setting, bytes);
    let result = {
        let mut serve = std::pin::pin!(serve);
        let mut attempt = std::pin::pin!(attempt);
        tokio::select! {
            biased;
            result = &mut attempt => result,
            () = &mut serve => attempt.await,
        }
    };
    (result, server)
}

#[derive(Default)]
struct Server {
    /// What xmppd has said; with TLS, what it has said in it.
    read: Vec<u8>,
    /// What it has said for everyone to read.
    clear: Vec<u8>,
    encrypted: bool,
    /// The last message of SCRAM with a nonce.
    first: String,
    /// The right signature was sent.
    proven: bool,
}

impl Server {
    async fn serve(&mut self, mut socket: TcpStream, setting: &Setting, bytes: &[u8]) {
        let turns = turns(bytes);
        let mut left = turns.as_slice();
        let at_once = setting.tls && setting.direct;
        if !at_once && !self.speak(&mut socket, setting, &mut left).await {
            return;
        }
        self.clear = std::mem::take(&mut self.read);
        self.encrypted = true;
        let Ok(mut socket) = ACCEPTOR.with(Clone::clone).accept(socket).await else { return };
        self.speak(&mut socket, setting, &mut left).await;
    }

    /// Takes its turns; true if it is time for TLS.
    async fn speak<S>(&mut self, socket: &mut S, setting: &Setting, turns: &mut &[&[u8]]) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some((turn, left)) = turns.split_first() {
            *turns = left;
            if !wire::listen(socket, Duration::from_millis(1), &mut self.read).await {
                return false;
            }
            let said = self.expand(turn);
            if setting.tls && !self.encrypted && holds(&said, b"<proceed") {
                // What comes now is for TLS to read.
                return socket.write_all(&said).await.is_ok();
            }
            if !wire::exchange(socket, &said, setting.piece, &mut self.read).await {
                return false;
            }
        }
        if setting.close {
            let _ = socket.shutdown().await;
        }
        wire::listen(socket, Duration::from_secs(600), &mut self.read).await;
        false
    }

    /// A turn with everything that stands for something else put in.
    fn expand(&mut self, turn: &[u8]) -> Vec<u8> {
        let id = last_between(&self.read, "id='", "'").unwrap_or_default().to_owned();
        let mut said = Vec::new();
        let mut rest = turn;
        while let Some((before, inside, after)) = cut(rest) {
            said.extend(replaced(before, "$ID", &id));
            let message = self.message(inside);
            said.extend(BASE64.encode(message).into_bytes());
            rest = after;
        }
        said.extend(replaced(rest, "$ID", &id));
        said
    }

    /// A message of SCRAM.
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

/// What is before `[[`, up to `]]`, and behind that.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
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
    let text = std::str::from_utf8(plain(bytes)).ok()?;
    let (_, behind) = text.rsplit_once(begin)?;
    behind.split_once(end).map(|(between, _)| between)
}

fn decoded(text: &str) -> String {
    BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name))
}
