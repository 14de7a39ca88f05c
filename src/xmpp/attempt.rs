//! The steps of an attempt to connect and log in, their time limits, and why they fail.

use std::fmt;
use std::future::Future;
use std::io;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::error_condition::ErrorCondition;
use super::incoming::{Element, KnownElement};
use super::race::RaceLost;
use super::sasl::SaslError;
use super::step_time::STEP_LIMIT;
use super::tls::TlsSetupError;
use super::transport::Buffered;
use super::xml_stream::{Received, StreamFault, XmlStream};

/// The steps of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// TCP
    Connect,
    /// TLS, including STARTTLS
    Tls,
    /// Stream header and features
    Stream,
    /// SASL
    Login,
    /// Resumption of the previous stream
    Resume,
    /// Resource binding
    Bind,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "TLS",
            Self::Stream => "opening the stream",
            Self::Login => "login",
            Self::Resume => "resuming the previous stream",
            Self::Bind => "binding the resource",
        })
    }
}

/// A failed attempt.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct AttemptError {
    /// The step that failed.
    pub step: Step,
    /// Why it failed.
    pub cause: Cause,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The step exceeded its time limit.
    #[error("no answer within {} s", STEP_LIMIT.as_secs())]
    Timeout,
    /// An error of the system.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No address of the server accepts a TCP connection.
    #[error("{0}")]
    NotConnected(RaceLost<Self>),
    /// The server's certificate is not valid for the domain.
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(String),
    /// The two sides do not agree on TLS, or the server does not speak it.
    #[error("{0}")]
    Handshake(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    TlsSetup(#[from] TlsSetupError),
    /// `usetls` requires TLS, and the server does not offer it.
    #[error("the server offers no TLS, and the connection demands it (usetls)")]
    NoTls,
    /// The server offered STARTTLS and then refused it.
    #[error("the server offers TLS and then refuses it")]
    TlsRefused,
    /// Plain text came between `<proceed/>` and the TLS handshake.
    #[error("the server sent something between <proceed/> and TLS; this may be an attack")]
    Injected,
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamFault),
    /// The server sent a stream error.
    #[error("the server ends the stream: {0}")]
    StreamError(ErrorCondition),
    /// The login failed.
    #[error(transparent)]
    Sasl(SaslError),
    /// The server refuses the resource.
    #[error("the server refuses to bind the resource: {0}")]
    BindRefused(String),
    /// The server refuses the session request of RFC 3921.
    #[error("the server refuses the session that it requires: {0}")]
    SessionRefused(String),
    /// The server does not offer resource binding.
    #[error("the server offers no resource binding")]
    NoBind,
    /// The server's answer to the bind request has no valid full JID.
    #[error("the server bound a resource without a valid full JID")]
    BadJid,
    /// The server's `<resumed/>` does not fit the previous stream.
    #[error("the server sent {0}")]
    BadResumption(&'static str),
    /// The server sent another element than the protocol requires.
    #[error("the server sent {received} instead of {expected}")]
    Unexpected {
        /// What the protocol requires.
        expected: &'static str,
        /// What the server sent.
        received: &'static str,
    },
}

impl Cause {
    pub(super) fn unexpected(expected: &'static str, received: &Element) -> Self {
        let received = match received {
            Element::Known(known) => known.name(),
            Element::Unknown => "an unknown or malformed element",
        };
        Self::Unexpected { expected, received }
    }
}

impl From<SaslError> for Cause {
    fn from(error: SaslError) -> Self {
        match error {
            SaslError::StreamError(condition) => Self::StreamError(condition),
            SaslError::Stream(fault) => Self::Stream(fault),
            SaslError::Timeout => Self::Timeout,
            other => Self::Sasl(other),
        }
    }
}

/// Runs a step within its time limit. Boxed, so that neither the future of a whole attempt nor the stack has room for each step.
pub(super) async fn limited<T>(step: Step, work: impl Future<Output = Result<T, Cause>>) -> Result<T, AttemptError> {
    let result = timeout(STEP_LIMIT, work.boxed_local()).await.unwrap_or(Err(Cause::Timeout));
    result.map_err(|cause| AttemptError { step, cause })
}

/// Returns the next element. A stream error and the end of the stream are errors.
pub(super) async fn next_element(stream: &mut XmlStream<Buffered>) -> Result<Element, Cause> {
    loop {
        match stream.next().await? {
            Received::Header { .. } => {}
            Received::Footer => return Err(StreamFault::Footer.into()),
            Received::Element(element) => match *element {
                Element::Known(KnownElement::StreamError(error)) => return Err(Cause::StreamError(error.condition)),
                other => return Ok(other),
            },
        }
    }
}
