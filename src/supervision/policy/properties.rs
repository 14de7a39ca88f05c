//! Whatever happens in whatever order: what must never be asked of a supervisor is not.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use proptest::{
    collection::vec,
    prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest},
    sample::select,
    strategy::Strategy as Generator,
};

use super::*;

const LIMIT: Intensity = Intensity { exits: 4, period: Duration::from_secs(10) };
const BUDGET: Intensity = Intensity { exits: 2, period: Duration::from_secs(20) };

#[derive(Debug, Clone)]
enum Op {
    Add {
        id: u8,
        restart: RestartType,
        budgeted: bool,
    },
    Replace {
        id: u8,
        restart: RestartType,
        budgeted: bool,
    },
    Remove(u8),
    /// A running child, chosen by number, ends.
    Exit {
        nth: usize,
        reason: ExitReason,
    },
    /// An exit that was reported already is reported again.
    Late(usize),
    Overdue(usize),
    Wait(Duration),
    ShutDown,
}

fn ops() -> impl Generator<Value = Op> {
    let restart = select(vec![RestartType::Permanent, RestartType::Transient, RestartType::Temporary]);
    let reason = select(vec![ExitReason::Normal, ExitReason::Panicked("boom".into()), ExitReason::Killed]);
    prop_oneof![
        6 => (0..6u8, restart.clone(), any::<bool>()).prop_map(|(id, restart, budgeted)| Op::Add { id, restart, budgeted }),
        3 => (0..6u8, restart, any::<bool>()).prop_map(|(id, restart, budgeted)| Op::Replace { id, restart, budgeted }),
        2 => (0..6u8).prop_map(Op::Remove),
        12 => (0..6usize, reason).prop_map(|(nth, reason)| Op::Exit { nth, reason }),
        2 => (0..64usize).prop_map(Op::Late),
        2 => (0..6usize).prop_map(Op::Overdue),
        3 => (0..15_000u64).prop_map(|ms| Op::Wait(Duration::from_millis(ms))),
        1 => Just(Op::ShutDown),
    ]
}

#[derive(Debug, Clone, Copy)]
struct Task {
    incarnation: Incarnation,
    asked: bool,
}

/// What a supervisor would have running, and what it must not do.
struct World {
    strategy: Strategy,
    policy: Policy<u8>,
    now: Instant,
    tasks: BTreeMap<u8, Task>,
    /// What was asked for and not removed, in the order it was asked for, with its budget.
    wanted: Vec<(u8, bool)>,
    gone: Vec<(u8, Incarnation)>,
    newest: u64,
    restarts: Vec<(Option<u8>, Instant)>,
    given_up: HashSet<u8>,
    terminated: Option<ExitReason>,
}

