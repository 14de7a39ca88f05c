//! Calls of objects on the bus.

use std::time::Duration;

use tokio::sync::oneshot;

use super::attribute::Malformed;
use super::status::StatusCode;
use crate::document::Table;

/// How many calls may be under way, of ours and of others to our object each.
pub(super) const MAX_CALLS: usize = 16;

/// The outcome of a call: the tables that it was answered with.
pub(super) type CallOutcome = Result<Vec<Table>, CallError>;

/// A call whose outcome is awaited.
pub(super) struct Call {
    pub(super) path: String,
    pub(super) method: String,
    pub(super) arguments: Table,
    pub(super) outcome: oneshot::Sender<CallOutcome>,
}

impl Call {
    /// Gives the outcome, unless the caller has given up.
    pub(super) fn end(self, outcome: CallOutcome) {
        let _ = self.outcome.send(outcome);
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection, and none can be made.
    #[error("ubus cannot be reached: {0}")]
    NoBus(String),
    /// The connection ended during the call.
    #[error("the connection to ubus was lost: {0}")]
    Lost(String),
    /// No object of this path.
    #[error("no object '{0}' on ubus")]
    NoObject(String),
    /// Another status than OK.
    #[error("the call on ubus failed: {0}")]
    Status(StatusCode),
    /// The time limit.
    #[error("no answer on ubus within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer is malformed.
    #[error("the answer on ubus cannot be read: {0}")]
    Unreadable(Malformed),
    /// The answer is longer than any that is expected.
    #[error("the answer on ubus is too long")]
    TooMuch,
    /// 16 calls are under way.
    #[error("too many calls on ubus are under way")]
    Busy,
    /// The client was stopped, or crashed.
    #[error("the ubus client is not running")]
    Stopped,
}
