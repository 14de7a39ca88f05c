mod oracle;

use std::time::Duration;

use super::*;

const PERIOD: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(2);

fn intensity(exits: u32) -> Intensity {
    Intensity { exits, period: PERIOD }
}

/// A child that escalates.
fn spec(id: &'static str) -> ChildSpec<&'static str> {
    ChildSpec { id, strategy: RestartStrategy::Escalate, stop_limit: Some(STOP_LIMIT) }
}

/// A child that is given up after so many exits and one more.
fn budgeted(id: &'static str, exits: u32) -> ChildSpec<&'static str> {
    ChildSpec { strategy: RestartStrategy::GiveUp(intensity(exits)), ..spec(id) }
}

fn start(id: &'static str, incarnation: u64) -> Action<&'static str> {
    Action::Start { id, incarnation: Incarnation(incarnation) }
}

fn stop(id: &'static str, incarnation: u64) -> Action<&'static str> {
    Action::Stop { id, incarnation: Incarnation(incarnation), limit: Some(STOP_LIMIT) }
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

fn too_many(child: &str) -> ExitReason {
    ExitReason::IntensityReached { child: child.to_owned(), last: Box::new(panicked()) }
}

/// A policy and the time.
struct Bench {
    policy: Policy<&'static str>,
    now: Instant,
}

impl Bench {
    /// Children a, b, c run as #1, #2, #3 and escalate.
    fn abc(exits: u32) -> Self {
        Self::with(exits, ["a", "b", "c"].map(spec))
    }

    fn with<const N: usize>(exits: u32, specs: [ChildSpec<&'static str>; N]) -> Self {
        let mut policy = Policy::new(intensity(exits));
        for spec in specs {
            policy.start_child(spec).unwrap();
        }
        Self { policy, now: Instant::now() }
    }

    fn exit(&mut self, id: &'static str, number: u64, reason: &ExitReason) -> (Verdict, Vec<Action<&'static str>>) {
        self.policy.exited(&id, Incarnation(number), reason, self.now)
    }

    fn states(&self) -> Vec<(&'static str, ChildState, u64)> {
        self.policy.children().into_iter().map(|child| (child.id, child.state, child.incarnation.0)).collect()
    }
}

#[test]
fn every_exit_that_was_not_asked_for_is_followed_by_a_restart_of_that_child_alone() {
    for reason in [ExitReason::Normal, panicked(), ExitReason::Unresponsive, ExitReason::Killed, too_many("x")] {
        let mut bench = Bench::with(1, [spec("a"), budgeted("b", 1), spec("c")]);
        assert_eq!(bench.exit("a", 1, &reason), (Verdict::Restart, vec![start("a", 4)]), "{reason}");
        assert_eq!(bench.exit("b", 2, &reason), (Verdict::Restart, vec![start("b", 5)]), "{reason}");
        let expected = [("a", 4), ("b", 5), ("c", 3)].map(|(id, number)| (id, ChildState::Running, number));
        assert_eq!(bench.states(), expected);
        assert_eq!(bench.policy.children()[0].last_exit, Some(reason));
    }
}

/// The ages of the exits before this one, and whether this one is within two in [`PERIOD`].
#[test]
fn an_exit_counts_until_more_than_the_period_has_passed() {
    let second = Duration::from_secs(1);
    let past = PERIOD + Duration::from_nanos(1);
    for (ages, is_tolerated) in [
        (vec![], true),
        (vec![second], true),
        (vec![2 * second, second], false),
        (vec![PERIOD, second], false),
        (vec![PERIOD, PERIOD], false),
        (vec![past, second], true),
        (vec![past, PERIOD], true),
    ] {
        // All such children together, or one by itself.
        for (specs, too_often) in [
            ([spec("a"), spec("b")], Verdict::IntensityReached),
            ([budgeted("a", 2), spec("b")], Verdict::GivenUp(intensity(2))),
        ] {
            let mut bench = Bench::with(2, specs);
            // Far enough from the clock's own beginning.
            let now = bench.now + 2 * PERIOD;
            let mut runs = [1, 2];
            for (nth, age) in ages.iter().enumerate() {
                bench.now = now.checked_sub(*age).unwrap();
                let who = if matches!(too_often, Verdict::GivenUp(_)) { 0 } else { nth % 2 };
                let (verdict, actions) = bench.exit(["a", "b"][who], runs[who], &panicked());
                assert_eq!(verdict, Verdict::Restart, "{ages:?}");
                let [Action::Start { incarnation, .. }] = actions[..] else { panic!("{actions:?}") };
                runs[who] = incarnation.0;
            }
            bench.now = now;
            let expected = if is_tolerated { Verdict::Restart } else { too_often };
            assert_eq!(bench.exit("a", runs[0], &panicked()).0, expected, "{ages:?}");
        }
    }
}

#[test]
fn the_supervisor_that_ends_stops_its_children_side_by_side_in_reverse() {
    let mut bench = Bench::with(0, [spec("a"), spec("b"), spec("c"), budgeted("given up", 0)]);
    bench.exit("given up", 4, &panicked());
    let expected = vec![remove("b"), remove("given up"), stop("c", 3), stop("a", 1)];
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::IntensityReached, expected));
    assert_eq!(bench.policy.shut_down(), [], "the first reason stays");
    assert_eq!(bench.exit("c", 3, &panicked()), (Verdict::Expected, vec![remove("c")]));
    let expected = vec![remove("a"), Action::Terminate(too_many("b"))];
    assert_eq!(bench.exit("a", 1, &ExitReason::Shutdown), (Verdict::Expected, expected));
    assert_eq!(bench.policy.shut_down(), []);
}

#[test]
fn a_supervisor_whose_only_child_exits_too_often_ends_at_once() {
    let mut bench = Bench::with(0, [spec("a")]);
    let expected = vec![remove("a"), Action::Terminate(too_many("a"))];
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::IntensityReached, expected));
}

#[test]
fn a_supervisor_that_is_shut_down_stops_its_children_and_refuses_new_ones() {
    let mut bench = Bench::abc(0);
    assert_eq!(bench.policy.shut_down(), [stop("c", 3), stop("b", 2), stop("a", 1)]);
    assert_eq!(bench.policy.start_child(spec("d")), Err(SupervisionError::ShuttingDown));
    assert_eq!(bench.policy.restart_child(spec("a")), Err(SupervisionError::ShuttingDown));
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![]), "it is stopping already");
    for (id, number) in [("b", 2), ("c", 3)] {
        assert_eq!(bench.exit(id, number, &ExitReason::Shutdown), (Verdict::Expected, vec![remove(id)]));
    }
    let expected = vec![remove("a"), Action::Terminate(ExitReason::Shutdown)];
    assert_eq!(bench.exit("a", 1, &ExitReason::Shutdown), (Verdict::Expected, expected));
    assert_eq!(Bench::with(0, []).policy.shut_down(), [Action::Terminate(ExitReason::Shutdown)]);
}

