//! One attempt to connect: TCP, TLS, stream, login, bind. Each step has its own limit and its own words.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jid::FullJid;
use rand::RngExt as _;
use rustls::ClientConfig;
use tokio::io::BufReader;
use tokio_rustls::TlsConnector;

use super::incoming::{Element, Features, Known, Said};
use super::outgoing::{Iq, Payload as OutPayload, Resume, StartTls};
use super::payload::{Known as KnownPayload, Payload};
use super::sasl::{self, SaslError};
use super::servers::{Address, Security};
use super::stream_management::Resumption;
use super::tls::{LazyTls, TlsSetupError, certificate_error, server_name};
use super::transport::{Buffered, Transport};
use super::xml_stream::{Received, StreamFault, XmlStream};
use crate::config::model::Password;

/// How long each step may take. A healthy server needs milliseconds; a satellite link and a lost packet fit in.
const STEP_LIMIT: Duration = Duration::from_secs(10);

/// Whose account, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `username`
    pub username: String,
    /// `password`
    pub password: Password,
    /// `domain`
    pub domain: String,
    /// The domain as A-labels: for DNS and for the certificate.
    pub ascii_domain: String,
    /// `resource`
    pub resource: Option<String>,
    /// `usetls`
    pub use_tls: bool,
}

/// A stream on which stanzas can be exchanged.
pub struct Session {
    /// The stream.
    pub stream: XmlStream<Buffered>,
    /// How it came about.
    pub entry: Entry,
    /// Whether TLS is on.
    pub tls: bool,
    /// For the log: TLS version and login mechanism.
    pub description: String,
}

/// How a session came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A resource was bound.
    Bound {
        /// The full JID that the server gave.
        jid: FullJid,
        /// Whether the server offers stream management.
        manageable: bool,
    },
    /// The stream before was resumed.
    Resumed {
        /// How many of our stanzas the server has handled.
        handled: u32,
    },
}

/// The steps of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// TCP
    Connect,
    /// TLS, with or without STARTTLS before it
    Tls,
    /// Stream header and features
    Stream,
    /// SASL
    Login,
    /// Resource binding
    Bind,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "TLS",
            Self::Stream => "opening the stream",
            Self::Login => "login",
            Self::Bind => "binding the resource",
        })
    }
}

/// A failed attempt: at which step, and why.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct AttemptError {
    /// Where.
    pub step: Step,
    /// Why.
    pub cause: Cause,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The step took too long.
    #[error("no answer within {} s", STEP_LIMIT.as_secs())]
    Timeout,
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server's certificate is not valid for the domain.
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    TlsSetup(#[from] TlsSetupError),
    /// TLS is demanded and not to be had.
    #[error("the server offers no TLS, and the connection demands it (usetls)")]
    NoTls,
    /// The server offered TLS and then refused it.
    #[error("the server offers TLS and then refuses it")]
    TlsRefused,
    /// Something was slipped in between `<proceed/>` and the TLS handshake.
    #[error("the server sent something between <proceed/> and TLS; somebody may be in between")]
    Injected,
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamFault),
    /// A stream error.
    #[error("the server ends the stream: {0}")]
    StreamError(Said),
    /// The login failed.
    #[error(transparent)]
    Sasl(SaslError),
    /// The server refuses the resource.
    #[error("the server refuses to bind the resource: {0}")]
    BindRefused(String),
    /// The server does not follow the protocol.
    #[error("the server sent something else than {0}")]
    Unexpected(&'static str),
}

impl From<SaslError> for Cause {
    fn from(error: SaslError) -> Self {
        match error {
            SaslError::StreamError(said) => Self::StreamError(said),
            SaslError::Stream(fault) => Self::Stream(fault),
            other => Self::Sasl(other),
        }
    }
}

/// Tries one address, from TCP to the bound resource.
///
/// # Errors
/// [`AttemptError`].
pub async fn attempt(
    address: &Address,
    account: &Account,
    tls: &LazyTls,
    resumption: Option<Resumption>,
) -> Result<Session, AttemptError> {
    let transport = limited(Step::Connect, async { Ok(Transport::connect(address.socket).await?) }).await?;
    log_in(transport, address.security, account, tls, resumption).await
}

/// The rest of an attempt, once there is a connection: from TLS, or the stream's header, to the bound resource.
///
/// # Errors
/// [`AttemptError`].
pub async fn log_in(
    transport: Transport,
    security: Security,
    account: &Account,
    tls: &LazyTls,
    resumption: Option<Resumption>,
) -> Result<Session, AttemptError> {
    let transport = match security {
        Security::DirectTls => {
            limited(Step::Tls, async { handshake(transport, tls.get()?.direct(), account).await }).await?
        }
        Security::StartTls => transport,
    };
    let (mut stream, features) = limited(Step::Stream, open(transport, account)).await?;
    let encrypted = stream.io().get_ref().is_tls();
    let starttls = features.starttls.as_ref().filter(|feature| !encrypted && (account.use_tls || feature.required));
    let features = if starttls.is_some() {
        let transport = limited(Step::Tls, async { negotiate(stream, tls.get()?.starttls(), account).await }).await?;
        let (secured, features) = limited(Step::Stream, open(transport, account)).await?;
        stream = secured;
        features
    } else if account.use_tls && !encrypted {
        return Err(AttemptError { step: Step::Tls, cause: Cause::NoTls });
    } else {
        features
    };
    let login = async {
        let mechanism = sasl::authenticate(&mut stream, &features, &account.username, &account.password).await?;
        Ok(mechanism)
    };
    let mechanism = limited(Step::Login, login).await?;
    let reopen = async {
        stream.restart(&account.domain)?;
        features_of(&mut stream).await
    };
    let features = limited(Step::Stream, reopen).await?;
    let entry = limited(Step::Bind, enter(&mut stream, &features, account, resumption)).await?;
    let transport = stream.io().get_ref();
    let (tls, description) = (transport.is_tls(), format!("{}, {}", transport.describe(), mechanism.name()));
    Ok(Session { stream, entry, tls, description })
}

