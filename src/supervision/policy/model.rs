//! A supervisor told in the fewest words: what the configuration names, which of it runs, and who is started again when
//! one exits. It knows no order of events, only what is so when all is done; the policy has to come to the same, step by
//! step, whatever is done to it.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::{Just, any, prop_oneof, proptest},
    sample::select,
    strategy::Strategy as Generator,
};

use super::*;

/// Milliseconds.
const PERIOD: u64 = 10_000;
const ALLOWED: u32 = 3;
const ALLOWED_EACH: u32 = 2;

#[derive(Debug, Clone)]
enum Step {
    Add(Spec),
    Replace(Spec),
    Remove(u8),
    /// A running child, chosen by number, exits.
    Exit(usize, ExitReason),
    Wait(u64),
    ShutDown,
}

#[derive(Debug, Clone, Copy)]
struct Spec {
    id: u8,
    restart: RestartType,
    budget: bool,
}

fn steps() -> impl Generator<Value = (Step, ExitReason)> {
    let restart = select(vec![RestartType::Permanent, RestartType::Transient, RestartType::Temporary]);
    let spec = (0..5u8, restart, any::<bool>()).prop_map(|(id, restart, budget)| Spec { id, restart, budget });
    let reasons = vec![
        ExitReason::Normal,
        ExitReason::Shutdown,
        ExitReason::Panicked("boom".into()),
        ExitReason::Killed,
        ExitReason::IntensityReached { child: "x".into(), last: Box::new(ExitReason::Killed) },
    ];
    // Whole seconds hit the end of the period exactly, now and then.
    let waits = prop_oneof![(0..=10u64).prop_map(|seconds| seconds * 1_000), 0..12_000u64];
    let step = prop_oneof![
        6 => spec.clone().prop_map(Step::Add),
        3 => spec.prop_map(Step::Replace),
        2 => (0..5u8).prop_map(Step::Remove),
        12 => (0..5usize, select(reasons.clone())).prop_map(|(nth, reason)| Step::Exit(nth, reason)),
        4 => waits.prop_map(Step::Wait),
        1 => Just(Step::ShutDown),
    ];
    // And how those end that are asked to stop in this step, which makes no difference.
    (step, select(reasons))
}

/// A child that is there: what is to be seen of it, and how it came so far.
#[derive(Debug)]
struct Kid {
    spec: Spec,
    state: ChildState,
    generation: u64,
    restarts: u32,
    exits: Vec<u64>,
}

#[derive(Debug)]
struct Model {
    strategy: Strategy,
    now: u64,
    kids: Vec<Kid>,
    exits: Vec<u64>,
    generations: u64,
    over: bool,
}

/// Whether this exit, too, is within what is allowed.
fn allowed(exits: &mut Vec<u64>, now: u64, limit: u32) -> bool {
    exits.push(now);
    exits.iter().filter(|then| now - **then <= PERIOD).count() <= limit as usize
}

impl Model {
    fn start(&mut self, at: usize) {
        self.generations += 1;
        self.kids[at].generation = self.generations;
        self.kids[at].state = ChildState::Running;
    }

    fn end(&mut self) {
        self.kids.clear();
        self.over = true;
    }

    fn place(&self, id: u8) -> Option<usize> {
        self.kids.iter().position(|kid| kid.spec.id == id)
    }

    fn add(&mut self, spec: Spec) -> Result<(), SupervisionError<u8>> {
        if self.over {
            return Err(SupervisionError::ShuttingDown);
        }
        if self.place(spec.id).is_some() {
            return Err(SupervisionError::AlreadyPresent(spec.id));
        }
        self.kids.push(Kid { spec, state: ChildState::Running, generation: 0, restarts: 0, exits: Vec::new() });
        self.start(self.kids.len() - 1);
        Ok(())
    }

    fn replace(&mut self, spec: Spec) -> Result<(), SupervisionError<u8>> {
        if self.over {
            return Err(SupervisionError::ShuttingDown);
        }
        let at = self.place(spec.id).ok_or(SupervisionError::NotFound(spec.id))?;
        self.kids[at] = Kid { spec, state: ChildState::Running, generation: 0, restarts: 0, exits: Vec::new() };
        self.start(at);
        Ok(())
    }

    fn remove(&mut self, id: u8) -> Result<(), SupervisionError<u8>> {
        let at = self.place(id).ok_or(SupervisionError::NotFound(id))?;
        self.kids.remove(at);
        Ok(())
    }

    fn exit(&mut self, at: usize, reason: &ExitReason) {
        let normal = matches!(reason, ExitReason::Normal | ExitReason::Shutdown);
        let kid = &mut self.kids[at];
        match kid.spec.restart {
            RestartType::Temporary => _ = self.kids.remove(at),
            RestartType::Transient if normal => kid.state = ChildState::Ended,
            _ if kid.spec.budget && !allowed(&mut kid.exits, self.now, ALLOWED_EACH) => {
                kid.state = ChildState::GivenUp;
            }
            _ if !kid.spec.budget && !allowed(&mut self.exits, self.now, ALLOWED) => self.end(),
            _ => self.restart(at),
        }
    }

