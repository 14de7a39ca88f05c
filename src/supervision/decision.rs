//! The decisions of the policy: what the supervisor has to do, what an exit means, and which requests are refused.

use std::{
    fmt::{self, Display},
    time::Duration,
};

use super::spec::{ChildId, ExitReason, Incarnation, Intensity};

/// What the supervisor has to do. Actions are carried out in the order in which they are returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<Id> {
    /// Start the child. A start that fails is reported as an exit.
    Start {
        /// The child.
        id: Id,
        /// The number of its new run.
        incarnation: Incarnation,
    },
    /// Ask the child to stop. If it is not gone after `limit`, that is reported as overdue.
    Stop {
        /// The child.
        id: Id,
        /// Its run.
        incarnation: Incarnation,
        /// How long it may take; `None`: as long as it takes.
        limit: Option<Duration>,
    },
    /// Send the child a heartbeat.
    SendHeartbeat {
        /// The child.
        id: Id,
    },
    /// Abort the child's task.
    Kill {
        /// The child.
        id: Id,
        /// Its run.
        incarnation: Incarnation,
    },
    /// Report that the child stays down because it exited too often.
    GiveUp {
        /// The child.
        id: Id,
        /// How its last run ended.
        reason: ExitReason,
    },
    /// Forget the child: it is gone and will not be started again.
    Remove {
        /// The child.
        id: Id,
    },
    /// End the supervisor with this reason: no child is left.
    Terminate(ExitReason),
}

/// What an exit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is about an earlier run, or the child is gone or given up; nothing follows.
    Late,
    /// It was asked for.
    Expected,
    /// The child is restarted.
    Restart,
    /// The child exited more often than this intensity allows, and is given up.
    GivenUp(Intensity),
    /// The supervisor saw too many exits: it stops all children, then itself.
    IntensityReached,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("ignored, an earlier incarnation"),
            Self::Expected => f.write_str("expected"),
            Self::Restart => f.write_str("restarted"),
            Self::GivenUp(Intensity { exits, period }) => {
                write!(f, "given up: more than {exits} exits within {} s", period.as_secs_f64())
            }
            Self::IntensityReached => f.write_str("supervisor ends, restart intensity reached"),
        }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupervisionError<Id: ChildId> {
    /// A child of this name is running or given up.
    #[error("there is a child {0} already")]
    AlreadyPresent(Id),
    /// There is no such child, or it is being removed.
    #[error("there is no child {0}")]
    NotFound(Id),
    /// The supervisor is stopping.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
}
