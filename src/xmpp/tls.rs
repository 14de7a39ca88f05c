//! TLS for one connection: rustls with ring, TLS 1.2 and 1.3 (RFC 7590), the certificate checked for the XMPP domain
//! (RFC 6120 13.7.2.1).

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// ALPN of direct TLS (XEP-0368).
const ALPN: &[u8] = b"xmpp-client";

/// Why TLS cannot even be begun. All of these are mistakes in the settings or on the device.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The file of `tls_ca` can't be read.
    #[error("tls_ca {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system or the PEM reader says.
        error: String,
    },
    /// No certificate to trust.
    #[error("{0} holds no usable CA certificate")]
    NoCertificates(String),
    /// rustls refuses.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// The domain can't be the name in a certificate.
    #[error("'{0}' cannot be the name in a certificate")]
    Name(String),
}

/// What TLS needs to know of a connection's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The PEM file of trusted CAs; none = the system's store.
    pub ca: Option<PathBuf>,
    /// False takes any certificate.
    pub verify: bool,
}

/// A connection's TLS, made once and shared by its reconnects so that sessions are resumed.
#[derive(Clone)]
pub struct Tls {
    starttls: Arc<ClientConfig>,
    direct: Arc<ClientConfig>,
    ca_modified: Option<SystemTime>,
}

impl Tls {
    /// Reads the trusted certificates and builds the configuration.
    ///
    /// # Errors
    /// [`TlsSetupError`] says which file, or what else is wrong.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider.clone(), Arc::new(Clock))
            .with_safe_default_protocol_versions()?;
        let starttls = if settings.verify {
            builder.with_root_certificates(trusted(settings.ca.as_deref())?).with_no_client_auth()
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth()
        };
        let mut direct = starttls.clone();
        direct.alpn_protocols = vec![ALPN.to_vec()];
        let ca_modified = settings.ca.as_deref().and_then(modified);
        Ok(Self { starttls: Arc::new(starttls), direct: Arc::new(direct), ca_modified })
    }

    /// Whether the file of `tls_ca` has changed since this was made.
    #[must_use]
    pub fn is_stale(&self, settings: &TlsSettings) -> bool {
        settings.ca.as_deref().is_some_and(|path| modified(path) != self.ca_modified)
    }

    /// The configuration for STARTTLS.
    #[must_use]
    pub fn starttls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.starttls)
    }

    /// The configuration for direct TLS, with ALPN.
    #[must_use]
    pub fn direct(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.direct)
    }
}

/// A connection's TLS where it is first needed: a connection that never uses TLS needs no CA certificates either.
#[derive(Clone)]
pub struct LazyTls {
    settings: TlsSettings,
    made: Rc<RefCell<Option<Tls>>>,
}

impl LazyTls {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(settings: TlsSettings) -> Self {
        Self { settings, made: Rc::default() }
    }

    /// The configuration; made anew when the file of `tls_ca` has changed.
    ///
    /// # Errors
    /// See [`Tls::new`].
    pub fn get(&self) -> Result<Tls, TlsSetupError> {
        let mut made = self.made.borrow_mut();
        match &*made {
            Some(tls) if !tls.is_stale(&self.settings) => Ok(tls.clone()),
            _ => Ok(made.insert(Tls::new(&self.settings)?).clone()),
        }
    }

    /// Forgets the sessions: the next handshake is a full one.
    pub fn forget(&self) {
        *self.made.borrow_mut() = None;
    }
}

/// The name that the certificate has to hold: the XMPP domain, as A-labels.
///
/// # Errors
/// When the domain is no host name and no IP address.
pub fn server_name(ascii_domain: &str) -> Result<ServerName<'static>, TlsSetupError> {
    let bare = ascii_domain.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| TlsSetupError::Name(ascii_domain.to_owned()))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn trusted(ca: Option<&Path>) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    let source = if let Some(path) = ca {
        let unreadable = |error: String| TlsSetupError::Unreadable { path: path.to_owned(), error };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        path.display().to_string()
    } else {
        // A broken certificate among many in the system's store is no reason to trust none.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        format!("the system's certificate store{why}")
    };
    if roots.is_empty() { Err(TlsSetupError::NoCertificates(source)) } else { Ok(roots) }
}

/// The time for certificate checks: the system's, but never before this program was built. A device without a real-time
/// clock wakes up in 1970, before every certificate.
#[derive(Debug)]
struct Clock;

/// When the program was built, in seconds since 1970.
const BUILD_TIME: &str = env!("XMPPD_BUILD_TIME");

static WARNED: AtomicBool = AtomicBool::new(false);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let built = Duration::from_secs(BUILD_TIME.parse().unwrap_or(0));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if now < built && !WARNED.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the system's clock is before the time when this program was built; \
                 certificates are checked as of the build time until it is set"
            );
        }
        Some(UnixTime::since_unix_epoch(now.max(built)))
    }
}

/// `tls_verify 0`: any certificate will do. The handshake is still checked, so that the peer holds the key it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What is wrong with the certificate, if that is what an I/O error of a handshake is about.
#[must_use]
pub fn certificate_error(error: &io::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error.get_ref()?.downcast_ref::<rustls::Error>()? else {
        return None;
    };
    // rustls has words for some of them and mere names for the others.
    Some(match error {
        CertificateError::UnknownIssuer => "nobody that is trusted has issued it".to_owned(),
        CertificateError::BadSignature => {
            "its signature is not the one of the CA that is trusted by that name".to_owned()
        }
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        other => other.to_string(),
    })
}
