mod settings;
mod worker;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tracing::Level;

use self::worker::{Bench, Habit, Id, Order, PERIOD, STOP_TIME, children, intensity, panicked, spec};
use super::*;
use crate::{
    supervision::{ChildSpec, ChildState, RestartType, Shutdown},
    testing::{Log, paused, soon},
};

fn supervisor(strategy: Strategy, exits: u32, children: Vec<Child<Id>>) -> Supervisor<Id> {
    Supervisor::new("root", strategy, intensity(exits), children).unwrap()
}

#[test]
fn a_panic_is_seen_wherever_it_happens_and_the_actor_is_back() {
    for (order, reason) in [
        (Order::Panic, "in a handler"),
        (Order::PanicInFuture, "in a future"),
        (Order::PanicInResponse, "in a response"),
        (Order::PanicInAtomicResponse, "in an atomic response"),
        (Order::PanicInThread, "in a thread"),
        (Order::PanicInStream, "in a stream"),
    ] {
        paused(async {
            let mut bench = Bench::new();
            let (root, _running) = supervisor(Strategy::OneForOne, 1, bench.workers(["a"])).run();
            bench.hears(["+a#1"]).await;
            bench.order("a", order);
            bench.hears(["-a#1", "+a#2"]).await;
            let a = children(&root).await.remove(0);
            assert_eq!((a.state, a.incarnation, a.restarts), (ChildState::Running, Some(Incarnation(2)), 1));
            assert_eq!(a.last_exit, Some(panicked(reason)));
        });
    }
}