/// Resumes the stream before if that is possible, and binds a resource otherwise.
async fn enter(
    stream: &mut XmlStream<Buffered>,
    features: &Features,
    account: &Account,
    resumption: Option<Resumption>,
) -> Result<Entry, Cause> {
    let manageable = features.stream_management.is_some();
    if let Some(resumption) = resumption.filter(|_| manageable)
        && let Some(handled) = resume(stream, resumption).await?
    {
        return Ok(Entry::Resumed { handled });
    }
    let jid = bind(stream, features, account).await?;
    Ok(Entry::Bound { jid, manageable })
}

/// Resumes a stream (XEP-0198 5). None: the server no longer knows it.
async fn resume(stream: &mut XmlStream<Buffered>, resumption: Resumption) -> Result<Option<u32>, Cause> {
    let Resumption { previous, handled } = resumption;
    stream.queue(&Resume { h: handled, previd: previous.clone() })?;
    match element(stream).await? {
        Element::Known(Known::ManagementResumed { h, previd }) if previd.as_ref().is_none_or(|id| *id == previous) => {
            Ok(Some(h))
        }
        Element::Known(Known::ManagementFailed) => Ok(None),
        _ => Err(Cause::Unexpected("an answer to the request to resume the stream")),
    }
}

async fn limited<T>(step: Step, work: impl Future<Output = Result<T, Cause>>) -> Result<T, AttemptError> {
    let result = tokio::time::timeout(STEP_LIMIT, work).await.unwrap_or(Err(Cause::Timeout));
    result.map_err(|cause| AttemptError { step, cause })
}

async fn open(transport: Transport, account: &Account) -> Result<(XmlStream<Buffered>, Features), Cause> {
    let mut stream = XmlStream::new(BufReader::new(transport));
    stream.open(&account.domain)?;
    let features = features_of(&mut stream).await?;
    Ok((stream, features))
}

/// Waits for the server's header and features.
async fn features_of(stream: &mut XmlStream<Buffered>) -> Result<Features, Cause> {
    match element(stream).await? {
        Element::Known(Known::Features(features)) => Ok(features),
        Element::Known(_) | Element::Unknown => Err(Cause::Unexpected("stream features")),
    }
}

/// The next element; a stream error or the stream's end is an error.
async fn element(stream: &mut XmlStream<Buffered>) -> Result<Element, Cause> {
    loop {
        match stream.next().await? {
            Received::Header { .. } => {}
            Received::Footer => return Err(StreamFault::Closed.into()),
            Received::Element(element) => match *element {
                Element::Known(Known::StreamError(error)) => return Err(Cause::StreamError(error.said)),
                other => return Ok(other),
            },
        }
    }
}

/// STARTTLS (RFC 6120 5.4.2).
async fn negotiate(
    mut stream: XmlStream<Buffered>,
    config: Arc<ClientConfig>,
    account: &Account,
) -> Result<Transport, Cause> {
    stream.queue(&StartTls)?;
    match element(&mut stream).await? {
        Element::Known(Known::TlsProceed) => {}
        Element::Known(Known::TlsFailure) => return Err(Cause::TlsRefused),
        _ => return Err(Cause::Unexpected("an answer to STARTTLS")),
    }
    let io = stream.into_io();
    // What was read before TLS must not be taken for something that came through it.
    if !io.buffer().is_empty() {
        return Err(Cause::Injected);
    }
    handshake(io.into_inner(), config, account).await
}

async fn handshake(transport: Transport, config: Arc<ClientConfig>, account: &Account) -> Result<Transport, Cause> {
    let Transport::Plain(tcp) = transport else { return Ok(transport) };
    let name = server_name(&account.ascii_domain)?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(error) => Err(match certificate_error(&error) {
            Some(words) => Cause::Certificate(words),
            // The same words as anywhere else, not the TLS library's.
            None if error.kind() == io::ErrorKind::UnexpectedEof => StreamFault::Closed.into(),
            None => Cause::Io(error),
        }),
    }
}

/// Resource binding (RFC 6120 7). The JID that the server gives is ours, whatever was asked for.
async fn bind(stream: &mut XmlStream<Buffered>, features: &Features, account: &Account) -> Result<FullJid, Cause> {
    if features.bind.is_none() {
        return Err(Cause::Unexpected("the feature bind"));
    }
    let request = format!("{:016x}", rand::rng().random::<u64>());
    stream.queue(&Iq {
        type_: "set",
        id: Some(request.clone()),
        to: None,
        payload: vec![OutPayload::Bind { resource: account.resource.clone() }],
    })?;
    loop {
        let Element::Known(Known::Iq(iq)) = element(stream).await? else { continue };
        if iq.id.as_deref() != Some(&request) {
            continue;
        }
        return match (iq.type_.as_deref(), iq.payloads.first) {
            (Some("result"), Some(Payload::Known(KnownPayload::Bind { jid: Some(jid) }))) => {
                FullJid::new(&jid).map_err(|_| Cause::Unexpected("a full JID"))
            }
            (Some("error"), payload) => Err(Cause::BindRefused(match payload {
                Some(Payload::Known(KnownPayload::Error { condition, .. })) => condition.to_string(),
                _ => "undefined-condition".to_owned(),
            })),
            _ => Err(Cause::Unexpected("the bound JID")),
        };
    }
}
