use std::{collections::VecDeque, time::Duration};

use super::*;

const PERIOD: Duration = Duration::from_secs(10);
const STOP_TIME: Duration = Duration::from_secs(2);

fn spec(id: &'static str, restart: RestartType) -> ChildSpec<&'static str> {
    ChildSpec { id, restart, shutdown: Shutdown::Within(STOP_TIME), budget: None }
}

fn budgeted(id: &'static str, exits: u32) -> ChildSpec<&'static str> {
    ChildSpec { budget: Some(Intensity { exits, period: PERIOD }), ..spec(id, RestartType::Transient) }
}

fn start(id: &'static str, incarnation: u64) -> Action<&'static str> {
    Action::Start { id, incarnation: Incarnation(incarnation) }
}

fn stop(id: &'static str, incarnation: u64) -> Action<&'static str> {
    Action::Stop { id, incarnation: Incarnation(incarnation), within: Some(STOP_TIME) }
}

fn kill(id: &'static str, incarnation: u64) -> Action<&'static str> {
    Action::Kill { id, incarnation: Incarnation(incarnation) }
}

fn remove(id: &'static str) -> Action<&'static str> {
    Action::Remove { id }
}

fn panicked() -> ExitReason {
    ExitReason::Panicked("boom".into())
}

/// A policy with the time it is told, whose children start at once and stop when the test says so.
struct Bench {
    policy: Policy<&'static str>,
    now: Instant,
}

impl Bench {
    /// Children a, b, c are running as #1, #2, #3.
    fn running(strategy: Strategy, exits: u32, restart: RestartType) -> Self {
        Self::with(strategy, exits, ["a", "b", "c"].map(|id| spec(id, restart)))
    }

    fn with<const N: usize>(strategy: Strategy, exits: u32, specs: [ChildSpec<&'static str>; N]) -> Self {
        let policy = Policy::new(strategy, Intensity { exits, period: PERIOD });
        let mut bench = Self { policy, now: Instant::now() };
        for spec in specs {
            let actions = bench.policy.start_child(spec).unwrap();
            bench.carry_out(actions);
        }
        bench
    }

    /// Starts what is to be started; what else was to be done, and the starts too, comes back in order.
    fn carry_out(&mut self, actions: Vec<Action<&'static str>>) -> Vec<Action<&'static str>> {
        let mut queue = VecDeque::from(actions);
        let mut done = Vec::new();
        while let Some(action) = queue.pop_front() {
            if let Action::Start { id, incarnation } = &action {
                queue.extend(self.policy.started(id, *incarnation));
            }
            done.push(action);
        }
        done
    }

    fn exit(&mut self, id: &'static str, number: u64, reason: &ExitReason) -> (Verdict, Vec<Action<&'static str>>) {
        let (verdict, actions) = self.policy.exited(&id, Incarnation(number), reason, self.now);
        (verdict, self.carry_out(actions))
    }

    fn states(&self) -> Vec<(&'static str, ChildState, u32)> {
        self.policy.children().into_iter().map(|child| (child.id, child.state, child.restarts)).collect()
    }
}

#[test]
fn restart_type_and_reason_decide_whether_a_child_comes_back() {
    use RestartType::{Permanent, Temporary, Transient};
    let abnormal = [
        panicked(),
        ExitReason::Killed,
        ExitReason::IntensityReached { child: "x".into(), last: Box::new(ExitReason::Killed) },
    ];
    let normal = [ExitReason::Normal, ExitReason::Shutdown];
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for restart in [Permanent, Transient, Temporary] {
            for reason in abnormal.iter().chain(&normal) {
                let case = format!("{strategy:?} {restart:?} {reason}");
                let mut bench = Bench::with(strategy, 1, [spec("a", restart)]);
                let (verdict, actions) = bench.exit("a", 1, reason);
                let comes_back = restart == Permanent || (restart == Transient && abnormal.contains(reason));
                if comes_back {
                    assert_eq!((verdict, actions), (Verdict::Restart, vec![start("a", 2)]), "{case}");
                    assert_eq!(bench.states(), [("a", ChildState::Running, 1)], "{case}");
                } else if restart == Temporary {
                    assert_eq!((verdict, actions), (Verdict::LeftDown, vec![remove("a")]), "{case}");
                } else {
                    assert_eq!((verdict, actions), (Verdict::LeftDown, vec![]), "{case}");
                    assert_eq!(bench.states(), [("a", ChildState::Ended, 0)], "{case}");
                }
            }
        }
    }
}

#[test]
fn one_for_one_restarts_the_child_alone() {
    let mut bench = Bench::running(Strategy::OneForOne, 1, RestartType::Permanent);
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Restart, vec![start("b", 4)]));
}

#[test]
fn rest_for_one_stops_the_later_ones_in_reverse_and_starts_in_order() {
    let mut bench = Bench::running(Strategy::RestForOne, 1, RestartType::Permanent);
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Restart, vec![stop("c", 3)]));
    assert_eq!(bench.exit("c", 3, &ExitReason::Shutdown), (Verdict::Expected, vec![start("b", 4), start("c", 5)]),);
    assert_eq!(
        bench.states(),
        [("a", ChildState::Running, 0), ("b", ChildState::Running, 1), ("c", ChildState::Running, 1)],
    );
}

#[test]
fn one_for_all_stops_one_after_the_other_and_starts_in_order() {
    let mut bench = Bench::running(Strategy::OneForAll, 1, RestartType::Permanent);
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Restart, vec![stop("c", 3)]));
    assert_eq!(bench.exit("c", 3, &ExitReason::Shutdown), (Verdict::Expected, vec![stop("a", 1)]));
    assert_eq!(
        bench.exit("a", 1, &ExitReason::Shutdown),
        (Verdict::Expected, vec![start("a", 4), start("b", 5), start("c", 6)]),
    );
}

#[test]
fn a_sibling_that_ended_well_is_started_with_the_others_and_a_temporary_one_is_not() {
    let specs = [
        spec("ended", RestartType::Transient),
        spec("crashing", RestartType::Permanent),
        spec("temporary", RestartType::Temporary),
    ];
    let mut bench = Bench::with(Strategy::OneForAll, 1, specs);
    assert_eq!(bench.exit("ended", 1, &ExitReason::Normal), (Verdict::LeftDown, vec![]));
    assert_eq!(bench.exit("crashing", 2, &panicked()), (Verdict::Restart, vec![stop("temporary", 3)]));
    assert_eq!(
        bench.exit("temporary", 3, &ExitReason::Shutdown),
        (Verdict::Expected, vec![remove("temporary"), start("ended", 4), start("crashing", 5)]),
    );
}

#[test]
fn a_start_that_fails_is_an_exit_and_the_later_ones_wait() {
    let mut bench = Bench::with(Strategy::RestForOne, 1, []);
    assert_eq!(bench.policy.start_child(spec("a", RestartType::Permanent)), Ok(vec![start("a", 1)]));
    assert_eq!(bench.policy.start_child(spec("b", RestartType::Permanent)), Ok(vec![]));
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Restart, vec![start("a", 2), start("b", 3)]),);
}