    /// Restarts the one that exited with those that share its fate; of them a temporary one is not to come back, and one
    /// that was given up is not to either.
    fn restart(&mut self, at: usize) {
        let crashed = self.kids[at].spec.id;
        let shares_its_fate = |place: usize| match self.strategy {
            Strategy::OneForOne => place == at,
            Strategy::OneForAll => true,
            Strategy::RestForOne => place >= at,
        };
        let fate: Vec<u8> =
            (0..self.kids.len()).filter(|&n| shares_its_fate(n)).map(|n| self.kids[n].spec.id).collect();
        let goes = |kid: &Kid| {
            let temporary = kid.spec.restart == RestartType::Temporary;
            kid.spec.id != crashed && temporary && fate.contains(&kid.spec.id)
        };
        self.kids.retain(|kid| !goes(kid));
        for at in 0..self.kids.len() {
            if fate.contains(&self.kids[at].spec.id) && self.kids[at].state != ChildState::GivenUp {
                self.kids[at].restarts += 1;
                self.start(at);
            }
        }
    }
}

/// The policy, in a world where whoever is asked to stop does so, before the next thing happens.
struct System {
    policy: Policy<u8>,
    epoch: Instant,
    running: Vec<(u8, Incarnation)>,
    terminated: bool,
}

impl System {
    fn carry_out(&mut self, actions: Vec<Action<u8>>, manner: &ExitReason, now: u64) {
        // In the order in which they were asked to, and not before all is said.
        let mut asked = Vec::new();
        let mut queue = std::collections::VecDeque::from(actions);
        loop {
            while let Some(action) = queue.pop_front() {
                match action {
                    Action::Start { id, incarnation } => {
                        assert!(self.running.iter().all(|run| run.0 != id), "{id} runs twice");
                        self.running.push((id, incarnation));
                        queue.extend(self.policy.started(&id, incarnation));
                    }
                    Action::Stop { id, incarnation, .. } => asked.push((id, incarnation)),
                    Action::Kill { .. } => panic!("nobody was overdue"),
                    Action::GiveUp { .. } | Action::Remove { .. } => {}
                    Action::Terminate(_) => self.terminated = true,
                }
            }
            if asked.is_empty() {
                return;
            }
            let run = asked.remove(0);
            queue.extend(self.exited(run, manner, now));
        }
    }

    fn exited(&mut self, run: (u8, Incarnation), reason: &ExitReason, now: u64) -> Vec<Action<u8>> {
        self.running.retain(|other| *other != run);
        self.policy.exited(&run.0, run.1, reason, self.epoch + Duration::from_millis(now)).1
    }

    /// The wishes' answers are the same, and so is what is to be seen afterwards.
    fn step(&mut self, model: &mut Model, step: Step, manner: &ExitReason) {
        let spec = |spec: Spec| ChildSpec {
            id: spec.id,
            restart: spec.restart,
            shutdown: Shutdown::Within(Duration::from_secs(2)),
            budget: spec.budget.then_some(Intensity { exits: ALLOWED_EACH, period: Duration::from_millis(PERIOD) }),
        };
        let (expected, answer) = match step {
            Step::Add(wish) => (model.add(wish), self.policy.start_child(spec(wish))),
            Step::Replace(wish) => (model.replace(wish), self.policy.restart_child(spec(wish))),
            Step::Remove(id) => (model.remove(id), self.policy.stop_child(&id)),
            Step::Exit(nth, reason) => {
                let mut running = (0..model.kids.len()).filter(|&n| model.kids[n].state == ChildState::Running);
                let Some(at) = running.nth(nth) else { return };
                let run = (model.kids[at].spec.id, Incarnation(model.kids[at].generation));
                model.exit(at, &reason);
                (Ok(()), Ok(self.exited(run, &reason, model.now)))
            }
            Step::Wait(time) => {
                model.now += time;
                (Ok(()), Ok(Vec::new()))
            }
            Step::ShutDown => {
                model.end();
                (Ok(()), Ok(self.policy.shut_down()))
            }
        };
        assert_eq!(answer.as_ref().err(), expected.as_ref().err());
        self.carry_out(answer.unwrap_or_default(), manner, model.now);
        self.compare(model);
    }

    fn compare(&self, model: &Model) {
        let said = self.policy.children().into_iter();
        let said: Vec<_> =
            said.map(|child| (child.id, child.state, child.incarnation.map(|run| run.0), child.restarts)).collect();
        let expected = model.kids.iter();
        let expected: Vec<_> =
            expected.map(|kid| (kid.spec.id, kid.state, Some(kid.generation), kid.restarts)).collect();
        assert_eq!(said, expected, "children in start order");
        let mut running = self.running.clone();
        running.sort_unstable();
        let up = model.kids.iter().filter(|kid| kid.state == ChildState::Running);
        let mut up: Vec<_> = up.map(|kid| (kid.spec.id, Incarnation(kid.generation))).collect();
        up.sort_unstable();
        assert_eq!(running, up, "what runs");
        assert_eq!(self.terminated, model.over);
    }
}

proptest! {
    #[test]
    fn the_policy_comes_to_what_the_model_says(
        strategy in select(vec![Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
        steps in vec(steps(), 1..80),
    ) {
        let intensity = Intensity { exits: ALLOWED, period: Duration::from_millis(PERIOD) };
        let mut model = Model { strategy, now: 0, kids: Vec::new(), exits: Vec::new(), generations: 0, over: false };
        let policy = Policy::new(strategy, intensity);
        let mut system = System { policy, epoch: Instant::now(), running: Vec::new(), terminated: false };
        for (step, manner) in steps {
            system.step(&mut model, step, &manner);
        }
    }
}
