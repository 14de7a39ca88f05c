//! SASL (RFC 6120 6): logs in on a stream after its features were received.

mod choice;
mod error;
mod exchange;
mod scram;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::zeroize::Zeroizing;

use self::choice::fallback_without_binding;
pub use self::choice::{Gs2Flag, Mechanism, choose};
pub use self::error::SaslError;
use self::exchange::Exchange;
use self::scram::Binding;
use super::features::Features;
use super::incoming::{Element, KnownElement};
use super::outgoing::{SaslAuth, SaslData, SaslResponse};
use super::step_time::StepTime;
use super::transport::Buffered;
use super::xml_stream::{Received, StreamFault, XmlStream};
use crate::config::model::Password;

/// Logs in with the best mechanism that the server offers. `time`: for all answers of the server; deriving the keys
/// does not count.
///
/// # Errors
/// The login is refused, cannot be attempted, or fails; see [`SaslError`].
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
    // A server rejects the binding at the first message, and a wrong password at the second.
    let condition = match run(stream, mechanism, exchange, &mut time).await {
        Ok(()) => return Ok(mechanism),
        Err((SaslError::Refused(condition), false)) => condition,
        Err((error, _)) => return Err(error),
    };
    let Some(mechanism) = fallback_without_binding(offered, bindings, flag) else {
        return Err(match flag {
            Gs2Flag::ServerCannot => SaslError::RefusedUnbound(condition),
            Gs2Flag::Bound | Gs2Flag::Unused => SaslError::Refused(condition),
        });
    };
    tracing::debug!(%condition, mechanism = mechanism.name(), "the server rejects the channel binding, trying once without");
    let exchange = Exchange::new(mechanism, Binding::Unused, username, password);
    run(stream, mechanism, exchange, &mut time).await.map_err(|(error, _)| error)?;
    Ok(mechanism)
}

/// Performs one exchange. An error comes with whether the server had sent a challenge before.
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
        let progress = step(stream, &mut exchange, time).await;
        match progress.map_err(|error| (error, challenged))? {
            Progress::Done => return Ok(()),
            Progress::Challenged => challenged = true,
        }
    }
}

enum Progress {
    Challenged,
    Done,
}

async fn step(
    stream: &mut XmlStream<Buffered>,
    exchange: &mut Exchange,
    time: &mut StepTime,
) -> Result<Progress, SaslError> {
    let received = time.limit(stream.next()).await.ok_or(SaslError::Timeout)?;
    let element = match received? {
        Received::Element(element) => *element,
        Received::Footer => return Err(StreamFault::Footer.into()),
        Received::Header { .. } => return Ok(Progress::Challenged),
    };
    match element {
        Element::Known(KnownElement::SaslChallenge { data }) => {
            let response = exchange.respond(&decode(&data)?).await?;
            stream.queue(&SaslResponse { data: encode(&response) })?;
            Ok(Progress::Challenged)
        }
        Element::Known(KnownElement::SaslSuccess { data }) => {
            exchange.finish(&decode(&data)?)?;
            Ok(Progress::Done)
        }
        Element::Known(KnownElement::SaslFailure { condition }) => Err(SaslError::Refused(condition)),
        Element::Known(KnownElement::StreamError(error)) => Err(SaslError::StreamError(error.condition)),
        _ => Err(SaslError::Protocol("neither challenge nor success nor failure".to_owned())),
    }
}

/// Encodes data in base64; empty data as `=` (RFC 6120 6.4.2). It may hold the password, so it is wiped when dropped.
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
    fn empty_data_is_an_equals_sign() {
        assert_eq!(*encode(b"").0, "=");
        assert_eq!(decode("=").unwrap(), b"");
        assert_eq!(decode(" YQ== ").unwrap(), b"a");
        assert!(decode("*").is_err());
    }
}
