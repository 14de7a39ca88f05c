//! The server certificates that a requester accepts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;

use xmppd::xmpp::tls::{Tls, TlsSettings, TlsSetupError};

/// What the server's certificate is checked against. TLS is always used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's store.
    #[default]
    System,
    /// Only the certificates in this file.
    File(PathBuf),
    /// Any certificate, for tests: an on-path attacker can read everything.
    Anything,
}

impl Trust {
    /// Builds the TLS settings, in the same way as xmppd does.
    ///
    /// # Errors
    /// The file cannot be read, has no certificate, or has one that cannot be parsed.
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
    fn the_error_names_a_file_without_certificates() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, "nothing here\n").unwrap();
        let error = Trust::File(path).client_config().unwrap_err();
        assert!(error.to_string().contains("ca.pem: it holds no certificate"), "{error}");
    }

    #[test]
    fn the_error_names_a_missing_file() {
        let error = Trust::File(PathBuf::from("/nonexistent/ca.pem")).client_config().unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
