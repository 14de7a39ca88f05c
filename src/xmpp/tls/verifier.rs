//! Verifies server certificates (RFC 6120 13.7.2): by the trusted CAs, or as pinned ones.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::clock;
use super::refusal::{Expected, explain_chain_error, explain_signature_error};

/// Which certificates are accepted. The server must prove in any case that it holds the key.
pub(super) enum Trust {
    /// Those that these verify.
    Certificates(TrustedCertificates),
    /// Any certificate: `tls_verify 0`.
    Any,
}

/// Accepts certificates that a root has issued, and pinned ones, if they are valid now and for the domain.
pub(super) struct TrustedCertificates {
    /// The CAs.
    pub(super) roots: RootCertStore,
    /// Certificates that are accepted whatever their issuer, sorted by DER.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    /// `tls_ca PATH` or `the system's store`.
    pub(super) source: String,
}

/// Verifies certificates for all connections that trust the same. Compared by address: a new one means changed trust.
pub struct CertificateVerifier {
    pub(super) trust: Trust,
    pub(super) provider: Arc<CryptoProvider>,
}

impl fmt::Debug for CertificateVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trust {
            Trust::Certificates(trusted) => write!(f, "{} CAs of {}", trusted.roots.len(), trusted.source),
            Trust::Any => f.write_str("any certificate"),
        }
    }
}

impl TrustedCertificates {
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

/// Checks the validity period of a pinned certificate: beside the name the only part of RFC 5280 6 that applies to one.
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

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Trust::Certificates(trusted) = &self.trust {
            let presented: Vec<_> = std::iter::once(leaf).chain(intermediates).collect();
            let now = clock::as_of(now, &presented);
            trusted.verify(&self.provider, leaf, intermediates, name, now).map_err(|error| {
                let expected = Expected { name, source: &trusted.source, roots: &trusted.roots };
                explain_chain_error(error, leaf, intermediates, &expected)
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
        explain_signature_error(verify_tls12_signature(message, leaf, signature, algorithms), leaf)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        explain_signature_error(verify_tls13_signature(message, leaf, signature, algorithms), leaf)
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

    /// A certificate for `a.test`, valid from 2020 to 2029, with `CA:TRUE` as `openssl req -x509` makes it.
    fn certificate() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// Verifies the certificate for a name, `years` years after 1970.
    fn verify(
        leaf: &CertificateDer<'_>,
        pinned: Vec<CertificateDer<'static>>,
        name: &str,
        years: u64,
    ) -> Result<(), Error> {
        let provider = rustls::crypto::ring::default_provider();
        let mut roots = RootCertStore::empty();
        roots.add(certificate()).unwrap();
        let trusted = TrustedCertificates { roots, pinned, source: "tls_ca ca.pem".to_owned() };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(years * YEAR));
        trusted.verify(&provider, leaf, &[], &ServerName::try_from(name.to_owned()).unwrap(), now)
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
    fn another_certificate_of_the_same_name_is_not_pinned() {
        let leaf = certificate();
        assert!(verify(&leaf, vec![certificate()], "a.test", 55).is_err());
        assert!(verify(&leaf, Vec::new(), "a.test", 55).is_err());
    }
}
