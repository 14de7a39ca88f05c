//! Logging in (RFC 6120 6) on a stream whose features have come.

mod choice;
mod exchange;
mod scram;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::zeroize::Zeroizing;

use self::choice::unbound;
pub use self::choice::{Gs2Flag, Mechanism, choose};
use self::exchange::Exchange;
use self::scram::Binding;
use super::connect::StepTime;
use super::features::Features;
use super::incoming::{Element, ErrorCondition, Known};
use super::outgoing::{SaslAuth, SaslData, SaslResponse};
use super::transport::Buffered;
use super::xml_stream::{Received, StreamFault, XmlStream};
use crate::config::model::Password;

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum SaslError {
    /// The server says no.
    #[error("the server refuses the login: {0}")]
    Refused(ErrorCondition),
    /// The server says no to the first message, in which it is told that it seems unable to bind channels.
    #[error(
        "the server refuses the login at its first message: {0} (the account may be unknown; or the server does support \
         channel binding, and an attacker removed -PLUS from its list)"
    )]
    RefusedUnbound(ErrorCondition),
    /// Nothing that may be used is offered.
    #[error("no usable login mechanism among those that the server offers ({0})")]
    NoMechanism(String),
    /// The server does not know the password: it is not the account's server.
    #[error("the server could not prove that it knows the account's password ({0}); it may be an impostor")]
    Impostor(&'static str),
    /// The server took too long to answer.
    #[error("no answer from the server")]
    Timeout,
    /// Deriving the keys took too long.
    #[error("deriving the keys took too long: the server asks for too many iterations for this CPU")]
    TooSlow,
    /// The server does not follow the protocol.
    #[error("the server's part of the login makes no sense: {0}")]
    Protocol(String),
    /// A stream error instead of an answer.
    #[error("the server ends the stream: {0}")]
    StreamError(ErrorCondition),
    /// The stream itself failed.
    #[error(transparent)]
    Stream(#[from] StreamFault),
}

/// Logs in on a stream whose features have come. `time` is the time that the server has in total; deriving the keys does not
/// use it up.
///
/// # Errors
/// [`SaslError`].
pub async fn authenticate(
    stream: &mut XmlStream<Buffered>,
    features: &Features,
    username: &str,
    password: &Password,
    mut time: StepTime,
) -> Result<Mechanism, SaslError> {
    let offered = features.mechanisms.as_slice();
    let bindings = features.channel_bindings.as_deref();
    let transport = stream.io().get_ref();
    let exporter = transport.channel_binding();
    let chosen = choose(offered, bindings, exporter.is_some(), transport.is_tls());
    let (mechanism, flag) = chosen.ok_or_else(|| SaslError::NoMechanism(offered.join(", ")))?;
    tracing::debug!(mechanism = mechanism.name(), ?flag, "logging in");
    let binding = match (flag, exporter) {
        (Gs2Flag::Bound, Some(data)) => Binding::TlsExporter(data),
        (Gs2Flag::ServerCannot, _) => Binding::ServerCannot,
        _ => Binding::Unused,
    };
    let exchange = Exchange::new(mechanism, binding, username, password);
    // A server that rejects the binding does so at the first message; a wrong password shows only at the second.
    let condition = match run(stream, mechanism, exchange, &mut time).await {
        Ok(()) => return Ok(mechanism),
        Err((SaslError::Refused(condition), false)) => condition,
        Err((error, _)) => return Err(error),
    };
    let Some(mechanism) = unbound(offered, bindings, flag) else {
        return Err(match flag {
            Gs2Flag::ServerCannot => SaslError::RefusedUnbound(condition),
            Gs2Flag::Bound | Gs2Flag::Unused => SaslError::Refused(condition),
        });
    };
    tracing::debug!(%condition, mechanism = mechanism.name(), "the server rejects the channel binding; trying without, once");
    let exchange = Exchange::new(mechanism, Binding::Unused, username, password);
    run(stream, mechanism, exchange, &mut time).await.map_err(|(error, _)| error)?;
    Ok(mechanism)
}

/// One exchange. An error says as well whether the server had sent a challenge before.
async fn run(
    stream: &mut XmlStream<Buffered>,
    mechanism: Mechanism,
    mut exchange: Exchange,
    time: &mut StepTime,
) -> Result<(), (SaslError, bool)> {
    let auth = SaslAuth { mechanism: mechanism.name(), data: encode(&exchange.initial()) };
    stream.queue(&auth).map_err(|fault| (fault.into(), false))?;
    let mut challenged = false;
    loop {
        let step = step(stream, &mut exchange, time).await;
        match step.map_err(|error| (error, challenged))? {
            Step::Done => return Ok(()),
            Step::Challenged => challenged = true,
        }
    }
}

enum Step {
    Challenged,
    Done,
}

async fn step(
    stream: &mut XmlStream<Buffered>,
    exchange: &mut Exchange,
    time: &mut StepTime,
) -> Result<Step, SaslError> {
    let received = time.limit(stream.next()).await.ok_or(SaslError::Timeout)?;
    let element = match received? {
        Received::Element(element) => *element,
        Received::Footer => return Err(StreamFault::Closed.into()),
        Received::Header { .. } => return Ok(Step::Challenged),
    };
    match element {
        Element::Known(Known::SaslChallenge { data }) => {
            let response = exchange.respond(&decode(&data)?).await?;
            stream.queue(&SaslResponse { data: encode(&response) })?;
            Ok(Step::Challenged)
        }
        Element::Known(Known::SaslSuccess { data }) => {
            exchange.finish(&decode(&data)?)?;
            Ok(Step::Done)
        }
        Element::Known(Known::SaslFailure { condition }) => Err(SaslError::Refused(condition)),
        Element::Known(Known::StreamError(error)) => Err(SaslError::StreamError(error.condition)),
        _ => Err(SaslError::Protocol("neither challenge nor success nor failure".to_owned())),
    }
}

/// RFC 6120 6.4.2: `=` stands for data of no length. It may hold the password, and is wiped when it is dropped.
fn encode(data: &[u8]) -> SaslData {
    SaslData(Zeroizing::new(if data.is_empty() { "=".to_owned() } else { BASE64.encode(data) }))
}

fn decode(text: &str) -> Result<Vec<u8>, SaslError> {
    let text = text.trim();
    if text == "=" {
        return Ok(Vec::new());
    }
    BASE64.decode(text).map_err(|error| SaslError::Protocol(format!("not base64 ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_no_length_is_an_equals_sign() {
        assert_eq!(*encode(b"").0, "=");
        assert_eq!(decode("=").unwrap(), b"");
        assert_eq!(decode(" YQ== ").unwrap(), b"a");
        assert!(decode("*").is_err());
    }
}
