//! Connects a requester to its server: TCP, STARTTLS, and one login.
//!
//! tokio-xmpp's own connector takes no TLS settings. It also binds the channel whenever TLS is 1.3, and its login then
//! knows no mechanism between SCRAM-PLUS and PLAIN. [`Connector`] takes TLS settings and leaves the channel unbound, so
//! that SCRAM-SHA-256 and SCRAM-SHA-1 are used.
//!
//! tokio-xmpp's client repeats a failed login forever and does not report the reason. It asks `OneLogin` for a connection
//! each time, so `OneLogin` can tell what happened:
//! - it could not connect: the server is unreachable;
//! - it is asked again before the session was online: the login failed, and it repeats the login once to learn the reason;
//! - it is asked again after the session was online: the connection was lost.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sasl::common::{ChannelBinding, Credentials};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_xmpp::connect::{DnsConfig, ServerConnector};
use tokio_xmpp::error::ProtocolError;
use tokio_xmpp::xmlstream::{InitiatingStream, PendingFeaturesRecv, StreamHeader, Timeouts, initiate_stream};
use tokio_xmpp::{Error, client_login};
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::{ns, starttls};

use super::prompt_tcp::PromptTcp;

/// The transport of a stream that is ready for the login.
pub type Transport = BufStream<TlsStream<PromptTcp>>;

/// Opens TLS streams to one server.
#[derive(Clone)]
pub struct Connector {
    server: Option<String>,
    tls: Arc<ClientConfig>,
}

impl Connector {
    /// Creates a connector to `server` (`host:port`), or to the server that DNS names for the domain.
    #[must_use]
    pub fn new(server: Option<String>, tls: Arc<ClientConfig>) -> Self {
        Self { server, tls }
    }

    /// Connects, starts TLS and opens the stream to `domain`. The features are not read yet.
    ///
    /// # Errors
    /// The server cannot be reached, offers no STARTTLS, or its certificate is not valid for `domain`.
    pub async fn open(&self, domain: &str, timeouts: Timeouts) -> Result<PendingFeaturesRecv<Transport>, Error> {
        let tcp = match &self.server {
            Some(server) => TcpStream::connect(server).await?,
            None => DnsConfig::srv_default_client(domain).resolve().await?,
        };
        // Round trip times must not include Nagle's delay.
        tcp.set_nodelay(true)?;
        let plain =
            initiate_stream(BufStream::new(PromptTcp(tcp)), ns::JABBER_CLIENT, header(domain), timeouts).await?;
        let (features, mut stream) = plain.recv_features::<starttls::Nonza>().await?;
        if !features.can_starttls() {
            return Err(ProtocolError::NoTls.into());
        }
        stream.send(&starttls::Nonza::Request(starttls::Request)).await?;
        let Some(Ok(starttls::Nonza::Proceed(_))) = stream.next().await else {
            return Err(ProtocolError::NoTls.into());
        };
        let name = idna::domain_to_ascii(domain)
            .ok()
            .and_then(|ascii| ServerName::try_from(ascii).ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{domain} is not a host name")))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream.into_inner().into_inner()).await?;
        Ok(initiate_stream(BufStream::new(tls), ns::JABBER_CLIENT, header(domain), timeouts).await?)
    }

    /// Opens a stream and logs in. The caller restarts the stream and binds a resource.
    ///
    /// # Errors
    /// As [`open`](Self::open), or the server refuses the login.
    pub async fn login(
        &self,
        account: &BareJid,
        password: &SecretString,
        timeouts: Timeouts,
    ) -> Result<InitiatingStream<Transport>, Error> {
        let pending = self.open(account.domain().as_str(), timeouts).await?;
        let (features, stream) = pending.recv_features().await?;
        let credentials = Credentials::default()
            .with_username(account.node().map(ToString::to_string).unwrap_or_default())
            .with_password(password.expose_secret())
            .with_channel_binding(ChannelBinding::None);
        client_login(stream, features.sasl_mechanisms, credentials).await
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Builds the header of a client's stream to `domain`.
#[must_use]
pub fn header(domain: &str) -> StreamHeader<'_> {
    StreamHeader { to: Some(Cow::Borrowed(domain)), from: None, id: None }
}

/// Why a session could not start or has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server could not be reached, or not over TLS.
    Unreachable(Error),
    /// The login was refused.
    Refused(Error),
    /// The session ended.
    Lost,
}

/// How far the one login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Fresh,
    LoggingIn,
    Online,
}

/// A connector for exactly one session, which reports why the session ended.
#[derive(Clone)]
pub(super) struct OneLogin {
    connector: Connector,
    account: BareJid,
    password: SecretString,
    phase: Arc<AtomicU8>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl OneLogin {
    pub(super) fn new(
        connector: Connector,
        account: BareJid,
        password: SecretString,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, report) = mpsc::unbounded_channel();
        let phase = Arc::new(AtomicU8::new(Phase::Fresh as u8));
        (Self { connector, account, password, phase, ended }, report)
    }

    /// Records that the session is online.
    pub(super) fn online(&self) {
        self.phase.store(Phase::Online as u8, Ordering::Relaxed);
    }

    async fn diagnose(&self, timeouts: Timeouts) -> Ended {
        match self.connector.login(&self.account, &self.password, timeouts).await {
            Err(error) => Ended::Refused(error),
            // The login works: the failure came after it, or was temporary.
            Ok(_) => Ended::Lost,
        }
    }
}

impl fmt::Debug for OneLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneLogin").field("account", &self.account).finish_non_exhaustive()
    }
}

impl ServerConnector for OneLogin {
    type Stream = Transport;

    async fn connect(
        &self,
        jid: &Jid,
        _: &'static str,
        timeouts: Timeouts,
    ) -> Result<(PendingFeaturesRecv<Transport>, ChannelBinding), Error> {
        let before = self.phase.load(Ordering::Relaxed);
        let ended = if before == Phase::Fresh as u8 {
            self.phase.store(Phase::LoggingIn as u8, Ordering::Relaxed);
            match self.connector.open(jid.domain().as_str(), timeouts).await {
                Ok(stream) => return Ok((stream, ChannelBinding::None)),
                Err(error) => Ended::Unreachable(error),
            }
        } else if before == Phase::LoggingIn as u8 {
            self.diagnose(timeouts).await
        } else {
            Ended::Lost
        };
        // A requester that is gone does not need the reason.
        let _ = self.ended.send(ended);
        // The client would retry an error forever.
        std::future::pending().await
    }
}
