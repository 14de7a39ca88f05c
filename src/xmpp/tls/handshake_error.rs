//! Describes failed handshakes: for most of them rustls has Debug output only.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, OtherError, PeerIncompatible};

use super::refusal::RefusedCertificate;
use super::supported;
use crate::text::variant_name;

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// The server's certificate is refused.
    Certificate(String),
    /// The two sides cannot agree, or the server does not speak TLS.
    Protocol(String),
}

/// Describes a handshake that failed in rustls. Returns `None` for other I/O errors.
#[must_use]
pub fn handshake_error(error: &io::Error) -> Option<HandshakeError> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(HandshakeError::Protocol(match error {
        Error::InvalidCertificate(error) => return Some(HandshakeError::Certificate(certificate_reason(error))),
        Error::NoCertificatesPresented => {
            return Some(HandshakeError::Certificate("the server presented none".to_owned()));
        }
        Error::AlertReceived(alert) => alert_reason(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => format!("the server has no TLS version in common with us; {}", supported::describe()),
        Error::PeerIncompatible(why) => {
            format!("the server is incompatible: {}; {}", variant_name(why, ' '), supported::describe())
        }
        Error::PeerMisbehaved(why) => format!("the server violates the TLS protocol: {}", variant_name(why, ' ')),
        Error::InvalidMessage(why) => format!("the server sent something that is not TLS: {}", variant_name(why, ' ')),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server violates the TLS protocol: a message out of turn".to_owned()
        }
        other => other.to_string(),
    }))
}

fn alert_reason(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            let supported = supported::describe();
            format!(": it has no cipher suite, key exchange or certificate in common with us; {supported}")
        }
        AlertDescription::ProtocolVersion => {
            format!(": it has no TLS version in common with us; {}", supported::describe())
        }
        AlertDescription::UnrecognisedName => ": it does not serve this domain".to_owned(),
        AlertDescription::NoApplicationProtocol => ": it does not speak XMPP there (ALPN xmpp-client)".to_owned(),
        _ => String::new(),
    };
    let name = match alert {
        AlertDescription::Unknown(number) => number.to_string(),
        known => variant_name(&known, '_'),
    };
    format!("the server ended the handshake (alert {name}){why}")
}

fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::Other(OtherError(error)) if error.is::<RefusedCertificate>() => error.to_string(),
        other => variant_name(other, ' '),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(error: rustls::Error) -> String {
        match handshake_error(&io::Error::other(error)).unwrap() {
            HandshakeError::Certificate(reason) => format!("certificate: {reason}"),
            HandshakeError::Protocol(reason) => reason,
        }
    }

    #[test]
    fn errors_are_described_without_debug_output() {
        use rustls::{InvalidMessage, PeerMisbehaved};
        for (error, words) in [
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                "(alert handshake_failure): it has no cipher suite",
            ),
            (
                Error::AlertReceived(AlertDescription::ProtocolVersion),
                "(alert protocol_version): it has no TLS version",
            ),
            (Error::AlertReceived(AlertDescription::UnrecognisedName), "does not serve this domain"),
            (Error::AlertReceived(AlertDescription::InternalError), "(alert internal_error)"),
            (Error::AlertReceived(AlertDescription::from(170)), "(alert 170)"),
            (PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), "no TLS version in common"),
            (PeerIncompatible::NoKxGroupsInCommon.into(), "incompatible: no kx groups in common"),
            (PeerMisbehaved::SelectedUnofferedCipherSuite.into(), "protocol: selected unoffered cipher suite"),
            (InvalidMessage::InvalidContentType.into(), "not TLS: invalid content type"),
            (CertificateError::Revoked.into(), "certificate: revoked"),
            (Error::NoCertificatesPresented, "certificate: the server presented none"),
            (Error::DecryptError, "cannot decrypt"),
        ] {
            let text = described(error);
            assert!(text.contains(words) && !text.contains(['{', '[']), "{text}");
        }
        assert_eq!(handshake_error(&io::Error::other("no")), None);
        assert_eq!(handshake_error(&io::Error::from(io::ErrorKind::BrokenPipe)), None);
    }
}
