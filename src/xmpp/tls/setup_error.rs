//! Errors before a handshake begins.

use std::path::PathBuf;

/// TLS cannot be set up: a mistake in the settings, or a problem of the device.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TlsSetupError {
    /// `tls_ca` cannot be read, or holds no certificate.
    #[error("tls_ca {}: {why}", path.display())]
    TrustFile {
        /// The file or directory.
        path: PathBuf,
        /// What was found, and what is expected.
        why: String,
    },
    /// The system's store holds no certificate.
    #[error("the system's certificate store cannot be used: {0}")]
    SystemStore(String),
    /// The thread that reads the files cannot be started, or has failed.
    #[error("cannot read the trusted certificates: {0}")]
    Thread(String),
    /// rustls rejects the configuration.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// The domain is neither a host name nor an IP address.
    #[error("'{0}' cannot be the name in a certificate")]
    Name(String),
}
