mod heartbeat;
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

use self::worker::{Bench, Habit, Id, Order, PERIOD, STOP_LIMIT, budgeted, children, intensity, panicked, spec};
use super::*;
use crate::{
    supervision::{
        messages::{Children, RestartChild, StartChild, StopChild, UpdateChild},
        spec::{ChildSpec, ChildState},
    },
    testing::{Log, paused, soon},
};

fn supervisor(exits: u32, children: Vec<NewChild<Id>>) -> Supervisor<Id> {
    Supervisor::new("root", intensity(exits), children).unwrap()
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
            let (root, _running) = supervisor(1, bench.workers(["a"])).run();
            bench.hears(["+a#1"]).await;
            bench.order("a", order);
            bench.hears(["-a#1", "+a#2"]).await;
            let a = children(&root).await.remove(0);
            assert_eq!((a.state, a.incarnation), (ChildState::Running, Incarnation(2)));
            assert_eq!(a.last_exit, Some(panicked(reason)));
        });
    }
}

#[test]
fn an_actor_that_ends_by_itself_is_restarted() {
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = supervisor(1, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        bench.order("a", Order::End);
        bench.hears(["-a#1", "+a#2"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(ExitReason::Normal));
    });
}

#[test]
fn a_panic_in_started_is_an_exit() {
    paused(async {
        let mut bench = Bench::new();
        let habit = |Incarnation(number)| if number == 1 { Habit::PanicInStarted } else { Habit::Good };
        let (root, _running) = supervisor(1, vec![bench.child(spec("a"), habit)]).run();
        bench.hears(["+a#1", "-a#1", "+a#2"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(panicked("in started")));
    });
}

#[test]
fn a_second_panic_while_the_actor_goes_does_not_end_the_process() {
    paused(async {
        let mut bench = Bench::new();
        let habit = |Incarnation(number)| if number == 1 { Habit::PanicInStopping } else { Habit::Good };
        let (root, _running) = supervisor(1, vec![bench.child(spec("a"), habit)]).run();
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
            let (root, _running) = supervisor(0, vec![bench.child(spec("a"), move |_| habit), bench.worker("b")]).run();
            bench.hears(["+a#1", "+b#2"]).await;
            assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
            bench.hears(["-a#1"]).await;
            bench.hears_nothing().await;
            assert_eq!(children(&root).await.len(), 1);
        });
    }
}

#[test]
fn an_actor_that_ignores_stop_is_killed_after_its_stop_limit() {
    let log = Log::capture();
    paused(async {
        let mut bench = Bench::new();
        let stubborn = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, _running) = supervisor(0, vec![stubborn]).run();
        bench.hears(["+a#1"]).await;
        let asked = Instant::now();
        assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
        let took = asked.elapsed();
        assert!(took >= STOP_LIMIT && took < STOP_LIMIT + Duration::from_millis(10), "{took:?}");
        bench.hears(["-a#1"]).await;
    });
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = "child did not stop in time: killed supervisor=root child=a incarnation=#1";
    assert!(lines[0].ends_with(expected), "{}", lines[0]);
    assert_eq!(log.lines(Level::ERROR), Vec::<String>::new());
}