#[test]
fn a_child_that_does_not_stop_within_its_limit_is_killed() {
    let mut bench = Bench::abc(0);
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), [], "it was not asked to stop");
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![stop("a", 1)]));
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), [kill("a", 1)]);
    assert_eq!(bench.exit("a", 1, &ExitReason::Killed), (Verdict::Expected, vec![remove("a")]));
    assert_eq!(bench.policy.overdue(&"a", Incarnation(1)), []);

    assert_eq!(bench.policy.restart_child(spec("b")), Ok(vec![stop("b", 2)]));
    assert_eq!(bench.policy.overdue(&"b", Incarnation(2)), [kill("b", 2)]);
    assert_eq!(bench.exit("b", 2, &ExitReason::Killed), (Verdict::Expected, vec![start("b", 4)]));
    assert_eq!(bench.policy.overdue(&"b", Incarnation(2)), [], "the limit of the run before");
}

#[test]
fn a_child_without_a_stop_limit_gets_all_the_time_it_needs() {
    let mut bench = Bench::with(0, [ChildSpec { stop_limit: None, ..spec("a") }]);
    let expected = Action::Stop { id: "a", incarnation: Incarnation(1), limit: None };
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![expected]));
}

#[test]
fn a_panic_while_stopping_does_not_count() {
    let mut bench = Bench::abc(0);
    bench.policy.stop_child(&"a").unwrap();
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Expected, vec![remove("a")]));
}

