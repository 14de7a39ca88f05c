//! Random events against an oracle: the tasks that a supervisor would have, and the exits counted in the simplest way.
//!
//! A child that is asked to stop takes its time, so that other events come in between.

use std::{collections::BTreeMap, time::Duration};

use proptest::{
    collection::vec,
    prelude::{Just, any, prop_oneof, proptest},
    sample::select,
    strategy::Strategy,
};

use super::super::*;

const LIMIT: Intensity = Intensity { exits: 4, period: Duration::from_secs(10) };
const BUDGET: Intensity = Intensity { exits: 2, period: Duration::from_secs(20) };

#[derive(Debug, Clone)]
enum Event {
    Add(u8, bool),
    Replace(u8, bool),
    Remove(u8),
    /// A task, chosen by number, ends.
    Exit(usize, ExitReason),
    /// An exit is reported a second time.
    Late(usize),
    /// The time to stop of a task, chosen by number, is over.
    Overdue(usize),
    Heartbeat(u8),
    Wait(Duration),
    ShutDown,
}

fn event() -> impl Strategy<Value = Event> {
    let reason = select(vec![ExitReason::Normal, ExitReason::Panicked("boom".into()), ExitReason::Killed]);
    // Whole seconds hit the end of a period exactly, now and then.
    let wait = prop_oneof![(0..=20u64).prop_map(Duration::from_secs), (0..15_000u64).prop_map(Duration::from_millis)];
    prop_oneof![
        6 => (0..6u8, any::<bool>()).prop_map(|(id, budgeted)| Event::Add(id, budgeted)),
        3 => (0..6u8, any::<bool>()).prop_map(|(id, budgeted)| Event::Replace(id, budgeted)),
        2 => (0..6u8).prop_map(Event::Remove),
        12 => (0..6usize, reason).prop_map(|(nth, reason)| Event::Exit(nth, reason)),
        2 => (0..64usize).prop_map(Event::Late),
        2 => (0..6usize).prop_map(Event::Overdue),
        1 => any::<u8>().prop_map(Event::Heartbeat),
        4 => wait.prop_map(Event::Wait),
        1 => Just(Event::ShutDown),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Task {
    incarnation: Incarnation,
    asked_to_stop: bool,
}

/// A child that was added and not removed.
#[derive(Debug)]
struct Expected {
    id: u8,
    budgeted: bool,
    /// Exits that were not asked for.
    exits: Vec<Instant>,
    given_up: bool,
    /// It is started again when its task ends.
    comes_back: bool,
}

struct Oracle {
    policy: Policy<u8>,
    now: Instant,
    tasks: BTreeMap<u8, Task>,
    children: Vec<Expected>,
    /// Exits of the children without a budget.
    exits: Vec<Instant>,
    over: Vec<(u8, Incarnation)>,
    newest: Incarnation,
    ending: bool,
    terminated: bool,
}

fn spec(id: u8, budgeted: bool) -> ChildSpec<u8> {
    let strategy = if budgeted { RestartStrategy::GiveUp(BUDGET) } else { RestartStrategy::Escalate };
    ChildSpec { id, strategy, stop_limit: Some(Duration::from_secs(2)) }
}

/// Records an exit. Whether the limit holds.
fn is_tolerated(exits: &mut Vec<Instant>, now: Instant, limit: Intensity) -> bool {
    exits.push(now);
    exits.iter().filter(|then| now - **then <= limit.period).count() <= limit.exits as usize
}

impl Oracle {
    fn new() -> Self {
        Self {
            policy: Policy::new(LIMIT),
            now: Instant::now(),
            tasks: BTreeMap::new(),
            children: Vec::new(),
            exits: Vec::new(),
            over: Vec::new(),
            newest: Incarnation(0),
            ending: false,
            terminated: false,
        }
    }

    fn child(&mut self, id: u8) -> Option<&mut Expected> {
        self.children.iter_mut().find(|child| child.id == id)
    }

    fn carry_out(&mut self, actions: Vec<Action<u8>>) {
        for action in actions {
            assert!(!self.terminated, "{action:?} after the end");
            match action {
                Action::Start { id, incarnation } => {
                    assert!(!self.ending && self.child(id).is_some_and(|child| !child.given_up), "{id} is not wanted");
                    assert!(incarnation > self.newest, "{incarnation} after {}", self.newest);
                    self.newest = incarnation;
                    let task = Task { incarnation, asked_to_stop: false };
                    assert!(self.tasks.insert(id, task).is_none(), "{id} runs twice");
                }
                Action::Stop { id, incarnation, .. } => {
                    let task = self.tasks.get_mut(&id).expect("a child that runs");
                    assert_eq!((task.incarnation, task.asked_to_stop), (incarnation, false));
                    task.asked_to_stop = true;
                }
                Action::SendHeartbeat { id } => assert!(!self.tasks[&id].asked_to_stop),
                Action::Kill { id, incarnation } => assert_eq!(self.tasks[&id].incarnation, incarnation),
                Action::GiveUp { id, .. } => assert!(self.child(id).expect("a child").given_up),
                Action::Remove { id } => {
                    assert!(!self.tasks.contains_key(&id), "{id} is forgotten while it runs");
                    self.children.retain(|child| child.id != id);
                }
                Action::Terminate(_) => {
                    assert!(self.ending && self.tasks.is_empty() && self.children.is_empty(), "children left behind");
                    self.terminated = true;
                }
            }
        }
    }

    fn exit(&mut self, id: u8, reason: &ExitReason) {
        let task = self.tasks.remove(&id).expect("a task");
        self.over.push((id, task.incarnation));
        let now = self.now;
        let Some(at) = self.children.iter().position(|child| child.id == id) else { panic!("{id} is forgotten") };
        let child = &mut self.children[at];
        let expected = if task.asked_to_stop {
            Verdict::Expected
        } else if child.budgeted {
            child.given_up = !is_tolerated(&mut child.exits, now, BUDGET);
            if child.given_up { Verdict::GivenUp(BUDGET) } else { Verdict::Restart }
        } else if is_tolerated(&mut self.exits, now, LIMIT) {
            Verdict::Restart
        } else {
            self.ending = true;
            Verdict::IntensityReached
        };
        let starts = !self.ending && (expected == Verdict::Restart || task.asked_to_stop && child.comes_back);
        let (verdict, actions) = self.policy.exited(&id, task.incarnation, reason, now);
        assert_eq!(verdict, expected);
        self.carry_out(actions);
        assert_eq!(self.tasks.contains_key(&id), starts, "{id} after {verdict:?}");
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Add(id, budgeted) => {
                let stopping = self.tasks.get(&id).is_some_and(|task| task.asked_to_stop);
                let ending = self.ending;
                let refused = match self.child(id) {
                    _ if ending => Some(SupervisionError::ShuttingDown),
                    Some(child) if !stopping || child.comes_back => Some(SupervisionError::AlreadyPresent(id)),
                    _ => None,
                };
                let answer = self.policy.start_child(spec(id, budgeted));
                assert_eq!(answer.as_ref().err(), refused.as_ref());
                if let Ok(actions) = answer {
                    let new = Expected { id, budgeted, exits: Vec::new(), given_up: false, comes_back: true };
                    match self.child(id) {
                        Some(child) => *child = new,
                        None => self.children.push(new),
                    }
                    self.carry_out(actions);
                }
            }
            Event::Replace(id, budgeted) => {
                let ending = self.ending;
                let refused = match self.child(id) {
                    _ if ending => Some(SupervisionError::ShuttingDown),
                    Some(child) if child.comes_back => None,
                    _ => Some(SupervisionError::NotFound(id)),
                };
                let answer = self.policy.restart_child(spec(id, budgeted));
                assert_eq!(answer.as_ref().err(), refused.as_ref());
                if let Ok(actions) = answer {
                    let new = Expected { id, budgeted, exits: Vec::new(), given_up: false, comes_back: true };
                    *self.child(id).expect("a child") = new;
                    self.carry_out(actions);
                }
            }
            Event::Remove(id) => {
                let answer = self.policy.stop_child(&id);
                assert_eq!(answer.is_ok(), self.child(id).is_some());
                if let Ok(actions) = answer {
                    self.child(id).expect("a child").comes_back = false;
                    self.carry_out(actions);
                }
            }
            Event::Exit(nth, reason) => {
                if let Some(id) = self.tasks.keys().nth(nth).copied() {
                    self.exit(id, &reason);
                }
            }
            Event::Late(nth) => {
                if let Some(&(id, incarnation)) = self.over.get(nth) {
                    let late = self.policy.exited(&id, incarnation, &ExitReason::Killed, self.now);
                    assert_eq!(late, (Verdict::Late, vec![]));
                    assert_eq!(self.policy.overdue(&id, incarnation), []);
                }
            }
            Event::Overdue(nth) => {
                if let Some((&id, task)) = self.tasks.iter().nth(nth) {
                    let kill = Action::Kill { id, incarnation: task.incarnation };
                    let expected = task.asked_to_stop.then_some(kill);
                    assert_eq!(self.policy.overdue(&id, task.incarnation), expected.into_iter().collect::<Vec<_>>());
                }
            }
            Event::Heartbeat(frozen) => {
                let actions = self.policy.heartbeat(|id| frozen & (1 << id) != 0);
                assert_eq!(actions.len(), self.tasks.values().filter(|task| !task.asked_to_stop).count());
                self.carry_out(actions);
            }
            Event::Wait(time) => self.now += time,
            Event::ShutDown => {
                self.ending = true;
                let actions = self.policy.shut_down();
                self.carry_out(actions);
            }
        }
        self.check();
    }

    /// What the policy says about its children is so.
    fn check(&self) {
        let said = self.policy.children();
        let order: Vec<u8> = said.iter().map(|child| child.id).collect();
        assert_eq!(order, self.children.iter().map(|child| child.id).collect::<Vec<_>>(), "in start order");
        for (said, child) in said.iter().zip(&self.children) {
            let task = self.tasks.get(&child.id);
            let expected = match task {
                None => ChildState::GivenUp,
                Some(Task { asked_to_stop: false, .. }) => ChildState::Running,
                Some(_) if child.comes_back && !self.ending => ChildState::Restarting,
                Some(_) => ChildState::Stopping,
            };
            assert_eq!((said.state, said.state == ChildState::GivenUp), (expected, child.given_up));
            assert!(task.is_none_or(|task| task.incarnation == said.incarnation));
        }
    }

    /// Ends all tasks that were asked to stop.
    fn settle(&mut self) {
        while let Some(id) = self.tasks.iter().find(|(_, task)| task.asked_to_stop).map(|(id, _)| *id) {
            self.exit(id, &ExitReason::Shutdown);
        }
        self.check();
    }
}

proptest! {
    #[test]
    fn the_policy_decides_like_the_oracle(events in vec(event(), 1..80)) {
        let mut oracle = Oracle::new();
        for event in events {
            oracle.apply(event);
        }
        oracle.settle();
        oracle.apply(Event::ShutDown);
        oracle.settle();
        assert!(oracle.terminated, "it did not end");
    }
}