#[test]
fn a_panic_of_a_killed_actor_does_not_stop_its_restart() {
    paused(async {
        let mut bench = Bench::new();
        let hard = bench.child(spec("a"), |_| Habit::DieHard);
        let (root, _running) = supervisor(0, vec![hard, bench.worker("b")]).run();
        bench.hears(["+a#1", "+b#2"]).await;
        assert_eq!(soon(root.send(RestartChild(bench.worker("a")))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#3"]).await;
        assert_eq!(children(&root).await[0].last_exit, Some(panicked("in stopping")));
    });
}

#[test]
fn a_child_that_is_added_again_while_it_ignores_stop_starts_when_it_is_killed() {
    paused(async {
        let mut bench = Bench::new();
        let stubborn = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, _running) = supervisor(0, vec![stubborn, bench.worker("b")]).run();
        bench.hears(["+a#1", "+b#2"]).await;
        root.do_send(StopChild("a"));
        assert_eq!(soon(root.send(StartChild(bench.worker("a")))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#3"]).await;
        bench.hears_nothing().await;
        assert_eq!(children(&root).await[1].incarnation, Incarnation(2), "b was not touched");
    });
}

#[test]
fn the_stop_limit_of_one_run_does_not_kill_the_next() {
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = supervisor(0, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        let stubborn = bench.child(spec("a"), |_| Habit::IgnoreStop);
        assert_eq!(soon(root.send(RestartChild(stubborn))).await.unwrap(), Ok(()));
        bench.hears(["-a#1", "+a#2"]).await;
        tokio::time::sleep(STOP_LIMIT / 2).await;
        let asked = Instant::now();
        assert_eq!(soon(root.send(StopChild("a"))).await.unwrap(), Ok(()));
        assert!(
            asked.elapsed() >= STOP_LIMIT,
            "#2 has two seconds of its own, but was gone after {:?}",
            asked.elapsed()
        );
    });
}

#[test]
fn a_child_that_exits_too_often_is_given_up_alone_until_it_is_replaced() {
    paused(async {
        let mut bench = Bench::new();
        let all = vec![bench.child(budgeted("a", 1), |_| Habit::Good), bench.worker("b")];
        let given_up = Rc::new(RefCell::new(Vec::new()));
        let crashes = Rc::new(RefCell::new(Vec::new()));
        let (report, report_crash) = (Rc::clone(&given_up), Rc::clone(&crashes));
        let (root, _running) = supervisor(0, all)
            .on_crash(move |id, reason| report_crash.borrow_mut().push((*id, reason.clone())))
            .on_given_up(move |id, reason| report.borrow_mut().push((*id, reason.clone())))
            .run();
        bench.hears(["+a#1", "+b#2"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "+a#3"]).await;
        assert!(given_up.borrow().is_empty());
        assert_eq!(*crashes.borrow(), [("a", panicked("in a handler"))]);
        bench.order("a", Order::Panic);
        bench.hears(["-a#3"]).await;
        bench.hears_nothing().await;
        assert_eq!(*given_up.borrow(), [("a", panicked("in a handler"))]);
        assert_eq!(children(&root).await[0].state, ChildState::GivenUp);

        let new = bench.child(budgeted("a", 1), |_| Habit::Good);
        assert_eq!(soon(root.send(RestartChild(new))).await.unwrap(), Ok(()));
        bench.hears(["+a#4"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#4", "+a#5"]).await;
        assert_eq!(crashes.borrow().len(), 3, "the replacement was asked for, and is no crash");
        assert_eq!(children(&root).await[1].incarnation, Incarnation(2), "b was not touched");
    });
}

#[test]
fn too_many_exits_end_the_root_with_the_reason() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, running) = supervisor(1, bench.workers(["a", "b", "c"])).run();
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
        let (_root, _running) = supervisor(1, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        for number in 1..5 {
            bench.order("a", Order::Panic);
            bench.hears([&format!("-a#{number}"), &format!("+a#{}", number + 1)]).await;
            tokio::time::sleep(PERIOD + Duration::from_millis(2)).await;
        }
    });
}

/// A supervisor of the worker `inner` as the child `nest`.
fn nest(bench: &Bench, exits: u32) -> NewChild<Id> {
    let maker = bench.maker();
    let nest = ChildSpec { stop_limit: None, ..spec("nest") };
    NewChild::new(nest, move |_| Supervisor::new("nest", intensity(exits), maker.workers(["inner"])).unwrap().run().1)
}

#[test]
fn an_inner_supervisor_that_ends_is_restarted_by_the_outer_one() {
    paused(async {
        let mut bench = Bench::new();
        let all = vec![bench.worker("before"), nest(&bench, 0), bench.worker("after")];
        let (root, running) = supervisor(1, all).run();
        bench.hears(["+before#1", "+after#3", "+inner#1"]).await;
        bench.order("inner", Order::Panic);
        bench.hears(["-inner#1", "+inner#1"]).await;
        let reason = ExitReason::IntensityReached { child: "inner".into(), last: Box::new(panicked("in a handler")) };
        let status = children(&root).await;
        assert_eq!((status[1].incarnation, status[1].last_exit.clone()), (Incarnation(4), Some(reason)));

        root.do_send(Stop);
        bench.hears(["-after#3", "-before#1", "-inner#1"]).await;
        assert_eq!(soon(running.wait()).await, ExitReason::Shutdown);
    });
}

#[test]
fn children_are_stopped_side_by_side() {
    paused(async {
        let mut bench = Bench::new();
        let stubborn = |id| bench.child(spec(id), |_| Habit::IgnoreStop);
        let all = vec![stubborn("a"), stubborn("b"), stubborn("c")];
        let (root, running) = supervisor(0, all).run();
        bench.hears(["+a#1", "+b#2", "+c#3"]).await;
        let asked = Instant::now();
        root.do_send(Stop);
        assert_eq!(soon(running.wait()).await, ExitReason::Shutdown);
        let took = asked.elapsed();
        assert!(took >= STOP_LIMIT && took < STOP_LIMIT + Duration::from_millis(20), "{took:?}");
    });
}

#[test]
fn children_do_not_outlive_a_supervisor_that_is_killed_or_panics() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, running) = supervisor(0, vec![bench.worker("a"), nest(&bench, 0)]).run();
        bench.hears(["+a#1", "+inner#1"]).await;
        drop(running);
        bench.hears(["-a#1", "-inner#1"]).await;
    });
    paused(async {
        let mut bench = Bench::new();
        let all = vec![bench.child(budgeted("a", 0), |_| Habit::Good), bench.worker("b")];
        let (_root, running) = supervisor(0, all).on_given_up(|_, _| panic!("in the report")).run();
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
        let child = NewChild::new(spec("a"), move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            // Not panic!: a thousand messages would hide those of the other tests.
            std::panic::resume_unwind(Box::new("at start"))
        });
        let (_root, running) = supervisor(TIMES, vec![child]).run();
        tokio::task::yield_now().await;
        let early = calls.load(Ordering::Relaxed);
        let reason = ExitReason::IntensityReached { child: "a".into(), last: Box::new(panicked("at start")) };
        assert_eq!(soon(running.wait()).await, reason);
        assert_eq!(calls.load(Ordering::Relaxed), TIMES + 1);
        assert!(early <= TIMES / 2, "no other task had a turn before start {early}");
    });
}

