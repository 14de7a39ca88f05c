//! The part of an attempt that follows TCP: TLS, stream header, features and SASL; [`bind`](super::bind) comes last.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::BufReader;
use tokio_rustls::TlsConnector;

use super::bind::start_session;
use super::connect::{Account, AttemptError, Cause, Session, Step, StepTime, limited};
use super::features::Features;
use super::incoming::{Element, Known};
use super::outgoing::StartTls;
use super::sasl;
use super::servers::Security;
use super::stream_management::Resumption;
use super::tls::{HandshakeError, LazyTls, handshake_error, server_name};
use super::transport::{Buffered, Transport};
use super::xml_stream::{Received, StreamFault, XmlStream};

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
            limited(Step::Tls, async { handshake(transport, tls.get().await?.direct(), account).await }).await?
        }
        Security::StartTls => transport,
    };
    let (mut stream, features) = limited(Step::Stream, open(transport, account)).await?;
    let encrypted = stream.io().get_ref().is_tls();
    let starttls = features.starttls.as_ref().filter(|feature| !encrypted && (account.use_tls || feature.required));
    let features = if starttls.is_some() {
        let transport =
            limited(Step::Tls, async { negotiate(stream, tls.get().await?.starttls(), account).await }).await?;
        let (secured, features) = limited(Step::Stream, open(transport, account)).await?;
        stream = secured;
        features
    } else if account.use_tls && !encrypted {
        return Err(AttemptError { step: Step::Tls, cause: Cause::NoTls });
    } else {
        features
    };
    // Deriving the keys has its own limit, so this step keeps its time by itself.
    let login = sasl::authenticate(&mut stream, &features, &account.username, &account.password, StepTime::new());
    let mechanism = login.await.map_err(|error| AttemptError { step: Step::Login, cause: error.into() })?;
    let reopen = async {
        stream.restart(&account.domain)?;
        features_of(&mut stream).await
    };
    let features = limited(Step::Stream, reopen).await?;
    let start = start_session(&mut stream, &features, account, resumption).await?;
    let transport = stream.io().get_ref();
    let (tls, description) = (transport.is_tls(), format!("{}, {}", transport.describe(), mechanism.name()));
    Ok(Session { stream, start, tls, description })
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
        Element::Known(Known::Features(element)) => Ok(element.features),
        other => Err(Cause::unexpected("stream features", &other)),
    }
}

/// The next element; a stream error or the stream's end is an error.
pub(super) async fn element(stream: &mut XmlStream<Buffered>) -> Result<Element, Cause> {
    loop {
        match stream.next().await? {
            Received::Header { .. } => {}
            Received::Footer => return Err(StreamFault::Closed.into()),
            Received::Element(element) => match *element {
                Element::Known(Known::StreamError(error)) => return Err(Cause::StreamError(error.condition)),
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
        other => return Err(Cause::unexpected("<proceed/> or <failure/>", &other)),
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
        Err(error) => Err(match handshake_error(&error) {
            Some(HandshakeError::Certificate(words)) => Cause::Certificate(words),
            Some(HandshakeError::Protocol(words)) => Cause::Handshake(words),
            // The same words as anywhere else, not the TLS library's.
            None if error.kind() == io::ErrorKind::UnexpectedEof => StreamFault::Closed.into(),
            None => Cause::Io(error),
        }),
    }
}
