//! Logs in over an open TCP connection: TLS, stream header, features and SASL. [`bind`](super::bind) does the last
//! step.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use super::account::Account;
use super::attempt::{AttemptError, Cause, Step, limited, next_element};
use super::bind::{SessionStart, start_session};
use super::features::Features;
use super::incoming::{Element, KnownElement};
use super::outgoing::StartTls;
use super::sasl;
use super::servers::Security;
use super::step_time::StepTime;
use super::stream_management::Resumption;
use super::tls::{HandshakeError, LazyTls, handshake_error, server_name};
use super::transport::{Buffered, Transport};
use super::xml_stream::{StreamFault, XmlStream};

/// A stream on which stanzas can be exchanged.
pub struct Session {
    /// The stream.
    pub stream: XmlStream<Buffered>,
    /// Whether a resource was bound or a stream resumed.
    pub start: SessionStart,
    /// Whether TLS is on.
    pub tls: bool,
    /// TLS version and login mechanism, for the log.
    pub description: String,
}

/// Performs all steps of an attempt after TCP.
///
/// # Errors
/// The step that failed, and why.
pub async fn log_in(
    transport: Transport,
    security: Security,
    account: &Account,
    tls: &LazyTls,
    resumption: Option<Resumption>,
) -> Result<Session, AttemptError> {
    let transport = match security {
        Security::DirectTls => {
            limited(Step::Tls, async { handshake(transport, tls.get().await?.direct(), account).await }).await?
        }
        Security::StartTls => transport,
    };
    let (mut stream, features) = limited(Step::Stream, open(transport, account)).await?;
    let encrypted = stream.io().get_ref().is_tls();
    let upgrades =
        features.starttls.as_ref().is_some_and(|feature| !encrypted && (account.use_tls || feature.required));
    let features = if upgrades {
        let transport =
            limited(Step::Tls, async { starttls(stream, tls.get().await?.starttls(), account).await }).await?;
        let (secured, features) = limited(Step::Stream, open(transport, account)).await?;
        stream = secured;
        features
    } else if account.use_tls && !encrypted {
        return Err(AttemptError { step: Step::Tls, cause: Cause::NoTls });
    } else {
        features
    };
    // Not `limited`: deriving the keys has a time limit of its own.
    let login = sasl::authenticate(&mut stream, &features, &account.username, &account.password, StepTime::new());
    let mechanism = login.await.map_err(|error| AttemptError { step: Step::Login, cause: error.into() })?;
    let reopen = async {
        stream.restart(&account.domain)?;
        receive_features(&mut stream).await
    };
    let features = limited(Step::Stream, reopen).await?;
    let start = start_session(&mut stream, &features, account, resumption).await?;
    let transport = stream.io().get_ref();
    let (is_tls, description) = (transport.is_tls(), format!("{}, {}", transport.describe(), mechanism.name()));
    Ok(Session { stream, start, tls: is_tls, description })
}

async fn open(transport: Transport, account: &Account) -> Result<(XmlStream<Buffered>, Features), Cause> {
    let mut stream = XmlStream::new(transport.buffered());
    stream.open(&account.domain)?;
    let features = receive_features(&mut stream).await?;
    Ok((stream, features))
}

/// Waits for the server's header and features.
async fn receive_features(stream: &mut XmlStream<Buffered>) -> Result<Features, Cause> {
    // A failure is reported by the next read, after what the server has sent.
    let _ = stream.flush().await;
    stream.io().get_ref().acknowledge_at_once();
    match next_element(stream).await? {
        Element::Known(KnownElement::Features(element)) => Ok(element.features),
        other => Err(Cause::unexpected("stream features", &other)),
    }
}

/// Performs STARTTLS (RFC 6120 5.4.2).
async fn starttls(
    mut stream: XmlStream<Buffered>,
    config: Arc<ClientConfig>,
    account: &Account,
) -> Result<Transport, Cause> {
    stream.queue(&StartTls)?;
    match next_element(&mut stream).await? {
        Element::Known(KnownElement::TlsProceed) => {}
        Element::Known(KnownElement::TlsFailure) => return Err(Cause::TlsRefused),
        other => return Err(Cause::unexpected("<proceed/> or <failure/>", &other)),
    }
    let io = stream.into_io();
    // Data that was received in plain text must not be processed as if it had been encrypted.
    if !io.buffer().is_empty() {
        return Err(Cause::Injected);
    }
    handshake(io.into_inner(), config, account).await
}

async fn handshake(transport: Transport, config: Arc<ClientConfig>, account: &Account) -> Result<Transport, Cause> {
    // TLS is begun once, on TCP. Streams in memory are those of tests.
    let Transport::Plain(tcp) = transport else { return Ok(transport) };
    let name = server_name(&account.ascii_domain)?;
    // Boxed, as it holds the TLS session by value.
    match Box::pin(TlsConnector::from(config).connect(name, tcp)).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(error) => Err(match handshake_error(&error) {
            Some(HandshakeError::Certificate(reason)) => Cause::Certificate(reason),
            Some(HandshakeError::Protocol(reason)) => Cause::Handshake(reason),
            // Described as at any other step, not as rustls does.
            None if error.kind() == io::ErrorKind::UnexpectedEof => StreamFault::Closed.into(),
            None => Cause::Io(error),
        }),
    }
}