#[test]
fn a_panic_in_started_is_an_exit() {
    paused(async {
        let mut bench = Bench::new();
        let habit = |Incarnation(number)| if number == 1 { Habit::PanicInStarted } else { Habit::Good };
        let (root, _running) = supervisor(Strategy::OneForOne, 1, vec![bench.child(spec("a"), habit)]).run();
        bench.hears(["+a#1", "-a#1", "+a#2"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(panicked("in started")));
    });
}

#[test]
fn a_second_panic_while_the_actor_goes_does_not_end_the_process() {
    paused(async {
        let mut bench = Bench::new();
        let habit = |Incarnation(number)| if number == 1 { Habit::PanicInStopping } else { Habit::Good };
        let (root, _running) = supervisor(Strategy::OneForOne, 1, vec![bench.child(spec("a"), habit)]).run();
        bench.hears(["+a#1"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "+a#2"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(panicked("in a handler")), "the first is the cause");
    });
}

#[test]
fn a_panic_while_stopping_is_a_stop() {
    for habit in [Habit::PanicOnStop, Habit::PanicInStopping] {
        paused(async {
            let mut bench = Bench::new();
            let (root, _running) =
                supervisor(Strategy::OneForOne, 0, vec![bench.child(spec("a"), move |_| habit), bench.worker("b")])
                    .run();
            bench.hears(["+a#1", "+b#2"]).await;
            assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
            bench.hears(["-a#1"]).await;
            bench.hears_nothing().await;
            assert_eq!(children(&root).await.len(), 1);
        });
    }
}

#[test]
fn an_actor_that_ignores_stop_is_killed_when_its_time_is_over() {
    let log = Log::capture();
    paused(async {
        let mut bench = Bench::new();
        let deaf = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, _running) = supervisor(Strategy::OneForOne, 0, vec![deaf]).run();
        bench.hears(["+a#1"]).await;
        let asked = Instant::now();
        assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
        let took = asked.elapsed();
        assert!(took >= STOP_TIME && took < STOP_TIME + Duration::from_millis(10), "{took:?}");
        bench.hears(["-a#1"]).await;
    });
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let told = "child did not stop in its time: killing it supervisor=root child=a incarnation=#1";
    assert!(lines[0].ends_with(told), "{}", lines[0]);
    assert_eq!(log.lines(Level::ERROR), Vec::<String>::new());
}

#[test]
fn a_panic_of_one_that_is_killed_is_its_end_like_another() {
    paused(async {
        let mut bench = Bench::new();
        let hard = bench.child(spec("a"), |_| Habit::DieHard);
        let (root, _running) = supervisor(Strategy::OneForOne, 0, vec![hard, bench.worker("b")]).run();
        bench.hears(["+a#1", "+b#2"]).await;
        assert_eq!(soon(root.send(RestartChild(bench.worker("a")))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#3"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(panicked("in stopping")));
    });
}

/// The deaf one between the others of the tree is killed, and the restart of all goes on in its order.
#[test]
fn a_restart_goes_on_when_a_sibling_does_not_stop_in_its_time() {
    for (strategy, expected) in [
        (Strategy::RestForOne, vec!["-b#2", "-d#4", "-c#3", "+b#5", "+c#6", "+d#7"]),
        (Strategy::OneForAll, vec!["-b#2", "-d#4", "-c#3", "-a#1", "+a#5", "+b#6", "+c#7", "+d#8"]),
    ] {
        paused(async {
            let mut bench = Bench::new();
            let deaf = |Incarnation(number)| if number == 3 { Habit::IgnoreStop } else { Habit::Good };
            let all = vec![bench.worker("a"), bench.worker("b"), bench.child(spec("c"), deaf), bench.worker("d")];
            let (root, _running) = supervisor(strategy, 1, all).run();
            bench.hears(["+a#1", "+b#2", "+c#3", "+d#4"]).await;
            let before = Instant::now();
            bench.order("b", Order::Panic);
            for expected in expected {
                bench.hears([expected]).await;
            }
            assert!(before.elapsed() >= STOP_TIME, "c had its time");
            let status = children(&root).await;
            assert_eq!((status[2].state, status[2].last_exit.clone()), (ChildState::Running, Some(ExitReason::Killed)));
        });
    }
}

#[test]
fn a_deaf_child_that_is_wanted_again_is_started_when_it_is_killed() {
    paused(async {
        let mut bench = Bench::new();
        let deaf = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, _running) = supervisor(Strategy::OneForOne, 0, vec![deaf, bench.worker("b")]).run();
        bench.hears(["+a#1", "+b#2"]).await;
        root.do_send(StopChild("a"));
        assert_eq!(soon(root.send(StartChild(bench.worker("a")))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#3"]).await;
        bench.hears_nothing().await;
        assert_eq!(children(&root).await[1].incarnation, Some(Incarnation(2)), "b was not touched");
    });
}

#[test]
fn the_time_to_stop_of_one_incarnation_does_not_kill_the_next() {
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = supervisor(Strategy::OneForOne, 0, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        let deaf = bench.child(spec("a"), |_| Habit::IgnoreStop);
        assert_eq!(soon(root.send(RestartChild(deaf))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#2"]).await;
        tokio::time::sleep(STOP_TIME / 2).await;
        let asked = Instant::now();
        assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
        assert!(
            asked.elapsed() >= STOP_TIME,
            "#2 has two seconds of its own, but was gone after {:?}",
            asked.elapsed()
        );
    });
}

#[test]
fn rest_for_one_takes_the_later_ones_along() {
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = supervisor(Strategy::RestForOne, 1, bench.workers(["a", "b", "c", "d"])).run();
        bench.hears(["+a#1", "+b#2", "+c#3", "+d#4"]).await;
        bench.order("b", Order::Panic);
        bench.hears(["-b#2", "-d#4", "-c#3", "+b#5", "+c#6", "+d#7"]).await;
        let status = children(&root).await;
        assert_eq!(status[0].incarnation, Some(Incarnation(1)));
        assert_eq!(status[2].last_exit, Some(ExitReason::Shutdown), "it was only asked to stop");
    });
}

#[test]
fn one_for_all_takes_all_along() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, _running) = supervisor(Strategy::OneForAll, 1, bench.workers(["a", "b", "c"])).run();
        bench.hears(["+a#1", "+b#2", "+c#3"]).await;
        bench.order("b", Order::Panic);
        bench.hears(["-b#2", "-c#3", "-a#1", "+a#4", "+b#5", "+c#6"]).await;
    });
}

#[test]
fn a_child_that_ends_by_itself_comes_back_only_if_it_is_permanent() {
    paused(async {
        let mut bench = Bench::new();
        let of_type = |id, restart| bench.child(ChildSpec { restart, ..spec(id) }, |_| Habit::Good);
        let all = vec![
            of_type("permanent", RestartType::Permanent),
            of_type("transient", RestartType::Transient),
            of_type("temporary", RestartType::Temporary),
        ];
        let (root, _running) = supervisor(Strategy::OneForOne, 1, all).run();
        bench.hears(["+permanent#1", "+transient#2", "+temporary#3"]).await;
        for id in ["temporary", "transient", "permanent"] {
            bench.order(id, Order::End);
        }
        bench.hears(["-temporary#3", "-transient#2", "-permanent#1", "+permanent#4"]).await;
        let status: Vec<_> = children(&root).await.into_iter().map(|child| (child.id, child.state)).collect();
        assert_eq!(status, [("permanent", ChildState::Running), ("transient", ChildState::Ended)]);
    });
}

