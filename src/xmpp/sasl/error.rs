//! Why a login failed.

use crate::xmpp::error_condition::ErrorCondition;
use crate::xmpp::xml_stream::StreamFault;

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum SaslError {
    /// The server refuses the login.
    #[error("the server refuses the login: {0}")]
    Refused(ErrorCondition),
    /// The server refuses the first message, which says that the server seems not to support channel binding (flag
    /// `y`).
    #[error(
        "the server refuses the login at its first message: {0} (the account may be unknown; or the server does support \
         channel binding, and an attacker removed -PLUS from its list)"
    )]
    RefusedUnbound(ErrorCondition),
    /// The server offers no mechanism that may be used.
    #[error("no usable login mechanism among those that the server offers ({0})")]
    NoMechanism(String),
    /// The server has not proven that it knows the password.
    #[error("the server could not prove that it knows the account's password ({0}); it may be an impostor")]
    Impostor(&'static str),
    /// The server did not answer in time.
    #[error("no answer from the server")]
    Timeout,
    /// Deriving the keys took too long.
    #[error("deriving the keys took too long: the server asks for too many iterations for this CPU")]
    TooSlow,
    /// The server violates the protocol.
    #[error("invalid login message from the server: {0}")]
    Protocol(String),
    /// The server sent a stream error.
    #[error("the server ends the stream: {0}")]
    StreamError(ErrorCondition),
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamFault),
}