#[test]
fn as_many_exits_as_allowed_go_on_and_one_more_ends_the_supervisor() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        for allowed in [0, 1, 3] {
            let mut bench = Bench::with(strategy, allowed, [spec("a", RestartType::Permanent)]);
            for number in 1..=u64::from(allowed) {
                assert_eq!(bench.exit("a", number, &panicked()).0, Verdict::Restart, "{strategy:?} {allowed}");
            }
            let reason = ExitReason::IntensityReached { child: "a".into(), last: Box::new(panicked()) };
            assert_eq!(
                bench.exit("a", u64::from(allowed) + 1, &panicked()),
                (Verdict::IntensityReached, vec![remove("a"), Action::Terminate(reason)]),
                "{strategy:?} {allowed}",
            );
        }
    }
}

#[test]
fn an_exit_counts_for_exactly_the_period() {
    for (later, verdict) in [(PERIOD, Verdict::IntensityReached), (PERIOD + Duration::from_nanos(1), Verdict::Restart)]
    {
        let mut bench = Bench::running(Strategy::OneForOne, 1, RestartType::Permanent);
        assert_eq!(bench.exit("a", 1, &panicked()).0, Verdict::Restart);
        bench.now += later;
        assert_eq!(bench.exit("b", 2, &panicked()).0, verdict, "{later:?}");
    }
}