#[test]
fn a_child_that_spends_its_budget_is_given_up_alone_until_it_is_replaced() {
    paused(async {
        let mut bench = Bench::new();
        let budgeted = ChildSpec { budget: Some(intensity(1)), ..spec("a") };
        let all = vec![bench.child(budgeted.clone(), |_| Habit::Good), bench.worker("b")];
        let given_up = Rc::new(RefCell::new(Vec::new()));
        let report = Rc::clone(&given_up);
        let (root, _running) = supervisor(Strategy::OneForOne, 0, all)
            .on_given_up(move |id, reason| report.borrow_mut().push((*id, reason.clone())))
            .run();
        bench.hears(["+a#1", "+b#2"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "+a#3"]).await;
        assert!(given_up.borrow().is_empty());
        bench.order("a", Order::Panic);
        bench.hears(["-a#3"]).await;
        bench.hears_nothing().await;
        assert_eq!(*given_up.borrow(), [("a", panicked("in a handler"))]);
        assert_eq!(children(&root).await[0].state, ChildState::GivenUp);

        let new = bench.child(budgeted, |_| Habit::Good);
        assert_eq!(soon(root.send(RestartChild(new))).await.unwrap(), Ok(()));
        bench.hears(["+a#4"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#4", "+a#5"]).await;
        assert_eq!(children(&root).await[1].incarnation, Some(Incarnation(2)), "b was not touched");
    });
}

#[test]
fn too_many_exits_end_the_root_with_the_reason() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, running) = supervisor(Strategy::RestForOne, 1, bench.workers(["a", "b", "c"])).run();
        bench.hears(["+a#1", "+b#2", "+c#3"]).await;
        bench.order("c", Order::Panic);
        bench.hears(["-c#3", "+c#4"]).await;
        bench.order("b", Order::Panic);
        bench.hears(["-b#2", "-c#4", "-a#1"]).await;
        let reason = ExitReason::IntensityReached { child: "b".into(), last: Box::new(panicked("in a handler")) };
        assert_eq!(soon(running.wait()).await, reason);
    });
}

#[test]
fn exits_are_forgotten_after_the_period() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, _running) = supervisor(Strategy::OneForOne, 1, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        for number in 1..5 {
            bench.order("a", Order::Panic);
            bench.hears([&format!("-a#{number}"), &format!("+a#{}", number + 1)]).await;
            tokio::time::sleep(PERIOD + Duration::from_millis(2)).await;
        }
    });
}

/// A supervisor of the worker `inner` as the child `nest`.
fn nest(bench: &Bench, exits: u32) -> Child<Id> {
    let maker = bench.maker();
    let nest = ChildSpec { shutdown: Shutdown::Unlimited, ..spec("nest") };
    Child::new(nest, move |_| {
        Supervisor::new("nest", Strategy::OneForOne, intensity(exits), maker.workers(["inner"])).unwrap().run().1
    })
}

#[test]
fn an_inner_supervisor_that_ends_is_restarted_by_the_outer_one() {
    paused(async {
        let mut bench = Bench::new();
        let all = vec![bench.worker("before"), nest(&bench, 0), bench.worker("after")];
        let (root, running) = supervisor(Strategy::RestForOne, 1, all).run();
        bench.hears(["+before#1", "+after#3", "+inner#1"]).await;
        bench.order("inner", Order::Panic);
        bench.hears(["-inner#1", "-after#3", "+after#5", "+inner#1"]).await;
        let reason = ExitReason::IntensityReached { child: "inner".into(), last: Box::new(panicked("in a handler")) };
        let status = children(&root).await;
        assert_eq!((status[1].incarnation, status[1].last_exit.clone()), (Some(Incarnation(4)), Some(reason)));

        root.do_send(Stop);
        bench.hears(["-after#5", "-inner#1", "-before#1"]).await;
        assert_eq!(soon(running.wait()).await, ExitReason::Shutdown);
    });
}

#[test]
fn independent_children_stop_side_by_side_and_others_one_after_the_other() {
    for (strategy, time) in [(Strategy::OneForOne, STOP_TIME), (Strategy::OneForAll, 3 * STOP_TIME)] {
        paused(async {
            let mut bench = Bench::new();
            let deaf = |id| bench.child(spec(id), |_| Habit::IgnoreStop);
            let all = vec![deaf("a"), deaf("b"), deaf("c")];
            let (root, running) = supervisor(strategy, 0, all).run();
            bench.hears(["+a#1", "+b#2", "+c#3"]).await;
            let asked = Instant::now();
            root.do_send(Stop);
            assert_eq!(soon(running.wait()).await, ExitReason::Shutdown);
            let took = asked.elapsed();
            assert!(took >= time && took < time + Duration::from_millis(20), "{strategy:?} took {took:?}");
        });
    }
}

