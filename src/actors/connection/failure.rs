//! A failure as the status shows it.

use crate::status::Status;
use crate::text::truncate;
use crate::xmpp::attempt::{AttemptError, Cause};
use crate::xmpp::sasl::SaslError;

/// Longer errors are cut, bytes: a server may send a megabyte of text. xmppd's own are shorter.
const MAX_ERROR: usize = 1000;

/// A status, and the error that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) error: String,
}

impl Failure {
    /// The error of at most [`MAX_ERROR`] bytes, and `...` where it was longer.
    pub(super) fn new(status: Status, error: &impl ToString) -> Self {
        let mut error = error.to_string();
        let end = truncate(&error, MAX_ERROR).len();
        if end < error.len() {
            error.replace_range(end.., "...");
        }
        Self { status, error }
    }

    /// The failure that a pass shows for this one and an earlier one: the later one, but a server that was reached says more
    /// than one that was not.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if self.status == Status::ServerNotPresent => earlier,
            _ => self,
        }
    }
}

/// The status that a failed attempt leads to.
pub(super) fn status_of(error: &AttemptError) -> Status {
    match &error.cause {
        Cause::Sasl(SaslError::Refused(_) | SaslError::RefusedUnbound(_) | SaslError::Impostor(_)) => {
            Status::ErrorAuthenticationFailure
        }
        Cause::Certificate(_) | Cause::TlsSetup(_) | Cause::NoTls | Cause::TlsRefused => Status::ErrorMisconfigured,
        Cause::Sasl(_)
        | Cause::StreamError(_)
        | Cause::BindRefused(_)
        | Cause::SessionRefused(_)
        | Cause::Handshake(_) => Status::Error,
        Cause::Timeout
        | Cause::Io(_)
        | Cause::NotConnected(_)
        | Cause::Stream(_)
        | Cause::Injected
        | Cause::Unexpected { .. }
        | Cause::NoBind
        | Cause::BadJid
        | Cause::BadResumption(_) => Status::ServerNotPresent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_cut() {
        let error = |text: &str| Failure::new(Status::Error, &text).error;
        assert_eq!(error(&"x".repeat(1000)), "x".repeat(1000));
        assert_eq!(error(&"\u{e4}".repeat(500_000)), "\u{e4}".repeat(500) + "...");
    }

    #[test]
    fn a_pass_shows_its_last_failure_but_a_server_that_was_reached_first() {
        let unreachable = Failure::new(Status::ServerNotPresent, &"refused");
        let reached = Failure::new(Status::ErrorMisconfigured, &"certificate");
        let other = Failure::new(Status::Error, &"conflict");
        for (earlier, later, shown) in [
            (None, &unreachable, &unreachable),
            (Some(&unreachable), &reached, &reached),
            (Some(&reached), &unreachable, &reached),
            (Some(&reached), &other, &other),
        ] {
            assert_eq!(later.clone().after(earlier.cloned()), *shown, "{earlier:?}, then {later:?}");
        }
    }
}