#[test]
fn the_supervisor_that_ends_stops_its_children_in_reverse_first() {
    let mut bench = Bench::running(Strategy::RestForOne, 0, RestartType::Permanent);
    let reason = ExitReason::IntensityReached { child: "b".into(), last: Box::new(panicked()) };
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::IntensityReached, vec![remove("b"), stop("c", 3)]),);
    assert_eq!(bench.policy.shut_down(), []);
    assert_eq!(bench.exit("c", 3, &panicked()), (Verdict::Expected, vec![remove("c"), stop("a", 1)]));
    assert_eq!(
        bench.exit("a", 1, &ExitReason::Shutdown),
        (Verdict::Expected, vec![remove("a"), Action::Terminate(reason)]),
    );
    assert_eq!(bench.policy.shut_down(), []);
}

#[test]
fn a_shutdown_is_one_after_the_other_unless_the_children_are_independent() {
    let mut bench = Bench::running(Strategy::OneForAll, 1, RestartType::Permanent);
    assert_eq!(bench.policy.shut_down(), [stop("c", 3)]);
    let mut bench = Bench::running(Strategy::OneForOne, 1, RestartType::Permanent);
    assert_eq!(bench.policy.shut_down(), [stop("c", 3), stop("b", 2), stop("a", 1)]);
    let refused = bench.policy.start_child(spec("d", RestartType::Permanent));
    assert_eq!(refused, Err(SupervisionError::ShuttingDown));
    let refused = bench.policy.restart_child(spec("a", RestartType::Permanent));
    assert_eq!(refused, Err(SupervisionError::ShuttingDown));
}

#[test]
fn a_child_that_does_not_stop_in_its_time_is_killed() {
    let mut bench = Bench::running(Strategy::OneForOne, 1, RestartType::Permanent);
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), [], "nobody asked it to stop");
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![stop("a", 1)]));
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), [kill("a", 1)]);
    assert_eq!(bench.exit("a", 1, &ExitReason::Killed), (Verdict::Expected, vec![remove("a")]));
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), []);
}

#[test]
fn the_shutdown_decides_how_a_child_is_stopped() {
    for (shutdown, expected) in [
        (Shutdown::Kill, kill("a", 1)),
        (Shutdown::Unlimited, Action::Stop { id: "a", incarnation: Incarnation(1), within: None }),
        (Shutdown::Within(STOP_TIME), stop("a", 1)),
    ] {
        let a = ChildSpec { shutdown, ..spec("a", RestartType::Permanent) };
        let mut bench = Bench::with(Strategy::OneForOne, 1, [a]);
        assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![expected]));
    }
}

#[test]
fn a_panic_while_stopping_is_a_stop() {
    let mut bench = Bench::running(Strategy::OneForOne, 0, RestartType::Permanent);
    bench.policy.stop_child(&"a").unwrap();
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Expected, vec![remove("a")]));
}

#[test]
fn what_is_said_about_an_earlier_incarnation_is_ignored() {
    let mut bench = Bench::running(Strategy::OneForOne, 1, RestartType::Permanent);
    bench.exit("a", 1, &panicked());
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Late, vec![]));
    assert_eq!(bench.policy.started(&"a", Incarnation(1)), []);
    assert_eq!(bench.exit("nobody", 1, &panicked()), (Verdict::Late, vec![]));
    assert_eq!(bench.states()[0], ("a", ChildState::Running, 1));
}

