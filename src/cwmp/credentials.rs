//! The connection request credentials in `/etc/config/cwmp`.

use crate::config::model::Password;

/// stub until merge
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// userid
    pub username: String,
    /// passwd
    pub password: Password,
}
