//! Why a notification failed.

use std::time::Duration;

use crate::ubus::CallError;

/// Why the CWMP client was not notified.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NotifyError {
    /// The program cannot be started.
    #[error("'{program}' cannot be run: {error}")]
    NotRun {
        /// The program.
        program: String,
        /// The system's error.
        error: String,
    },
    /// The program's exit status is not 0.
    #[error("'{program}' {outcome}")]
    Failed {
        /// The program.
        program: String,
        /// Describes the exit status or signal.
        outcome: String,
    },
    /// The program did not end within `notify_timeout_ms`, and was killed.
    #[error("'{program}' did not end within {} ms and was killed", limit.as_millis())]
    Timeout {
        /// The program.
        program: String,
        /// `notify_timeout_ms`
        limit: Duration,
    },
    /// The call on ubus failed.
    #[error(transparent)]
    Ubus(#[from] CallError),
    /// The CWMP client refuses the event: its message, or its status.
    #[error("the CWMP client says: {0}")]
    ClientSays(String),
    /// The `status` in the CWMP client's answer is neither an integer nor a decimal string.
    #[error("the CWMP client's answer has a status that is no number")]
    NoStatus,
    /// The notifier crashed, or is not running.
    #[error("the notifier is not running")]
    NoNotifier,
}
