//! What a supervisor knows about a child: its specification, its state, and how its runs ended.

use std::{
    fmt::{self, Debug, Display},
    hash::Hash,
    time::Duration,
};

/// Identifies a child: unique within its supervisor, and readable in a log line.
pub trait ChildId: Clone + Eq + Hash + Debug + Display + Send + Unpin + 'static {}

impl<T: Clone + Eq + Hash + Debug + Display + Send + Unpin + 'static> ChildId for T {}

/// The settings that a child is started with.
pub trait ChildSettings: Clone + Send + Unpin + 'static {}

impl<T: Clone + Send + Unpin + 'static> ChildSettings for T {}

/// A child's specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSpec<Id> {
    /// The child's name within its supervisor.
    pub id: Id,
    /// What follows when the child exits too often.
    pub strategy: RestartStrategy,
    /// How long the child may take to stop before it is killed. `None` is for supervisors, whose children have limits of
    /// their own.
    pub stop_limit: Option<Duration>,
}

/// What follows when a child exits too often. Until then it is restarted after each exit that its supervisor did not ask
/// for. Its siblings are never restarted with it (`one_for_one`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartStrategy {
    /// The supervisor ends: the exits of all such children count together against its [`Intensity`].
    Escalate,
    /// The child stays down until it is replaced: its exits count against this intensity alone.
    GiveUp(Intensity),
}

/// How many exits are tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// This many exits within the period are followed by a restart; one more is too many.
    pub exits: u32,
    /// An exit counts until more than this time has passed since.
    pub period: Duration,
}

/// The number of a run of a child. Grows with each start over the life of a supervisor, so that an event of an earlier run
/// is not taken for one of the present run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Why a run of a child, or a supervisor, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It ended without being asked to.
    Normal,
    /// It was asked to stop.
    Shutdown,
    /// It panicked, with this message.
    Panicked(String),
    /// It did not answer a heartbeat, and its task was aborted.
    Unresponsive,
    /// Its task was aborted.
    Killed,
    /// A supervisor saw more exits than its [`Intensity`] allows.
    IntensityReached {
        /// The child whose exit was one too many.
        child: String,
        /// The reason of that exit.
        last: Box<ExitReason>,
    },
}

impl Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended by itself"),
            Self::Shutdown => f.write_str("stopped as asked"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Unresponsive => f.write_str("no answer to a heartbeat"),
            Self::Killed => f.write_str("killed"),
            Self::IntensityReached { child, last } => write!(f, "restart intensity reached by {child} ({last})"),
        }
    }
}

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// It runs.
    Running,
    /// It is being stopped, and is started again when it is gone.
    Restarting,
    /// It is being stopped, and is removed when it is gone.
    Stopping,
    /// It exited too often, and stays down until it is replaced or removed.
    GivenUp,
}

/// What a supervisor says about a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildStatus<Id> {
    /// The child's name.
    pub id: Id,
    /// What it does.
    pub state: ChildState,
    /// Its present or last run.
    pub incarnation: Incarnation,
    /// How the run before this one ended; none before the first exit.
    pub last_exit: Option<ExitReason>,
}
