//! Explains why a certificate is refused: what was expected, and what was presented.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, OtherError, RootCertStore};

use super::certificate::{Certificate, Key, algorithm, distinguished_name, key_type};
use super::der::{Reader, tag};
use super::supported::{KEYS, SIGNATURES};
use crate::calendar::date;
use crate::text::variant_name;

/// The explanation, in the form in which rustls passes on an error of a verifier.
#[derive(Debug)]
pub(super) struct RefusedCertificate(pub(super) String);

impl fmt::Display for RefusedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RefusedCertificate {}

impl RefusedCertificate {
    /// Converts to an error of a verifier, with what the server presented.
    fn into_error(mut self, presented: Option<&Certificate>) -> rustls::Error {
        if let Some(certificate) = presented {
            self.0 = format!("{}; presented: {certificate}", self.0);
        }
        CertificateError::Other(OtherError(Arc::new(self))).into()
    }
}

/// What a certificate is verified against.
pub(super) struct Expected<'a> {
    /// The XMPP domain.
    pub(super) name: &'a ServerName<'a>,
    /// `tls_ca PATH` or `the system's store`.
    pub(super) source: &'a str,
    pub(super) roots: &'a RootCertStore,
}

/// Explains an error in the verification of a chain. Other errors are returned unchanged.
pub(super) fn explain_chain_error(
    error: rustls::Error,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    expected: &Expected<'_>,
) -> rustls::Error {
    let rustls::Error::InvalidCertificate(error) = error else { return error };
    let presented = Certificate::read(leaf);
    let chain: Vec<_> = intermediates.iter().filter_map(|der| Certificate::read(der)).collect();
    let explanation = match (&error, &presented) {
        (CertificateError::UnknownIssuer, Some(leaf)) => unknown_issuer(leaf, &chain, expected.source),
        (CertificateError::Other(error), Some(leaf))
            if is_self_signed_ca(error, leaf) && !is_root(expected.roots, leaf) =>
        {
            unknown_issuer(leaf, &chain, expected.source)
        }
        (CertificateError::BadSignature, Some(leaf)) => bad_signature(leaf, &chain, expected.roots),
        (CertificateError::ExpiredContext { time, not_after }, _) => {
            let in_chain = presented.as_ref().is_some_and(|leaf| leaf.not_after != seconds(*not_after));
            let which = if in_chain { "a certificate of its chain " } else { "" };
            format!("{which}expired on {} (now it is {})", date(seconds(*not_after)), date(seconds(*time)))
        }
        (CertificateError::NotValidYetContext { time, not_before }, _) => {
            let in_chain = presented.as_ref().is_some_and(|leaf| leaf.not_before != seconds(*not_before));
            let which = if in_chain { "a certificate of its chain is " } else { "" };
            format!("{which}not valid before {} (now it is {})", date(seconds(*not_before)), date(seconds(*time)))
        }
        (CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName, _) => {
            format!("not valid for the name {}", expected.name.to_str())
        }
        (error, presented) => explain_other(error, presented.as_ref()),
    };
    RefusedCertificate(explanation).into_error(presented.as_ref())
}

/// Explains an error in the verification of the server's handshake signature. Other errors are returned unchanged.
pub(super) fn explain_signature_error(
    result: Result<HandshakeSignatureValid, rustls::Error>,
    leaf: &CertificateDer<'_>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let error = match result {
        Err(rustls::Error::InvalidCertificate(error)) => error,
        other => return other,
    };
    let presented = Certificate::read(leaf);
    let explanation = match (&error, &presented) {
        (CertificateError::BadSignature, Some(leaf)) if leaf.key.is_out_of_range() => {
            format!("its key is not supported; expected {KEYS}")
        }
        (CertificateError::BadSignature, _) => "the handshake was not signed with its key".to_owned(),
        (error, presented) => explain_other(error, presented.as_ref()),
    };
    Err(RefusedCertificate(explanation).into_error(presented.as_ref()))
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Follows the chain that the server sent to its last certificate.
fn top<'a>(leaf: &'a Certificate, chain: &'a [Certificate]) -> &'a Certificate {
    let mut top = leaf;
    for _ in chain {
        let above = |above: &&Certificate| above.subject == top.issuer && !top.self_issued;
        top = chain.iter().find(above).unwrap_or(top);
    }
    top
}

