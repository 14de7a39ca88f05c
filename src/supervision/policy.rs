//! What a supervisor does about an exit, or a wish, as a pure function of what happened before.
//!
//! Every child has a phase, which is what is known of it, and a goal, which is what is wanted of it. An event
//! changes one or the other; the policy then names the actions that bring the phase nearer to the goal, never
//! more at a time than the strategy's order allows.

mod child;
mod history;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

use std::time::Instant;

use self::child::{Child, Goal, Phase};
pub use self::child::{ChildState, ChildStatus};
use self::history::ExitHistory;
use super::{
    decision::{Action, SupervisionError, Verdict},
    spec::{ChildId, ChildSpec, ExitReason, Incarnation, Intensity, RestartType, Shutdown, Strategy},
};

/// The state of a supervisor: its children in start order and what has happened to them.
#[derive(Debug)]
pub struct Policy<Id> {
    strategy: Strategy,
    history: ExitHistory,
    children: Vec<Child<Id>>,
    next: u64,
    ending: Option<ExitReason>,
    terminated: bool,
}

impl<Id: ChildId> Policy<Id> {
    /// A supervisor without children.
    #[must_use]
    pub fn new(strategy: Strategy, intensity: Intensity) -> Self {
        let history = ExitHistory::new(intensity);
        Self { strategy, history, children: Vec::new(), next: 1, ending: None, terminated: false }
    }

