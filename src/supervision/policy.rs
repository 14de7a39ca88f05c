//! Decides what follows from an exit or a request, as a pure function of what happened before.

mod history;
#[cfg(test)]
mod tests;

use std::time::Instant;

use self::history::ExitHistory;
use super::{
    decision::{Action, SupervisionError, Verdict},
    spec::{ChildId, ChildSpec, ChildState, ChildStatus, ExitReason, Incarnation, Intensity, RestartStrategy},
};

/// The children of a supervisor in start order, and what happened to them.
#[derive(Debug)]
pub struct Policy<Id> {
    intensity: Intensity,
    /// Exits of the children that escalate.
    exits: ExitHistory,
    children: Vec<ChildRecord<Id>>,
    last_incarnation: Incarnation,
    /// Why the supervisor ends; none while it does not.
    ending: Option<ExitReason>,
}

/// What the policy remembers of a child.
#[derive(Debug)]
struct ChildRecord<Id> {
    spec: ChildSpec<Id>,
    state: ChildState,
    incarnation: Incarnation,
    last_exit: Option<ExitReason>,
    /// Exits that count against the child's own intensity.
    exits: ExitHistory,
}

impl<Id: ChildId> ChildRecord<Id> {
    /// Starts the next run.
    fn start(&mut self, last_incarnation: &mut Incarnation) -> Action<Id> {
        last_incarnation.0 += 1;
        self.incarnation = *last_incarnation;
        self.state = ChildState::Running;
        Action::Start { id: self.spec.id.clone(), incarnation: self.incarnation }
    }

    fn stop(&self) -> Action<Id> {
        let ChildSpec { id, stop_limit, .. } = &self.spec;
        Action::Stop { id: id.clone(), incarnation: self.incarnation, limit: *stop_limit }
    }

    /// Takes a new specification and forgets the exits so far.
    fn renew(&mut self, spec: ChildSpec<Id>) {
        self.spec = spec;
        self.exits = ExitHistory::default();
    }
}

impl<Id: ChildId> Policy<Id> {
    /// A supervisor without children.
    #[must_use]
    pub fn new(intensity: Intensity) -> Self {
        let exits = ExitHistory::default();
        Self { intensity, exits, children: Vec::new(), last_incarnation: Incarnation(0), ending: None }
    }