fn unknown_issuer(leaf: &Certificate, chain: &[Certificate], source: &str) -> String {
    if leaf.self_issued {
        return format!("unknown issuer: it is self-signed and not in {source}");
    }
    format!("unknown issuer '{}': not in {source}", top(leaf, chain).issuer)
}

/// Whether this is a self-signed certificate with `CA:TRUE`, for which webpki reports no unknown issuer.
fn is_self_signed_ca(OtherError(error): &OtherError, leaf: &Certificate) -> bool {
    leaf.self_issued && matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn is_root(roots: &RootCertStore, leaf: &Certificate) -> bool {
    roots.roots.iter().any(|anchor| distinguished_name(&anchor.subject) == leaf.subject)
}

/// The issuer's certificate is known, but its key does not verify the signature.
fn bad_signature(leaf: &Certificate, chain: &[Certificate], roots: &RootCertStore) -> String {
    let names = |certificate: &Certificate| certificate.issuer.clone();
    let issuers: Vec<String> = std::iter::once(leaf).chain(chain).map(names).collect();
    let anchors = roots.roots.iter().filter(|anchor| issuers.contains(&distinguished_name(&anchor.subject)));
    let keys = anchors.filter_map(|anchor| Key::read(&anchor.subject_public_key_info));
    if let Some(key) = keys.chain(chain.iter().map(|issuer| issuer.key.clone())).find(Key::is_out_of_range) {
        return format!("its issuer's key is {key}; expected {KEYS}");
    }
    "its signature was not made by the trusted CA of that name".to_owned()
}

fn explain_other(error: &CertificateError, presented: Option<&Certificate>) -> String {
    match error {
        CertificateError::InvalidPurposeContext { presented, .. } => {
            let purposes: Vec<_> = presented.iter().map(purpose).collect();
            format!("not for servers: its extended key usage is {}; expected serverAuth", purposes.join(", "))
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            format!(
                "signed with {}, which is not supported; expected {SIGNATURES}",
                signature_name(signature_algorithm_id)
            )
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => {
            let key = key_type(Reader::new(public_key_algorithm_id)).unwrap_or_default();
            let signature = signature_name(signature_algorithm_id);
            format!("signed with {signature} by a key {key}, which is not supported; expected {SIGNATURES}")
        }
        CertificateError::BadEncoding => "it is not a valid X.509 certificate".to_owned(),
        CertificateError::Other(OtherError(error)) => match error.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                "it is a CA's certificate (CA:TRUE); expected a server's, or the certificate itself in tls_ca"
                    .to_owned()
            }
            Some(webpki::Error::UnsupportedCertVersion) => {
                let version = presented.map_or(0, |certificate| certificate.version);
                format!("it is an X.509 version {version} certificate; expected version 3")
            }
            Some(webpki::Error::NameConstraintViolation) => "the name constraints of its issuer forbid it".to_owned(),
            Some(error) => variant_name(error, ' '),
            None => error.to_string(),
        },
        other => variant_name(other, ' '),
    }
}

/// The name of a signature algorithm, from the contents of an `AlgorithmIdentifier`.
fn signature_name(identifier: &[u8]) -> String {
    algorithm(Reader::new(identifier).expect(tag::OID).unwrap_or_default())
}

fn purpose(purpose: &rustls::ExtendedKeyPurpose) -> String {
    match purpose {
        rustls::ExtendedKeyPurpose::ClientAuth => "clientAuth".to_owned(),
        rustls::ExtendedKeyPurpose::ServerAuth => "serverAuth".to_owned(),
        rustls::ExtendedKeyPurpose::Other(arcs) => arcs.iter().map(ToString::to_string).collect::<Vec<_>>().join("."),
    }
}