impl World {
    fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            policy: Policy::new(strategy, LIMIT),
            now: Instant::now(),
            tasks: BTreeMap::new(),
            wanted: Vec::new(),
            gone: Vec::new(),
            newest: 0,
            restarts: Vec::new(),
            given_up: HashSet::new(),
            terminated: None,
        }
    }

    fn carry_out(&mut self, actions: Vec<Action<u8>>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            assert_eq!(self.terminated, None, "{action:?} after the end");
            match action {
                Action::Start { id, incarnation } => {
                    assert!(!self.tasks.contains_key(&id), "{id} runs twice");
                    assert!(self.wanted.iter().any(|child| child.0 == id), "nobody asked for {id}");
                    assert!(!self.given_up.contains(&id), "{id} was given up");
                    assert!(incarnation.0 > self.newest, "{incarnation} after {}", self.newest);
                    if self.strategy != Strategy::OneForOne {
                        assert!(self.tasks.values().all(|task| !task.asked), "{id} started while others stop");
                    }
                    self.newest = incarnation.0;
                    self.tasks.insert(id, Task { incarnation, asked: false });
                    queue.extend(self.policy.started(&id, incarnation));
                }
                Action::Stop { id, incarnation, .. } => {
                    if self.strategy != Strategy::OneForOne {
                        assert!(self.tasks.values().all(|task| !task.asked), "{id} stopped while others stop");
                    }
                    let task = self.tasks.get_mut(&id).expect("a child that runs");
                    assert_eq!((task.incarnation, task.asked), (incarnation, false));
                    task.asked = true;
                }
                Action::Kill { id, incarnation } => {
                    let task = self.tasks[&id];
                    assert_eq!((task.incarnation, task.asked), (incarnation, true), "killed without being asked");
                }
                Action::GiveUp { id, .. } => {
                    assert!(self.given_up.insert(id), "{id} given up twice");
                    assert!(!self.tasks.contains_key(&id));
                }
                Action::Remove { id } => {
                    assert!(!self.tasks.contains_key(&id), "{id} forgotten while it runs");
                    self.wanted.retain(|child| child.0 != id);
                    self.given_up.remove(&id);
                }
                Action::Terminate(reason) => {
                    assert!(self.tasks.is_empty() && self.wanted.is_empty(), "children left behind");
                    self.terminated = Some(reason);
                }
            }
        }
    }

    fn exit(&mut self, id: u8, reason: &ExitReason) {
        let task = self.tasks.remove(&id).expect("a child that runs");
        self.gone.push((id, task.incarnation));
        let budgeted = self.wanted.contains(&(id, true));
        let (verdict, actions) = self.policy.exited(&id, task.incarnation, reason, self.now);
        assert_ne!(verdict, Verdict::Late);
        if task.asked {
            assert_eq!(verdict, Verdict::Expected);
        }
        if verdict == Verdict::Restart {
            self.count_restart(budgeted.then_some(id));
        }
        self.carry_out(actions);
    }

    /// Restarts within any period stay within the limit: the child's own, or the supervisor's.
    fn count_restart(&mut self, account: Option<u8>) {
        self.restarts.push((account, self.now));
        let limit = if account.is_some() { BUDGET } else { LIMIT };
        let recent = self.restarts.iter().filter(|(whose, at)| *whose == account && self.now - *at <= limit.period);
        assert!(recent.count() <= limit.exits as usize, "more restarts than {limit:?} allows");
    }

    fn spec(id: u8, restart: RestartType, budgeted: bool) -> ChildSpec<u8> {
        let shutdown = Shutdown::Within(Duration::from_secs(2));
        ChildSpec { id, restart, shutdown, budget: budgeted.then_some(BUDGET) }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Add { id, restart, budgeted } => {
                let before = self.policy.children().into_iter().find(|child| child.id == id).map(|child| child.state);
                if let Ok(actions) = self.policy.start_child(Self::spec(id, restart, budgeted)) {
                    self.restarts.retain(|(whose, _)| *whose != Some(id));
                    match self.wanted.iter_mut().find(|child| child.0 == id) {
                        None => self.wanted.push((id, budgeted)),
                        Some(child) => {
                            assert_eq!(before, Some(ChildState::Stopping), "{id} was there to stay");
                            child.1 = budgeted;
                        }
                    }
                    self.carry_out(actions);
                }
            }
            Op::Replace { id, restart, budgeted } => {
                if let Ok(actions) = self.policy.restart_child(Self::spec(id, restart, budgeted)) {
                    self.restarts.retain(|(whose, _)| *whose != Some(id));
                    self.given_up.remove(&id);
                    let child = self.wanted.iter_mut().find(|child| child.0 == id).expect("a child that is there");
                    child.1 = budgeted;
                    self.carry_out(actions);
                }
            }
            Op::Remove(id) => {
                if let Ok(actions) = self.policy.stop_child(&id) {
                    self.carry_out(actions);
                }
            }
            Op::Exit { nth, reason } => {
                let id = self.tasks.keys().nth(nth).copied();
                if let Some(id) = id {
                    self.exit(id, &reason);
                }
            }
            Op::Late(nth) => {
                if let Some(&(id, incarnation)) = self.gone.get(nth) {
                    let late = self.policy.exited(&id, incarnation, &ExitReason::Killed, self.now);
                    assert_eq!(late, (Verdict::Late, vec![]));
                    assert_eq!(self.policy.overdue(&id, incarnation), vec![]);
                }
            }
            Op::Overdue(nth) => {
                let task = self.tasks.iter().nth(nth).map(|(id, task)| (*id, *task));
                if let Some((id, task)) = task {
                    let actions = self.policy.overdue(&id, task.incarnation);
                    assert_eq!(!actions.is_empty(), task.asked);
                    self.carry_out(actions);
                }
            }
            Op::Wait(time) => self.now += time,
            Op::ShutDown => {
                let actions = self.policy.shut_down();
                self.carry_out(actions);
            }
        }
        self.check();
    }

    /// What the policy says of its children is so.
    fn check(&self) {
        let children = self.policy.children();
        let order: Vec<u8> = children.iter().map(|child| child.id).collect();
        let asked_for: Vec<u8> = self.wanted.iter().map(|child| child.0).collect();
        assert_eq!(order, asked_for, "not in start order");
        for child in &children {
            let task = self.tasks.get(&child.id);
            match child.state {
                ChildState::Running => assert_eq!(task.map(|task| task.asked), Some(false)),
                ChildState::Ended | ChildState::GivenUp => assert!(task.is_none()),
                ChildState::Stopping => assert!(task.is_some()),
                ChildState::Restarting => {}
            }
            assert_eq!(child.state == ChildState::GivenUp, self.given_up.contains(&child.id));
            if let Some(task) = task {
                assert_eq!(child.incarnation, Some(task.incarnation));
            }
        }
    }

    /// Lets everything stop that was asked to: then nothing is on its way any more.
    fn settle(&mut self) {
        while let Some(id) = self.tasks.iter().find(|(_, task)| task.asked).map(|(id, _)| *id) {
            self.exit(id, &ExitReason::Shutdown);
        }
        self.check();
        for child in self.policy.children() {
            let resting = matches!(child.state, ChildState::Running | ChildState::Ended | ChildState::GivenUp);
            assert!(resting, "{child:?} is stuck");
        }
    }
}

proptest! {
    #[test]
    fn no_sequence_of_events_breaks_the_rules(
        strategy in select(vec![Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
        ops in vec(ops(), 1..80),
    ) {
        let mut world = World::new(strategy);
        for op in ops {
            world.apply(op);
        }
        world.settle();
        let actions = world.policy.shut_down();
        world.carry_out(actions);
        world.settle();
        prop_assert!(world.terminated.is_some(), "it did not end");
    }

    #[test]
    fn a_crash_gives_new_incarnations_to_those_the_strategy_names(
        strategy in select(vec![Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
        children in 1..6u8,
        crashing in 0..6u8,
    ) {
        let crashing = crashing % children;
        let mut world = World::new(strategy);
        for id in 0..children {
            world.apply(Op::Add { id, restart: RestartType::Permanent, budgeted: false });
        }
        world.exit(crashing, &ExitReason::Killed);
        world.settle();
        let affected = match strategy {
            Strategy::OneForOne => crashing..crashing + 1,
            Strategy::OneForAll => 0..children,
            Strategy::RestForOne => crashing..children,
        };
        let mut expected = u64::from(children);
        for id in 0..children {
            let incarnation = world.tasks[&id].incarnation.0;
            if affected.contains(&id) {
                expected += 1;
                prop_assert_eq!(incarnation, expected);
            } else {
                prop_assert_eq!(incarnation, u64::from(id) + 1);
            }
        }
    }
}
