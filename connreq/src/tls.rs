//! Which server certificates a requester accepts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;

use xmppd::xmpp::tls::{Tls, TlsSettings, TlsSetupError};

/// What a server's certificate is checked against. There is no login without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's store.
    #[default]
    System,
    /// The certificates in this PEM file, and no others.
    File(PathBuf),
    /// Any certificate, for tests: whoever is in between reads everything.
    Anything,
}

impl Trust {
    /// The TLS settings for it: those of the CPE's side.
    ///
    /// # Errors
    /// The PEM file cannot be read, holds no certificate or something that is none.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsSetupError> {
        let settings = match self {
            Self::System => TlsSettings { ca: None, verify: true },
            Self::File(path) => TlsSettings { ca: Some(path.clone()), verify: true },
            Self::Anything => TlsSettings { ca: None, verify: false },
        };
        Ok(Tls::read(&settings)?.starttls())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, "nothing here\n").unwrap();
        let error = Trust::File(path).client_config().unwrap_err();
        assert!(error.to_string().contains("ca.pem: it holds no certificate"), "{error}");
    }

    #[test]
    fn a_missing_file_is_refused_by_name() {
        let error = Trust::File(PathBuf::from("/nonexistent/ca.pem")).client_config().unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
