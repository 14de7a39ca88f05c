//! TLS for connections: rustls with ring, TLS 1.2 and 1.3 (RFC 7590). The certificate is checked for the XMPP domain
//! (RFC 6120 13.7.2.1).

mod certificate;
mod clock;
mod der;
mod examine;
mod handshake_error;
mod refusal;
mod setup_error;
mod supported;
mod trust_file;
mod trust_paths;
mod trust_store;
mod verifier;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;

use self::clock::Clock;
pub use self::examine::{Finding, examine};
pub use self::handshake_error::{HandshakeError, handshake_error};
pub use self::setup_error::TlsSetupError;
use self::trust_paths::TrustPaths;
pub use self::trust_store::TrustStores;
use self::verifier::{CertificateVerifier, Trust};

/// ALPN of direct TLS (XEP-0368).
const ALPN: &[u8] = b"xmpp-client";

/// Number of sessions that a connection keeps: all that rustls keeps for one server name, and a connection has only
/// one.
const SESSIONS: usize = 8;

/// The TLS settings of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The file or directory of trusted certificates; `None`: the system's store.
    pub ca: Option<PathBuf>,
    /// Whether the certificate is verified.
    pub verify: bool,
}

/// The TLS configuration of a connection. Its attempts share it, so that sessions are resumed.
#[derive(Clone)]
pub struct Tls {
    starttls: Arc<ClientConfig>,
    direct: Arc<ClientConfig>,
    verifier: Arc<CertificateVerifier>,
}

impl Tls {
    /// Reads the trusted certificates on this thread, and builds the configuration.
    ///
    /// # Errors
    /// There is no usable certificate, or rustls rejects the configuration.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let stores = TrustStores::default();
        Self::new(if settings.verify {
            Arc::new(TrustPaths::of(settings.ca.as_deref()).read(&stores.provider())?)
        } else {
            accept_any(&stores)
        })
    }

    fn new(verifier: Arc<CertificateVerifier>) -> Result<Self, TlsSetupError> {
        let mut starttls = ClientConfig::builder_with_details(Arc::clone(&verifier.provider), Arc::new(Clock))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        starttls.resumption = Resumption::in_memory_sessions(SESSIONS);
        let mut direct = starttls.clone();
        direct.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { starttls: Arc::new(starttls), direct: Arc::new(direct), verifier })
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

fn accept_any(stores: &TrustStores) -> Arc<CertificateVerifier> {
    Arc::new(CertificateVerifier { trust: Trust::Any, provider: stores.provider() })
}

/// The TLS configuration of a connection, built when it is first needed: a connection without TLS needs no trusted
/// certificates.
#[derive(Clone)]
pub struct LazyTls {
    settings: TlsSettings,
    stores: TrustStores,
    built: Rc<RefCell<Option<Tls>>>,
}

impl LazyTls {
    /// Creates the configuration without reading anything yet.
    #[must_use]
    pub fn new(settings: TlsSettings, stores: TrustStores) -> Self {
        Self { settings, stores, built: Rc::default() }
    }

    /// Returns the configuration. After a change of the trusted certificates it is a new one, without sessions: the
    /// server does not present its certificate when a session is resumed.
    ///
    /// # Errors
    /// See [`Tls::read`].
    pub async fn get(&self) -> Result<Tls, TlsSetupError> {
        let current = || self.built.borrow().clone();
        let verifier = match current() {
            Some(tls) if !self.settings.verify => return Ok(tls),
            _ if !self.settings.verify => accept_any(&self.stores),
            _ => self.stores.get(self.settings.ca.as_deref()).await?,
        };
        match current() {
            Some(tls) if Arc::ptr_eq(&tls.verifier, &verifier) => Ok(tls),
            _ => Ok(self.built.borrow_mut().insert(Tls::new(verifier)?).clone()),
        }
    }

    /// Discards the sessions: the next handshake is a full one.
    pub fn forget(&self) {
        *self.built.borrow_mut() = None;
    }
}

/// Returns the name that the certificate must be valid for: the XMPP domain, as A-labels.
///
/// # Errors
/// The domain is neither a host name nor an IP address.
pub fn server_name(ascii_domain: &str) -> Result<ServerName<'static>, TlsSetupError> {
    let bare = ascii_domain.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| TlsSetupError::Name(ascii_domain.to_owned()))
}

#[cfg(test)]
mod tests;
