//! The words of supervision: child specifications, strategies and exit reasons.

use std::{
    fmt::{self, Debug, Display},
    hash::Hash,
    time::Duration,
};

/// What a child can be named by: unique within its supervisor, and readable in a log line.
pub trait ChildId: Clone + Eq + Hash + Debug + Display + Send + Unpin + 'static {}

impl<T: Clone + Eq + Hash + Debug + Display + Send + Unpin + 'static> ChildId for T {}

/// The settings that a child is started with.
pub trait ChildSettings: Clone + Send + Unpin + 'static {}

impl<T: Clone + Send + Unpin + 'static> ChildSettings for T {}

/// What a supervisor has to know of a child to decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSpec<Id> {
    /// The child's name within its supervisor.
    pub id: Id,
    /// After which exits it is started again.
    pub restart: RestartType,
    /// How long it may take to stop.
    pub shutdown: Shutdown,
    /// A restart budget of the child's own. The exits of a child that has one do not count against its supervisor's
    /// [`Intensity`]: when the budget is spent, that child alone is given up.
    pub budget: Option<Intensity>,
}

/// After which exits a child is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestartType {
    /// After every exit.
    Permanent,
    /// After an abnormal exit only.
    Transient,
    /// Never; its specification goes with it.
    Temporary,
}

impl RestartType {
    /// Whether a child of this type is started again after it ended with `reason`.
    #[must_use]
    pub fn restarts_after(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// Which children are restarted when one of them has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// That child alone. Its siblings do not depend on each other and are therefore stopped side by side.
    OneForOne,
    /// All children. They are stopped one after the other in reverse start order, then started in order.
    OneForAll,
    /// That child and those started after it, stopped one after the other in reverse, then started in order.
    RestForOne,
}

/// How many exits are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intensity {
    /// So many exits within the period are followed by a restart; one more is too many.
    pub exits: u32,
    /// An exit counts until more than this time has passed since.
    pub period: Duration,
}

/// How a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// It is asked to stop, and killed when it is still there after this time.
    Within(Duration),
    /// It is asked to stop and gets all the time it needs: for supervisors, whose children have limits of their own.
    Unlimited,
    /// It is killed without being asked.
    Kill,
}

/// One run of a child. Numbers only grow over the life of a supervisor and are never given twice, so that what is said
/// about an earlier run of the same child can be told from what is said about the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

impl Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Why a child, or a supervisor, is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It ended by itself, its work done.
    Normal,
    /// It ended because it was asked to.
    Shutdown,
    /// It panicked, with this message.
    Panicked(String),
    /// Its task was aborted.
    Killed,
    /// A supervisor that saw more exits than its [`Intensity`] allows.
    IntensityReached {
        /// The child whose exit was one too many.
        child: String,
        /// What that exit's reason was.
        last: Box<ExitReason>,
    },
}

impl ExitReason {
    /// Whether a transient child is to be restarted after it.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown)
    }
}

impl Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended by itself"),
            Self::Shutdown => f.write_str("stopped as asked"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Killed => f.write_str("killed"),
            Self::IntensityReached { child, last } => write!(f, "restart intensity reached by {child} ({last})"),
        }
    }
}
