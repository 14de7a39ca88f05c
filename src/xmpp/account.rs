//! The XMPP account of a connection.

use crate::config::model::Password;

/// The account that a connection logs in to, with its settings for the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `username`
    pub username: String,
    /// `password`
    pub password: Password,
    /// `domain`
    pub domain: String,
    /// The domain as A-labels: for DNS and for the certificate.
    pub ascii_domain: String,
    /// `resource`
    pub resource: Option<String>,
    /// `usetls`
    pub use_tls: bool,
}