    /// Adds a child behind the others and starts it. One that is on its way out keeps its place: the new run begins when
    /// the old one is gone.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyPresent`], [`SupervisionError::ShuttingDown`].
    pub fn start_child(&mut self, spec: ChildSpec<Id>) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        if self.ending.is_some() {
            return Err(SupervisionError::ShuttingDown);
        }
        match self.children.iter_mut().find(|child| child.spec.id == spec.id) {
            None => self.children.push(Child::new(spec)),
            // It is wanted again before it is gone: the new run follows when the old one is.
            Some(child) if child.goal == Goal::Remove => child.renew(spec),
            Some(_) => return Err(SupervisionError::AlreadyPresent(spec.id)),
        }
        Ok(self.advance())
    }

    /// Stops a child and forgets it; [`Action::Remove`] says when that is done.
    ///
    /// # Errors
    /// [`SupervisionError::NotFound`].
    pub fn stop_child(&mut self, id: &Id) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        let Some(child) = self.children.iter_mut().find(|child| child.spec.id == *id) else {
            return Err(SupervisionError::NotFound(id.clone()));
        };
        child.goal = Goal::Remove;
        Ok(self.advance())
    }

    /// Stops the child that `spec` names, if it runs, and starts it with the new specification in its old place. Its
    /// past is forgotten. The new specification's [`Shutdown`] is the one that the old run is stopped by.
    ///
    /// # Errors
    /// [`SupervisionError::NotFound`], [`SupervisionError::ShuttingDown`].
    pub fn restart_child(&mut self, spec: ChildSpec<Id>) -> Result<Vec<Action<Id>>, SupervisionError<Id>> {
        if self.ending.is_some() {
            return Err(SupervisionError::ShuttingDown);
        }
        let present = |child: &&mut Child<Id>| child.spec.id == spec.id && child.goal != Goal::Remove;
        let Some(child) = self.children.iter_mut().find(present) else {
            return Err(SupervisionError::NotFound(spec.id));
        };
        child.renew(spec);
        Ok(self.advance())
    }

    /// Stops all children in reverse order and then the supervisor.
    pub fn shut_down(&mut self) -> Vec<Action<Id>> {
        self.end_with(ExitReason::Shutdown);
        self.advance()
    }

    /// The start that was asked for has succeeded.
    pub fn started(&mut self, id: &Id, incarnation: Incarnation) -> Vec<Action<Id>> {
        if let Some(at) = self.position(id, incarnation)
            && self.children[at].phase == Phase::Starting
        {
            self.children[at].phase = Phase::Running;
            return self.advance();
        }
        Vec::new()
    }

    /// A child is gone, or could not be started. An exit that was asked for is none that counts, whatever its reason.
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
        self.children[at].phase = Phase::Down;
        self.children[at].last_exit = Some(reason.clone());
        let verdict = self.judge(at, reason, now);
        let mut actions = self.advance();
        if verdict == Verdict::GivenUp {
            actions.insert(0, Action::GiveUp { id: id.clone(), incarnation, reason: reason.clone() });
        }
        (verdict, actions)
    }

    /// The time to stop is over.
    pub fn overdue(&mut self, id: &Id, incarnation: Incarnation) -> Vec<Action<Id>> {
        match self.position(id, incarnation) {
            Some(at) if self.children[at].phase == Phase::Stopping => {
                vec![Action::Kill { id: id.clone(), incarnation }]
            }
            _ => Vec::new(),
        }
    }

    /// All children in start order.
    #[must_use]
    pub fn children(&self) -> Vec<ChildStatus<Id>> {
        self.children.iter().map(Child::status).collect()
    }

    /// The state of one child; none if there is no such child.
    #[must_use]
    pub fn state(&self, id: &Id) -> Option<ChildState> {
        self.children.iter().find(|child| child.spec.id == *id).map(|child| child.status().state)
    }

    /// Where the child is whose present run this is.
    fn position(&self, id: &Id, incarnation: Incarnation) -> Option<usize> {
        self.children.iter().position(|child| {
            child.phase != Phase::Down && child.incarnation == Some(incarnation) && child.spec.id == *id
        })
    }

    fn judge(&mut self, at: usize, reason: &ExitReason, now: Instant) -> Verdict {
        let child = &mut self.children[at];
        if child.goal != Goal::Up {
            if child.goal == Goal::Restart {
                child.goal = Goal::Up;
            }
            return Verdict::Expected;
        }
        if !child.spec.restart.restarts_after(reason) {
            child.goal = if child.spec.restart == RestartType::Temporary { Goal::Remove } else { Goal::Ended };
            return Verdict::LeftDown;
        }
        if let Some(budget) = &mut child.budget {
            if !budget.record(now) {
                child.goal = Goal::GivenUp;
                return Verdict::GivenUp;
            }
        } else if !self.history.record(now) {
            let child = child.spec.id.to_string();
            self.end_with(ExitReason::IntensityReached { child, last: Box::new(reason.clone()) });
            return Verdict::IntensityReached;
        }
        child.restarts += 1;
        let siblings = match self.strategy {
            Strategy::OneForOne => &mut [],
            Strategy::OneForAll => &mut self.children[..],
            Strategy::RestForOne => &mut self.children[at..],
        };
        siblings.iter_mut().for_each(Child::restart_with_sibling);
        Verdict::Restart
    }

    /// The first reason stays: being asked to stop while going down for too many exits does not make it a clean end.
    fn end_with(&mut self, reason: ExitReason) {
        self.ending.get_or_insert(reason);
        for child in &mut self.children {
            child.goal = Goal::Remove;
        }
    }

    /// What can be done now: first what has to go, in reverse, and when all of it is gone, what has to come, in order.
    fn advance(&mut self) -> Vec<Action<Id>> {
        let mut actions = Vec::new();
        self.children.retain(|child| {
            let gone = child.goal == Goal::Remove && child.phase == Phase::Down;
            if gone {
                actions.push(Action::Remove { id: child.spec.id.clone() });
            }
            !gone
        });
        self.stop_leaving(&mut actions);
        self.start_waiting(&mut actions);
        if self.children.is_empty()
            && !self.terminated
            && let Some(reason) = &self.ending
        {
            self.terminated = true;
            actions.push(Action::Terminate(reason.clone()));
        }
        actions
    }

    /// Whether a child's start or stop waits for that of another.
    fn in_turn(&self) -> bool {
        self.strategy != Strategy::OneForOne
    }

    fn stop_leaving(&mut self, actions: &mut Vec<Action<Id>>) {
        let in_turn = self.in_turn();
        if in_turn && self.children.iter().any(|child| child.phase == Phase::Stopping) {
            return;
        }
        for child in self.children.iter_mut().rev().filter(|child| child.is_leaving()) {
            if child.phase == Phase::Running
                && let Some(incarnation) = child.incarnation
            {
                child.phase = Phase::Stopping;
                let id = child.spec.id.clone();
                actions.push(match child.spec.shutdown {
                    Shutdown::Within(time) => Action::Stop { id, incarnation, within: Some(time) },
                    Shutdown::Unlimited => Action::Stop { id, incarnation, within: None },
                    Shutdown::Kill => Action::Kill { id, incarnation },
                });
            }
            if in_turn {
                return;
            }
        }
    }

    fn start_waiting(&mut self, actions: &mut Vec<Action<Id>>) {
        let in_turn = self.in_turn();
        if in_turn && self.children.iter().any(|child| child.is_leaving() || child.phase == Phase::Starting) {
            return;
        }
        for child in &mut self.children {
            if child.phase == Phase::Down && child.goal == Goal::Up {
                let incarnation = Incarnation(self.next);
                self.next += 1;
                child.phase = Phase::Starting;
                child.incarnation = Some(incarnation);
                actions.push(Action::Start { id: child.spec.id.clone(), incarnation });
                if in_turn {
                    return;
                }
            }
        }
    }
}
