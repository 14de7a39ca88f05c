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

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    const YEAR: u64 = 365 * 24 * 3600;

    /// A certificate for `a.test` of the years 2020 to 2029 that is a CA, as `openssl req -x509` makes one.
    fn certificate() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// Verifies the certificate for a name, so many years after 1970.
    fn verify(
        leaf: &CertificateDer<'_>,
        pinned: Vec<CertificateDer<'static>>,
        name: &str,
        years: u64,
    ) -> Result<(), Error> {
        let provider = rustls::crypto::ring::default_provider();
        let mut roots = RootCertStore::empty();
        roots.add(certificate()).unwrap();
        let given = Given { roots, pinned, source: "tls_ca ca.pem".to_owned() };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(years * YEAR));
        given.verify(&provider, leaf, &[], &ServerName::try_from(name.to_owned()).unwrap(), now)
    }

    #[test]
    fn a_pinned_certificate_is_accepted_for_its_names_within_its_validity() {
        let leaf = certificate();
        let pinned = || vec![leaf.clone()];
        assert_eq!(verify(&leaf, pinned(), "a.test", 55), Ok(()));
        let refused = |name, years| verify(&leaf, pinned(), name, years).unwrap_err();
        assert!(matches!(
            refused("b.test", 55),
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
        ));
        assert!(matches!(refused("a.test", 61), Error::InvalidCertificate(CertificateError::ExpiredContext { .. })));
        assert!(matches!(
            refused("a.test", 49),
            Error::InvalidCertificate(CertificateError::NotValidYetContext { .. })
        ));
    }

    #[test]
    fn only_the_pinned_certificate_itself_is_pinned() {
        let leaf = certificate();
        assert!(verify(&leaf, vec![certificate()], "a.test", 55).is_err());
        assert!(verify(&leaf, Vec::new(), "a.test", 55).is_err());
    }
}