    /// Adds a child behind the others and starts it. A child that is being removed keeps its place; the new run begins
    /// when the old one is gone.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyPresent`], [`SupervisionError::ShuttingDown`].
    pub fn start_child(&mut self, spec: ChildSpec<Id>) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        if self.ending.is_some() {
            return Err(SupervisionError::ShuttingDown);
        }
        match self.children.iter_mut().find(|child| child.spec.id == spec.id) {
            None => {
                let exits = ExitHistory::default();
                let (state, incarnation) = (ChildState::Running, self.last_incarnation);
                let mut child = ChildRecord { spec, state, incarnation, last_exit: None, exits };
                let start = child.start(&mut self.last_incarnation);
                self.children.push(child);
                Ok(vec![start])
            }
            Some(child) if child.state == ChildState::Stopping => {
                child.renew(spec);
                child.state = ChildState::Restarting;
                Ok(Vec::new())
            }
            Some(_) => Err(SupervisionError::AlreadyPresent(spec.id)),
        }
    }

    /// Stops a child and removes it when it is gone.
    ///
    /// # Errors
    /// [`SupervisionError::NotFound`].
    pub fn stop_child(&mut self, id: &Id) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        match self.children.iter().position(|child| child.spec.id == *id) {
            Some(at) => Ok(self.stop_at(at).into_iter().collect()),
            None => Err(SupervisionError::NotFound(id.clone())),
        }
    }

    /// Stops a child if it runs, and starts it in its old place by the new specification, whose stop limit applies to the
    /// old run. Earlier exits no longer count.
    ///
    /// # Errors
    /// [`SupervisionError::NotFound`], [`SupervisionError::ShuttingDown`].
    pub fn restart_child(&mut self, spec: ChildSpec<Id>) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        if self.ending.is_some() {
            return Err(SupervisionError::ShuttingDown);
        }
        let present = |child: &&mut ChildRecord<Id>| child.spec.id == spec.id && child.state != ChildState::Stopping;
        let Some(child) = self.children.iter_mut().find(present) else {
            return Err(SupervisionError::NotFound(spec.id));
        };
        child.renew(spec);
        Ok(match child.state {
            ChildState::Running => {
                child.state = ChildState::Restarting;
                vec![child.stop()]
            }
            ChildState::GivenUp => vec![child.start(&mut self.last_incarnation)],
            ChildState::Restarting | ChildState::Stopping => Vec::new(),
        })
    }

    /// Stops all children and then the supervisor.
    pub fn shut_down(&mut self) -> Vec<Action<Id>> {
        // The first reason stays: a request to stop does not turn the end of a failing supervisor into a clean one.
        if self.ending.is_some() { Vec::new() } else { self.end(ExitReason::Shutdown) }
    }

    /// A run of a child ended, or could not be started. An exit that was asked for does not count, whatever its reason.
    pub fn exited(
        &mut self,
        id: &Id,
        incarnation: Incarnation,
        reason: &ExitReason,
        now: Instant,
    ) -> (Verdict, Vec<Action<Id>>) {
        let Some(at) = self.position(id, incarnation) else {
            return (Verdict::Late, Vec::new());
        };
        let child = &mut self.children[at];
        child.last_exit = Some(reason.clone());
        match child.state {
            ChildState::Stopping => {
                let removed = self.remove(at);
                return (Verdict::Expected, std::iter::once(removed).chain(self.terminate()).collect());
            }
            ChildState::Restarting => return (Verdict::Expected, vec![child.start(&mut self.last_incarnation)]),
            ChildState::Running | ChildState::GivenUp => {}
        }
        let strategy = child.spec.strategy;
        let is_tolerated = match strategy {
            RestartStrategy::Escalate => self.exits.record(now, self.intensity),
            RestartStrategy::GiveUp(intensity) => child.exits.record(now, intensity),
        };
        match strategy {
            _ if is_tolerated => (Verdict::Restart, vec![child.start(&mut self.last_incarnation)]),
            RestartStrategy::GiveUp(intensity) => {
                child.state = ChildState::GivenUp;
                (Verdict::GivenUp(intensity), vec![Action::GiveUp { id: id.clone(), reason: reason.clone() }])
            }
            RestartStrategy::Escalate => {
                let reason = ExitReason::IntensityReached { child: id.to_string(), last: Box::new(reason.clone()) };
                let removed = self.remove(at);
                (Verdict::IntensityReached, std::iter::once(removed).chain(self.end(reason)).collect())
            }
        }
    }

    /// A run was not gone within its stop limit.
    pub fn overdue(&mut self, id: &Id, incarnation: Incarnation) -> Vec<Action<Id>> {
        match self.position(id, incarnation).map(|at| self.children[at].state) {
            Some(ChildState::Stopping | ChildState::Restarting) => vec![Action::Kill { id: id.clone(), incarnation }],
            _ => Vec::new(),
        }
    }

    /// Sends the running children a heartbeat, and kills those that have not answered the previous one.
    pub fn heartbeat(&self, is_unanswered: impl Fn(&Id) -> bool) -> Vec<Action<Id>> {
        let running = self.children.iter().filter(|child| child.state == ChildState::Running);
        let action = |child: &ChildRecord<Id>| {
            let id = child.spec.id.clone();
            if is_unanswered(&id) {
                Action::Kill { id, incarnation: child.incarnation }
            } else {
                Action::SendHeartbeat { id }
            }
        };
        running.map(action).collect()
    }

    /// All children in start order.
    #[must_use]
    pub fn children(&self) -> Vec<ChildStatus<Id>> {
        let status = |child: &ChildRecord<Id>| ChildStatus {
            id: child.spec.id.clone(),
            state: child.state,
            incarnation: child.incarnation,
            last_exit: child.last_exit.clone(),
        };
        self.children.iter().map(status).collect()
    }

    /// The state of one child; none if there is no such child.
    #[must_use]
    pub fn state(&self, id: &Id) -> Option<ChildState> {
        self.children.iter().find(|child| child.spec.id == *id).map(|child| child.state)
    }

    /// The child whose present run this is.
    fn position(&self, id: &Id, incarnation: Incarnation) -> Option<usize> {
        self.children.iter().position(|child| {
            child.state != ChildState::GivenUp && child.incarnation == incarnation && child.spec.id == *id
        })
    }

    fn stop_at(&mut self, at: usize) -> Option<Action<Id>> {
        let child = &mut self.children[at];
        match std::mem::replace(&mut child.state, ChildState::Stopping) {
            ChildState::Running => Some(child.stop()),
            ChildState::Restarting | ChildState::Stopping => None,
            ChildState::GivenUp => Some(self.remove(at)),
        }
    }

    fn remove(&mut self, at: usize) -> Action<Id> {
        Action::Remove { id: self.children.remove(at).spec.id }
    }

    /// Stops all children side by side, asking the last one first.
    fn end(&mut self, reason: ExitReason) -> Vec<Action<Id>> {
        self.ending = Some(reason);
        let stops: Vec<_> = (0..self.children.len()).rev().filter_map(|at| self.stop_at(at)).collect();
        stops.into_iter().chain(self.terminate()).collect()
    }

    /// Ends the supervisor if it is ending and no child is left.
    fn terminate(&self) -> Option<Action<Id>> {
        self.ending.clone().filter(|_| self.children.is_empty()).map(Action::Terminate)
    }
}
