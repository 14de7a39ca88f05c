//! Whether a server's certificate is accepted.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::refusal::{self, Expected};

/// Which certificates are accepted, beyond the server's proof that it holds the key.
pub(super) enum Trust {
    /// Those that are issued by one of these, and those that are pinned; for the domain and the present time alone.
    Given(Given),
    /// `tls_verify 0`: any.
    Any,
}

/// What is trusted.
pub(super) struct Given {
    /// The authorities.
    pub(super) roots: RootCertStore,
    /// Certificates that are accepted as they are; sorted.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    /// `tls_ca PATH` or `the system's store`.
    pub(super) source: String,
}

/// The verifier that all connections with the same trust share.
pub struct Verifier {
    pub(super) trust: Trust,
    pub(super) provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trust {
            Trust::Given(Given { roots, source, .. }) => write!(f, "{} authorities of {source}", roots.len()),
            Trust::Any => f.write_str("any certificate"),
        }
    }
}

impl Given {
    fn verify(
        &self,
        provider: &CryptoProvider,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        if self.pinned.binary_search_by(|pinned| pinned.as_ref().cmp(leaf.as_ref())).is_ok() {
            check_validity(leaf, now)?;
        } else {
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        }
        verify_server_name(&parsed, name)
    }
}

/// The validity of a pinned certificate. It is all that is left of RFC 5280 6 for one, beside the name.
fn check_validity(leaf: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let certificate = Certificate::read(leaf).ok_or(CertificateError::BadEncoding)?;
    let bound =
        |seconds: i64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let (not_before, not_after) = (bound(certificate.not_before), bound(certificate.not_after));
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Trust::Given(given) = &self.trust {
            given.verify(&self.provider, leaf, intermediates, name, now).map_err(|error| {
                let expected = Expected { name, source: &given.source, roots: &given.roots };
                refusal::of_chain(error, leaf, intermediates, &expected)
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        refusal::of_signature(verify_tls12_signature(message, leaf, signature, algorithms), leaf)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        refusal::of_signature(verify_tls13_signature(message, leaf, signature, algorithms), leaf)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
