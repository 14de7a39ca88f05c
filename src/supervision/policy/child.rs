//! One child as the policy sees it: what is known of it, and what is wanted.

#[cfg(doc)]
use super::Policy;
use super::history::ExitHistory;
use crate::supervision::spec::{ChildId, ChildSpec, ExitReason, Incarnation, RestartType};

/// What [`Policy::children`] says of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildStatus<Id> {
    /// The child's name.
    pub id: Id,
    /// What it does.
    pub state: ChildState,
    /// Its present or last run, if it was ever started.
    pub incarnation: Option<Incarnation>,
    /// How often it was restarted since it was added or replaced, for its own sake or a sibling's.
    pub restarts: u32,
    /// How its run before this one ended, if there was one.
    pub last_exit: Option<ExitReason>,
}

/// What a child does, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// It runs.
    Running,
    /// It will run as soon as it is its turn.
    Restarting,
    /// It will be gone as soon as it has stopped.
    Stopping,
    /// It ended in a way that its restart type does not answer with a restart.
    Ended,
    /// It has spent its budget, and stays down until it is replaced or removed.
    GivenUp,
}

/// What is known of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Down,
    Starting,
    Running,
    Stopping,
}

/// What is wanted of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// That it runs.
    Up,
    /// That it stops and then runs again.
    Restart,
    /// That it stops and is forgotten.
    Remove,
    /// Nothing: it ended and that was all right.
    Ended,
    /// Nothing: it was restarted often enough.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct Child<Id> {
    pub(super) spec: ChildSpec<Id>,
    pub(super) phase: Phase,
    pub(super) goal: Goal,
    pub(super) incarnation: Option<Incarnation>,
    pub(super) restarts: u32,
    pub(super) last_exit: Option<ExitReason>,
    pub(super) budget: Option<ExitHistory>,
}

impl<Id: ChildId> Child<Id> {
    pub(super) fn new(spec: ChildSpec<Id>) -> Self {
        let budget = spec.budget.map(ExitHistory::new);
        Self { spec, phase: Phase::Down, goal: Goal::Up, incarnation: None, restarts: 0, last_exit: None, budget }
    }

    /// Has it run by a new specification, after the present run if there is one, its past forgotten.
    pub(super) fn renew(&mut self, spec: ChildSpec<Id>) {
        self.goal = if self.phase == Phase::Down { Goal::Up } else { Goal::Restart };
        self.restarts = 0;
        self.budget = spec.budget.map(ExitHistory::new);
        self.spec = spec;
    }

    /// Whether it is there and has to go.
    pub(super) fn is_leaving(&self) -> bool {
        self.phase != Phase::Down && self.goal != Goal::Up
    }

    /// Has it restarted for the sake of a sibling. A temporary child goes with its sibling, as in OTP; one that waits
    /// for its turn goes on waiting.
    pub(super) fn restart_with_sibling(&mut self) {
        self.goal = match (self.goal, self.phase) {
            (Goal::Up, Phase::Starting | Phase::Running) if self.spec.restart == RestartType::Temporary => Goal::Remove,
            (Goal::Up, Phase::Starting | Phase::Running) => Goal::Restart,
            (Goal::Ended, _) => Goal::Up,
            _ => return,
        };
        self.restarts += 1;
    }

    /// What is to be said of it.
    pub(super) fn status(&self) -> ChildStatus<Id> {
        let state = match (self.goal, self.phase) {
            (Goal::Remove, _) => ChildState::Stopping,
            (Goal::GivenUp, _) => ChildState::GivenUp,
            (Goal::Ended, _) => ChildState::Ended,
            (Goal::Up, Phase::Running) => ChildState::Running,
            (Goal::Up | Goal::Restart, _) => ChildState::Restarting,
        };
        ChildStatus {
            id: self.spec.id.clone(),
            state,
            incarnation: self.incarnation,
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
        }
    }
}