#[test]
fn refused_requests_are_answered() {
    paused(async {
        let mut bench = Bench::new();
        let twice = Supervisor::new("root", intensity(0), bench.workers(["a", "a"]));
        assert_eq!(twice.err(), Some(SupervisionError::AlreadyPresent("a")));

        let stubborn = bench.child(spec("a"), |_| Habit::IgnoreStop);
        let (root, running) = supervisor(0, vec![stubborn]).run();
        bench.hears(["+a#1"]).await;
        let refused = soon(root.send(StartChild(bench.worker("a")))).await.unwrap();
        assert_eq!(refused, Err(SupervisionError::AlreadyPresent("a")));
        assert_eq!(soon(root.send(StopChild("b"))).await.unwrap(), Err(SupervisionError::NotFound("b")));
        let refused = soon(root.send(RestartChild(bench.worker("b")))).await.unwrap();
        assert_eq!(refused, Err(SupervisionError::NotFound("b")));
        assert_eq!(soon(root.send(StartChild(bench.worker("b")))).await.unwrap(), Ok(()));
        bench.hears(["+b#2"]).await;

        // The replacement waits for a child that ignores the stop, and is then removed.
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
        let (root, running) = supervisor(1, bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        bench.order("a", Order::Panic);
        bench.hears(["-a#1", "+a#2"]).await;
        root.do_send(Stop);
        soon(running.wait()).await;
    });
    let lines = log.lines(Level::ERROR);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected =
        "child crashed supervisor=root child=a incarnation=#1 reason=panicked: in a handler follows=restarted";
    assert!(lines[0].ends_with(expected), "{}", lines[0]);
    assert_eq!(log.lines(Level::WARN), Vec::<String>::new());
}