#[test]
fn a_spent_budget_costs_that_child_alone() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut bench = Bench::with(strategy, 0, [budgeted("a", 1), spec("b", RestartType::Transient)]);
        bench.exit("b", 2, &ExitReason::Normal);
        let (verdict, actions) = bench.exit("a", 1, &panicked());
        assert_eq!((verdict, actions.contains(&start("a", 3))), (Verdict::Restart, true), "{strategy:?}");
        let before = bench.states();
        let b = match strategy {
            Strategy::OneForOne => ChildState::Ended,
            _ => ChildState::Running,
        };
        assert_eq!(before[1].1, b, "{strategy:?}");
        let given_up = Action::GiveUp { id: "a", incarnation: Incarnation(3), reason: panicked() };
        assert_eq!(bench.exit("a", 3, &panicked()), (Verdict::GivenUp, vec![given_up]), "{strategy:?}");
        assert_eq!(bench.states(), [("a", ChildState::GivenUp, 1), before[1]], "{strategy:?}");
    }
}

#[test]
fn a_given_up_child_comes_back_when_it_is_replaced_and_goes_when_it_is_removed() {
    let mut bench = Bench::with(Strategy::OneForOne, 0, [budgeted("a", 0)]);
    bench.exit("a", 1, &panicked());
    assert_eq!(bench.policy.start_child(budgeted("a", 0)), Err(SupervisionError::AlreadyPresent("a")));
    let actions = bench.policy.restart_child(budgeted("a", 1)).unwrap();
    assert_eq!(bench.carry_out(actions), [start("a", 2)]);
    assert_eq!(bench.exit("a", 2, &panicked()), (Verdict::Restart, vec![start("a", 3)]), "its budget is a new one");
    assert_eq!(bench.exit("a", 3, &panicked()).0, Verdict::GivenUp);
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![remove("a")]));
    assert_eq!(bench.policy.stop_child(&"a"), Err(SupervisionError::NotFound("a")));
    assert_eq!(bench.policy.restart_child(budgeted("a", 1)), Err(SupervisionError::NotFound("a")));
}

#[test]
fn a_replaced_child_stops_and_starts_and_costs_nothing() {
    let mut bench = Bench::running(Strategy::RestForOne, 0, RestartType::Permanent);
    assert_eq!(bench.policy.restart_child(spec("b", RestartType::Permanent)), Ok(vec![stop("b", 2)]));
    assert_eq!(bench.states()[1], ("b", ChildState::Restarting, 0));
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Expected, vec![start("b", 4)]));
    assert_eq!(bench.states().iter().map(|child| child.0).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_crash_during_the_restart_of_siblings_takes_them_along_once() {
    let mut bench = Bench::running(Strategy::RestForOne, 2, RestartType::Permanent);
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Restart, vec![stop("c", 3)]));
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Restart, vec![]), "c is still stopping");
    assert_eq!(
        bench.exit("c", 3, &ExitReason::Shutdown),
        (Verdict::Expected, vec![start("a", 4), start("b", 5), start("c", 6)]),
    );
}

#[test]
fn a_removal_while_restarting_wins() {
    let mut bench = Bench::running(Strategy::OneForAll, 2, RestartType::Permanent);
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Restart, vec![stop("c", 3)]));
    assert_eq!(bench.policy.stop_child(&"b"), Ok(vec![]), "its turn comes after c");
    assert_eq!(bench.exit("c", 3, &ExitReason::Shutdown), (Verdict::Expected, vec![stop("b", 2)]));
    assert_eq!(
        bench.exit("b", 2, &ExitReason::Shutdown),
        (Verdict::Expected, vec![remove("b"), start("a", 4), start("c", 5)]),
    );
}

#[test]
fn a_child_that_is_wanted_again_before_it_is_gone_comes_back_after_it() {
    let mut bench = Bench::running(Strategy::OneForOne, 0, RestartType::Transient);
    assert_eq!(bench.policy.stop_child(&"b").unwrap(), [stop("b", 2)]);
    let again = bench.policy.start_child(spec("b", RestartType::Transient)).unwrap();
    assert_eq!(again, [], "the old run is still there");
    assert_eq!(bench.exit("b", 2, &ExitReason::Normal).1, [start("b", 4)]);
    let twice = bench.policy.start_child(spec("b", RestartType::Transient));
    assert_eq!(twice, Err(SupervisionError::AlreadyPresent("b")));
}
