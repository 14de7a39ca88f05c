//! TLS for connections: rustls with ring, TLS 1.2 and 1.3 (RFC 7590), the certificate checked for the XMPP domain
//! (RFC 6120 13.7.2.1).

mod certificate;
mod clock;
mod der;
mod examine;
mod refusal;
mod trust_file;
mod trust_store;
mod verifier;
mod words;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;

use self::clock::Clock;
pub use self::examine::{Finding, examine};
pub use self::trust_store::TrustStores;
use self::verifier::{Trust, Verifier};
pub use self::words::{HandshakeError, handshake_error};

/// ALPN of direct TLS (XEP-0368).
const ALPN: &[u8] = b"xmpp-client";

/// TLS 1.3 tickets that a connection keeps. rustls keeps up to eight for each server name, and a connection has one name;
/// its default prepares for 32 names.
const SESSIONS: usize = 8;

/// Why TLS cannot even begin. All of these are mistakes in the settings or on the device.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TlsSetupError {
    /// `tls_ca` cannot be read, or holds nothing to trust.
    #[error("tls_ca {}: {why}", path.display())]
    TrustFile {
        /// The file or directory.
        path: PathBuf,
        /// What is there, and what is expected.
        why: String,
    },
    /// The system's store holds nothing to trust.
    #[error("the system's certificate store cannot be used: {0}")]
    SystemStore(String),
    /// The files cannot be looked at.
    #[error("cannot read the trusted certificates: {0}")]
    Thread(String),
    /// The TLS library refuses the settings.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// The domain cannot be the name in a certificate.
    #[error("'{0}' cannot be the name in a certificate")]
    Name(String),
}

/// What TLS needs to know of a connection's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The trusted certificates: a file, or a directory of files; none = the system's store.
    pub ca: Option<PathBuf>,
    /// False accepts any certificate.
    pub verify: bool,
}

/// The TLS configuration of one connection, shared by its attempts so that sessions are resumed.
#[derive(Clone)]
pub struct Tls {
    starttls: Arc<ClientConfig>,
    direct: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Tls {
    /// Reads the trusted certificates on this thread, and builds the configuration.
    ///
    /// # Errors
    /// [`TlsSetupError`] says which file, or what else is wrong.
    pub fn read(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let stores = TrustStores::default();
        Self::new(if settings.verify {
            trust_store::read(settings.ca.as_deref(), &stores.provider())?
        } else {
            any_certificate(&stores)
        })
    }

    fn new(verifier: Arc<Verifier>) -> Result<Self, TlsSetupError> {
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

fn any_certificate(stores: &TrustStores) -> Arc<Verifier> {
    Arc::new(Verifier { trust: Trust::Any, provider: stores.provider() })
}

/// A connection's TLS, made when it is first needed: a connection without TLS needs no trusted certificates.
#[derive(Clone)]
pub struct LazyTls {
    settings: TlsSettings,
    stores: TrustStores,
    made: Rc<RefCell<Option<Tls>>>,
}

impl LazyTls {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(settings: TlsSettings, stores: TrustStores) -> Self {
        Self { settings, stores, made: Rc::default() }
    }

    /// The configuration. A new one, without sessions, when what is trusted has changed: a resumed session does not show
    /// its certificate again.
    ///
    /// # Errors
    /// See [`Tls::read`].
    pub async fn get(&self) -> Result<Tls, TlsSetupError> {
        let current = || self.made.borrow().clone();
        let verifier = match current() {
            Some(tls) if !self.settings.verify => return Ok(tls),
            _ if !self.settings.verify => any_certificate(&self.stores),
            _ => self.stores.get(self.settings.ca.as_deref()).await?,
        };
        match current() {
            Some(tls) if Arc::ptr_eq(&tls.verifier, &verifier) => Ok(tls),
            _ => Ok(self.made.borrow_mut().insert(Tls::new(verifier)?).clone()),
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

#[cfg(test)]
mod tests;
