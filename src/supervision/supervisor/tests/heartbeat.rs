//! Frozen actors are found by heartbeats.

use super::*;

const INTERVAL: Duration = Duration::from_secs(60);

/// A root with heartbeats that tolerates one crash.
fn root(children: Vec<NewChild<Id>>) -> Supervisor<Id> {
    let tick = async |()| {
        tokio::time::sleep(INTERVAL).await;
        Some(((), ()))
    };
    supervisor(1, children).with_heartbeat(INTERVAL, futures_util::stream::unfold((), tick))
}

#[test]
fn a_frozen_actor_is_killed_and_restarted_and_no_other_is() {
    let log = Log::capture();
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = root(bench.workers(["a", "b"])).run();
        bench.hears(["+a#1", "+b#2"]).await;
        let frozen = Instant::now();
        bench.order("a", Order::Freeze);
        bench.hears(["-a#1", "+a#3"]).await;
        let took = frozen.elapsed();
        assert!(took >= 2 * INTERVAL && took < 2 * INTERVAL + Duration::from_millis(20), "{took:?}");
        assert_eq!(children(&root).await[0].last_exit, Some(ExitReason::Unresponsive));
        tokio::time::sleep(10 * INTERVAL).await;
        bench.hears_nothing().await;
    });
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = "child was frozen: killed supervisor=root child=a incarnation=#1 reason=no answer to a heartbeat \
                    follows=restarted";
    assert!(lines[0].ends_with(expected), "{}", lines[0]);
    assert_eq!(log.lines(Level::ERROR), Vec::<String>::new());
}

#[test]
fn an_actor_that_waits_for_less_than_the_interval_is_not_killed() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, _running) = root(bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        for _ in 0..5 {
            bench.order("a", Order::Wait(INTERVAL.saturating_sub(Duration::from_millis(10))));
            bench.hears_nothing().await;
        }
    });
}

#[test]
fn a_supervisor_answers_and_passes_heartbeats_on() {
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = root(vec![nest(&bench, 1), bench.worker("a")]).run();
        bench.hears(["+a#2", "+inner#1"]).await;
        tokio::time::sleep(5 * INTERVAL).await;
        bench.order("inner", Order::Freeze);
        bench.hears(["-inner#1", "+inner#2"]).await;
        bench.hears_nothing().await;
        assert_eq!(children(&root).await[0].incarnation, Incarnation(1), "its supervisor was not touched");
    });
}

#[test]
fn a_frozen_actor_is_given_up_when_it_freezes_too_often() {
    let log = Log::capture();
    paused(async {
        let mut bench = Bench::new();
        let (root, _running) = root(vec![bench.child(budgeted("a", 0), |_| Habit::Good)]).run();
        bench.hears(["+a#1"]).await;
        bench.order("a", Order::Freeze);
        bench.hears(["-a#1"]).await;
        bench.hears_nothing().await;
        assert_eq!(children(&root).await[0].state, ChildState::GivenUp);
    });
    let lines = log.lines(Level::ERROR);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("follows=given up: more than 0 exits within 10 s"), "{}", lines[0]);
}

/// A process that was stopped (SIGSTOP) and continued finds the next heartbeat due before its actors had time to answer.
#[test]
fn an_actor_that_had_no_time_to_answer_is_not_killed() {
    paused(async {
        let mut bench = Bench::new();
        let (_root, _running) = root(bench.workers(["a"])).run();
        bench.hears(["+a#1"]).await;
        tokio::time::sleep(INTERVAL.saturating_sub(Duration::from_millis(100))).await;
        // It would answer ten seconds after the next heartbeat is due.
        bench.order("a", Order::Wait(INTERVAL + Duration::from_secs(10)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::time::advance(3 * INTERVAL).await;
        bench.hears_nothing().await;
        bench.hears_nothing().await;
    });
}