#[test]
fn events_of_an_earlier_run_are_ignored() {
    let mut bench = Bench::with(1, [spec("a"), budgeted("b", 0)]);
    bench.exit("a", 1, &panicked());
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Late, vec![]));
    assert_eq!(bench.exit("nobody", 1, &panicked()), (Verdict::Late, vec![]));
    bench.exit("b", 2, &panicked());
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Late, vec![]), "it is given up already");
    assert_eq!(bench.states(), [("a", ChildState::Running, 3), ("b", ChildState::GivenUp, 2)]);
}

#[test]
fn a_child_that_is_given_up_leaves_its_siblings_and_the_supervisor_alone() {
    let mut bench = Bench::with(0, [budgeted("a", 1), spec("b")]);
    assert_eq!(bench.exit("a", 1, &panicked()), (Verdict::Restart, vec![start("a", 3)]));
    let given_up = Action::GiveUp { id: "a", reason: panicked() };
    assert_eq!(bench.exit("a", 3, &panicked()), (Verdict::GivenUp(intensity(1)), vec![given_up]));
    assert_eq!(bench.states(), [("a", ChildState::GivenUp, 3), ("b", ChildState::Running, 2)]);
}

#[test]
fn a_given_up_child_comes_back_when_it_is_replaced_and_goes_when_it_is_removed() {
    let mut bench = Bench::with(0, [budgeted("a", 0)]);
    bench.exit("a", 1, &panicked());
    assert_eq!(bench.policy.start_child(budgeted("a", 0)), Err(SupervisionError::AlreadyPresent("a")));
    assert_eq!(bench.policy.restart_child(budgeted("a", 1)), Ok(vec![start("a", 2)]));
    assert_eq!(bench.exit("a", 2, &panicked()), (Verdict::Restart, vec![start("a", 3)]), "earlier exits are forgotten");
    assert_eq!(bench.exit("a", 3, &panicked()).0, Verdict::GivenUp(intensity(1)));
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![remove("a")]));
    assert_eq!(bench.policy.stop_child(&"a"), Err(SupervisionError::NotFound("a")));
    assert_eq!(bench.policy.restart_child(budgeted("a", 1)), Err(SupervisionError::NotFound("a")));
}

#[test]
fn a_replaced_child_keeps_its_place_and_its_stop_does_not_count() {
    let mut bench = Bench::abc(0);
    assert_eq!(bench.policy.restart_child(spec("b")), Ok(vec![stop("b", 2)]));
    assert_eq!(bench.policy.restart_child(spec("b")), Ok(vec![]), "it is stopping already");
    assert_eq!(bench.states()[1], ("b", ChildState::Restarting, 2));
    assert_eq!(bench.exit("b", 2, &panicked()), (Verdict::Expected, vec![start("b", 4)]));
    assert_eq!(bench.states().iter().map(|child| child.0).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_child_that_is_removed_while_it_restarts_is_not_started_again() {
    let mut bench = Bench::abc(0);
    bench.policy.restart_child(spec("b")).unwrap();
    assert_eq!(bench.policy.stop_child(&"b"), Ok(vec![]), "it is stopping already");
    assert_eq!(bench.exit("b", 2, &ExitReason::Shutdown), (Verdict::Expected, vec![remove("b")]));
}

#[test]
fn a_child_that_is_added_again_before_it_is_gone_keeps_its_place_and_starts_when_it_is() {
    let mut bench = Bench::abc(0);
    assert_eq!(bench.policy.stop_child(&"a"), Ok(vec![stop("a", 1)]));
    assert_eq!(bench.policy.start_child(spec("a")), Ok(vec![]), "the old run is still there");
    assert_eq!(bench.policy.start_child(spec("a")), Err(SupervisionError::AlreadyPresent("a")));
    assert_eq!(bench.exit("a", 1, &ExitReason::Normal), (Verdict::Expected, vec![start("a", 4)]));
    assert_eq!(bench.states().iter().map(|child| child.0).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn running_children_get_heartbeats_until_they_leave_one_unanswered() {
    let mut bench = Bench::with(0, [spec("good"), spec("frozen"), spec("stopping"), budgeted("given up", 0)]);
    bench.policy.stop_child(&"stopping").unwrap();
    bench.exit("given up", 4, &panicked());
    let frozen = |id: &&str| *id != "good";
    let sent = Action::SendHeartbeat { id: "good" };
    assert_eq!(bench.policy.heartbeat(frozen), [sent, kill("frozen", 2)]);
    assert_eq!(bench.states()[1], ("frozen", ChildState::Running, 2), "until it is gone");
}
