//! Failed handshakes in words: rustls has Debug forms for most of them.

use std::fmt::Debug;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use super::refusal::Refusal;

/// Keys that a certificate may have.
pub(super) const KEYS: &str = "RSA (2048 to 8192 bits), ECDSA P-256 or P-384, or Ed25519 keys";

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// The server's certificate is refused.
    Certificate(String),
    /// The two sides cannot agree, or the other one does not speak TLS.
    Protocol(String),
}

/// What the TLS library says of a failed handshake. None if the error is not the TLS library's.
#[must_use]
pub fn handshake_error(error: &io::Error) -> Option<HandshakeError> {
    use rustls::Error;
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let supported = || {
        format!(
            "xmppd supports TLS 1.2 and 1.3, ECDHE key exchange with X25519, P-256 or P-384, AES-GCM or \
             ChaCha20-Poly1305, and certificates with {KEYS}"
        )
    };
    Some(HandshakeError::Protocol(match error {
        Error::InvalidCertificate(error) => return Some(HandshakeError::Certificate(certificate(error))),
        Error::NoCertificatesPresented => {
            return Some(HandshakeError::Certificate("the server presented none".to_owned()));
        }
        Error::AlertReceived(alert) => {
            let why = match alert {
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                    format!(": it has no cipher suite, key exchange or certificate in common with us; {}", supported())
                }
                AlertDescription::ProtocolVersion => {
                    format!(": it has no TLS version in common with us; {}", supported())
                }
                AlertDescription::UnrecognisedName => ": it does not serve this domain".to_owned(),
                AlertDescription::NoApplicationProtocol => {
                    ": it does not speak XMPP there (ALPN xmpp-client)".to_owned()
                }
                _ => String::new(),
            };
            let name = match alert {
                AlertDescription::Unknown(number) => number.to_string(),
                known => spell(known, '_'),
            };
            format!("the server ended the handshake (alert {name}){why}")
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => format!("the server has no TLS version in common with us; {}", supported()),
        Error::PeerIncompatible(why) => format!("the server is incompatible: {}; {}", spell(why, ' '), supported()),
        Error::PeerMisbehaved(why) => format!("the server violates the TLS protocol: {}", spell(why, ' ')),
        Error::InvalidMessage(why) => format!("the server sent something that is not TLS: {}", spell(why, ' ')),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server violates the TLS protocol: a message out of turn".to_owned()
        }
        other => other.to_string(),
    }))
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Other(OtherError(error)) if error.is::<Refusal>() => error.to_string(),
        other => spell(other, ' '),
    }
}

/// The name of an enum's variant, `HandshakeFailure`, in lower case with this between its words.
pub(super) fn spell(variant: &impl Debug, between: char) -> String {
    let name = format!("{variant:?}");
    let name = name.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !words.is_empty() {
            words.push(between);
        }
        words.extend(char.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: rustls::Error) -> String {
        match handshake_error(&io::Error::other(error)).unwrap() {
            HandshakeError::Certificate(words) => format!("certificate: {words}"),
            HandshakeError::Protocol(words) => words,
        }
    }

    #[test]
    fn no_debug_forms() {
        use rustls::{Error, InvalidMessage, PeerMisbehaved};
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
            let said = said(error);
            assert!(said.contains(words) && !said.contains(['{', '[']), "{said}");
        }
        assert_eq!(handshake_error(&io::Error::other("no")), None);
        assert_eq!(handshake_error(&io::Error::from(io::ErrorKind::BrokenPipe)), None);
    }
}
