//! What the [policy](super::policy) says: what is to be done, what an exit was taken for, and what can't be done.

use std::{
    fmt::{self, Display},
    time::Duration,
};

#[cfg(doc)]
use super::policy::Policy;
use super::spec::{ChildId, ExitReason, Incarnation};

/// What the supervisor is to do now, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<Id> {
    /// Start the child, and report with [`Policy::started`] or [`Policy::exited`] what came of it.
    Start {
        /// The child to start.
        id: Id,
        /// The number of its new run.
        incarnation: Incarnation,
    },
    /// Ask the child to stop, and say [`Policy::overdue`] when it is not gone after `within`.
    Stop {
        /// The child to ask.
        id: Id,
        /// The run that is meant.
        incarnation: Incarnation,
        /// How long it may take; without an end if `None`.
        within: Option<Duration>,
    },
    /// End the child's task.
    Kill {
        /// The child to kill.
        id: Id,
        /// The run that is meant.
        incarnation: Incarnation,
    },
    /// Tell whom it concerns that the child has spent its budget and stays down.
    GiveUp {
        /// The child that is given up.
        id: Id,
        /// Its last run.
        incarnation: Incarnation,
        /// How that run ended.
        reason: ExitReason,
    },
    /// Forget the child: it is gone and will not be started again.
    Remove {
        /// The child to forget.
        id: Id,
    },
    /// End with this reason: no child is left.
    Terminate(ExitReason),
}

/// What an exit was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is about a run that is over already; nothing follows.
    Late,
    /// It was asked for.
    Expected,
    /// The child is restarted, with those of its siblings that the strategy names.
    Restart,
    /// The child's restart type leaves it down.
    LeftDown,
    /// The child has spent its budget and is given up.
    GivenUp,
    /// The supervisor has seen too many exits: it stops all children, then itself.
    IntensityReached,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "ignored, an earlier incarnation",
            Self::Expected => "expected",
            Self::Restart => "restarted",
            Self::LeftDown => "not restarted",
            Self::GivenUp => "given up, its restart budget is spent",
            Self::IntensityReached => "supervisor ends, restart intensity reached",
        })
    }
}

/// A wish that can't be fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupervisionError<Id: ChildId> {
    /// A child of this name is there, be it running, given up or still stopping.
    #[error("there is a child {0} already")]
    AlreadyPresent(Id),
    /// There is no such child, or it is being removed.
    #[error("there is no child {0}")]
    NotFound(Id),
    /// The supervisor is on its way down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
}
