//! One attempt at a server: TCP here, then [`log_in`](super::login::log_in). Each step has its own time limit and its own
//! error messages.

use std::future::Future;
use std::io;
use std::time::Duration;

use jid::FullJid;
use tokio::time::Instant;

use super::incoming::{Element, ErrorCondition};
use super::race::{RaceLost, race};
use super::sasl::SaslError;
use super::servers::{ResolvedServer, ServerAddress};
use super::tls::TlsSetupError;
use super::transport::{Buffered, Transport};
use super::xml_stream::{StreamFault, XmlStream};
use crate::config::model::Password;

/// How long each step may take; with TCP, how long each address may. A healthy server needs milliseconds; a satellite link and a lost packet fit in.
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
    pub start: SessionStart,
    /// Whether TLS is on.
    pub tls: bool,
    /// For the log: TLS version and login mechanism.
    pub description: String,
}

/// How a session came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStart {
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
    /// Resuming the previous stream
    Resume,
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
            Self::Resume => "resuming the previous stream",
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
    /// The server accepts the bind request without giving a full JID.
    #[error("the server bound a resource without a valid full JID")]
    BadJid,
    /// The server resumes the previous stream in a way that cannot be followed.
    #[error("the server sent {0}")]
    BadResumption(&'static str),
    /// The server does not follow the protocol.
    #[error("the server sent {received} instead of {expected}")]
    Unexpected {
        /// What was to come.
        expected: &'static str,
        /// What came.
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

/// Connects to the first address of the server that accepts a connection (RFC 8305 5).
///
/// # Errors
/// [`Cause::NotConnected`]
pub async fn connect(server: &ResolvedServer) -> Result<(ServerAddress, Transport), AttemptError> {
    let connect = |address| async move {
        let connection = tokio::time::timeout(STEP_LIMIT, Transport::connect(address)).await;
        Ok(connection.map_err(|_| Cause::Timeout)??)
    };
    match race(&server.sockets(), connect).await {
        Ok((socket, transport)) => Ok((ServerAddress { host: server.target.host.clone(), socket }, transport)),
        Err(lost) => Err(AttemptError { step: Step::Connect, cause: Cause::NotConnected(lost) }),
    }
}

pub(super) async fn limited<T>(step: Step, work: impl Future<Output = Result<T, Cause>>) -> Result<T, AttemptError> {
    let result = tokio::time::timeout(STEP_LIMIT, work).await.unwrap_or(Err(Cause::Timeout));
    result.map_err(|cause| AttemptError { step, cause })
}

/// The time that the server has for one step. What we need ourselves between its answers does not count.
#[derive(Debug)]
pub struct StepTime {
    left: Duration,
}

impl StepTime {
    /// All of a step's time.
    pub(super) fn new() -> Self {
        Self { left: STEP_LIMIT }
    }

    /// Waits for the server, and uses its time up meanwhile. None when there is no more.
    pub(super) async fn limit<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let start = Instant::now();
        let done = tokio::time::timeout(self.left, wait).await.ok();
        self.left = self.left.saturating_sub(start.elapsed());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::paused;

    #[test]
    fn only_the_server_uses_its_time_up() {
        paused(async {
            let server = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
            let mut time = StepTime::new();
            assert!(time.limit(server(6)).await.is_some());
            tokio::time::sleep(Duration::from_secs(100)).await;
            assert!(time.limit(server(3)).await.is_some());
            assert!(time.limit(server(2)).await.is_none());
            assert!(time.limit(server(1)).await.is_none());
        });
    }
}
