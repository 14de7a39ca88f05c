//! How a requester reaches its server: TCP, STARTTLS, and one login.
//!
//! tokio-xmpp's own connector takes no TLS settings, and binds the channel whenever TLS is 1.3, after which its login knows
//! nothing between SCRAM-PLUS and PLAIN. [`Connector`] takes both into its own hands and leaves the channel unbound, so
//! that SCRAM-SHA-256 and SCRAM-SHA-1 are used.
//!
//! Its client repeats a failed login for ever and tells nobody why. `OneLogin` is asked for a connection each time, so it
//! can tell: a failure before the login is its own; when it is asked again without having been online, the login
//! itself failed, and it repeats it once by hand to learn the reason; when it is asked again after having been online, the
//! connection was lost. Each ends there.

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

/// The transport under a stream that is ready for the login.
pub type Transport = BufStream<TlsStream<TcpStream>>;

/// Opens TLS streams to one server.
#[derive(Clone)]
pub struct Connector {
    server: Option<String>,
    tls: Arc<ClientConfig>,
}

impl Connector {
    /// A connector to `server` (`host:port`), or to where DNS says the domain is served.
    #[must_use]
    pub fn new(server: Option<String>, tls: Arc<ClientConfig>) -> Self {
        Self { server, tls }
    }

    /// Connects, starts TLS and opens the stream to `domain`; the features are still to be read.
    ///
    /// # Errors
    /// The server cannot be reached, offers no STARTTLS, or its certificate is not valid for `domain`.
    pub async fn open(&self, domain: &str, timeouts: Timeouts) -> Result<PendingFeaturesRecv<Transport>, Error> {
        let tcp = match &self.server {
            Some(server) => TcpStream::connect(server).await?,
            None => DnsConfig::srv_default_client(domain).resolve().await?,
        };
        // The round trip is to be the CPE's, not the wait for a full segment.
        tcp.set_nodelay(true)?;
        let plain = initiate_stream(BufStream::new(tcp), ns::JABBER_CLIENT, header(domain), timeouts).await?;
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
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{domain} is no host name")))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream.into_inner().into_inner()).await?;
        Ok(initiate_stream(BufStream::new(tls), ns::JABBER_CLIENT, header(domain), timeouts).await?)
    }

    /// Opens a stream and logs in; the stream is to be opened anew on what is returned, and a resource to be bound.
    ///
    /// # Errors
    /// As [`open`](Self::open), and whatever the server refuses the login with.
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

/// The header that opens a client's stream to `domain`.
#[must_use]
pub fn header(domain: &str) -> StreamHeader<'_> {
    StreamHeader { to: Some(Cow::Borrowed(domain)), from: None, id: None }
}

/// Why there is no session, or no longer one.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server could not be reached, or not over TLS.
    Unreachable(Error),
    /// The login was refused.
    Refused(Error),
    /// The session is over.
    Lost,
}

/// What a `OneLogin` was last asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Fresh,
    LoggingIn,
    Online,
}

/// A connector for exactly one session, which says why it ended.
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

    /// To be called when the session is there.
    pub(super) fn online(&self) {
        self.phase.store(Phase::Online as u8, Ordering::Relaxed);
    }

    async fn diagnose(&self, timeouts: Timeouts) -> Ended {
        match self.connector.login(&self.account, &self.password, timeouts).await {
            Err(error) => Ended::Refused(error),
            // It worked this time: what went wrong came after it, or was for a moment.
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
        // Nobody listening any more is as good as an end that was read.
        let _ = self.ended.send(ended);
        // An error would only be repeated for ever.
        std::future::pending().await
    }
}