#[test]
fn children_do_not_outlive_a_supervisor_that_is_killed_or_panics() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, running) = supervisor(Strategy::OneForOne, 0, vec![bench.worker("a"), nest(&bench, 0)]).run();
        bench.hears(["+a#1", "+inner#1"]).await;
        drop(running);
        bench.hears(["-a#1", "-inner#1"]).await;
    });
    paused(async {
        let mut bench = Bench::new();
        let budgeted = ChildSpec { budget: Some(intensity(0)), ..spec("a") };
        let all = vec![bench.child(budgeted, |_| Habit::Good), bench.worker("b")];
        let (_root, running) =
            supervisor(Strategy::OneForOne, 0, all).on_given_up(|_, _| panic!("in the report")).run();
        bench.hears(["+a#1", "+b#2"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "-b#2"]).await;
        assert_eq!(soon(running.wait()).await, panicked("in the report"));
    });
}

#[test]
fn a_start_function_that_panics_is_an_exit_and_does_not_hold_the_thread() {
    const TIMES: u32 = 1_000;
    paused(async {
        let calls = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&calls);
        let child = Child::new(spec("a"), move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            // Not panic!: a thousand of its messages would drown those of the other tests.
            std::panic::resume_unwind(Box::new("at start"))
        });
        let (_root, running) = supervisor(Strategy::OneForOne, TIMES, vec![child]).run();
        tokio::task::yield_now().await;
        let early = calls.load(Ordering::Relaxed);
        let reason = ExitReason::IntensityReached { child: "a".into(), last: Box::new(panicked("at start")) };
        assert_eq!(soon(running.wait()).await, reason);
        assert_eq!(calls.load(Ordering::Relaxed), TIMES + 1);
        assert!(early <= TIMES / 2, "nobody else had a turn before start {early}");
    });
}

#[test]
fn wishes_that_cannot_be_fulfilled_are_answered() {
    paused(async {
        let mut bench = Bench::new();
        let twice = Supervisor::new("root", Strategy::OneForOne, intensity(0), bench.workers(["a", "a"]));
        assert_eq!(twice.err(), Some(SupervisionError::AlreadyPresent("a")));

        let deaf = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, running) = supervisor(Strategy::OneForOne, 0, vec![deaf]).run();
        bench.hears(["+a#1"]).await;
        let refused = soon(root.send(StartChild(bench.worker("a")))).await.unwrap();
        assert_eq!(refused, Err(SupervisionError::AlreadyPresent("a")));
        assert_eq!(soon(root.send(StopChild("b"))).await.unwrap(), Err(SupervisionError::NotFound("b")));
        let refused = soon(root.send(RestartChild(bench.worker("b")))).await.unwrap();
        assert_eq!(refused, Err(SupervisionError::NotFound("b")));
        assert_eq!(soon(root.send(StartChild(bench.worker("b")))).await.unwrap(), Ok(()));
        bench.hears(["+b#2"]).await;

        // The replacement waits for a deaf child, and then the child is wanted no more.
        let replacement = root.send(RestartChild(bench.worker("a")));
        let removal = root.send(StopChild("a"));
        let (replaced, removed) = soon(async { tokio::join!(replacement, removal) }).await;
        assert_eq!(replaced.unwrap(), Err(SupervisionError::NotFound("a")));
        assert_eq!(removed.unwrap(), Ok(()));
        bench.hears(["-a#1"]).await;

        root.do_send(Stop);
        let refused = soon(root.send(StartChild(bench.worker("c")))).await.unwrap();
        assert_eq!(refused, Err(SupervisionError::ShuttingDown));
        assert_eq!(soon(running.wait()).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_crash_is_one_error_line_that_says_what_follows() {
    let log = Log::capture();
    paused(async {
        let mut bench = Bench::new();
        let (root, running) = supervisor(Strategy::OneForOne, 1, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "+a#2"]).await;
        root.do_send(Stop);
        soon(running.wait()).await;
    });
    let lines = log.lines(Level::ERROR);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let told = "child crashed supervisor=root child=a incarnation=#1 reason=panicked: in a handler follows=restarted";
    assert!(lines[0].ends_with(told), "{}", lines[0]);
    assert_eq!(log.lines(Level::WARN), Vec::<String>::new());
}
