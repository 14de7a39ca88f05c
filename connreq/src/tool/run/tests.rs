//! Rounds over fake sessions, in paused time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;

use crate::request_pipeline::FakeSession;
use crate::requester::{Answer, NoAnswer};

use super::*;

const RTT: Duration = Duration::from_millis(5);

/// Gives the run fake sessions, and records what it reports.
struct FakeDriver {
    logins: VecDeque<Result<RequestPipeline, LoginFailure>>,
    reports: Vec<(u64, usize, &'static str)>,
    /// The run is ended after this many reports.
    max_reports: usize,
    stop: watch::Receiver<bool>,
}

impl FakeDriver {
    /// Creates a driver with `count` sessions, one for each login.
    fn with(count: usize) -> (Self, Vec<FakeSession>, watch::Sender<bool>) {
        let (stopping, stop) = watch::channel(false);
        let mut driver = Self { logins: VecDeque::new(), reports: Vec::new(), max_reports: usize::MAX, stop };
        let sessions = (0..count)
            .map(|_| {
                let (pipeline, session) = RequestPipeline::fake();
                driver.logins.push_back(Ok(pipeline));
                session
            })
            .collect();
        (driver, sessions, stopping)
    }
}

impl RunDriver for FakeDriver {
    async fn login(&mut self) -> Result<RequestPipeline, LoginFailure> {
        self.logins.pop_front().expect("an unexpected login")
    }

    fn report(&mut self, round: u64, number: usize, outcome: Outcome) -> ControlFlow<()> {
        self.reports.push((round, number, outcome.name()));
        if self.reports.len() < self.max_reports { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    async fn stopped(&mut self) {
        if self.stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn targets(count: usize) -> Vec<FullJid> {
    (0..count).map(|number| FullJid::new(&format!("cpe{number}@x/wan")).unwrap()).collect()
}

fn pace(rounds: Option<u64>, concurrency: usize) -> Pace {
    Pace { rounds, interval: Duration::from_secs(60), concurrency, gap: Duration::ZERO }
}

fn accept((_, answers): &FakeSession, number: usize) {
    answers.send((number, Answer::Result { rtt: RTT })).unwrap();
}

/// Returns the numbers of the requests sent since the last call.
async fn sent(session: &mut FakeSession) -> Vec<usize> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::iter::from_fn(|| session.0.try_recv().ok()).map(|(number, _)| number).collect()
}

#[tokio::test(start_paused = true)]
async fn at_most_concurrency_requests_are_pending() {
    let (mut driver, mut sessions, _stop) = FakeDriver::with(1);
    let (targets, session) = (targets(5), &mut sessions[0]);
    let script = async {
        assert_eq!(sent(session).await, [0, 1, 2]);
        assert_eq!(sent(session).await, [0; 0]);
        accept(session, 1);
        assert_eq!(sent(session).await, [3]);
        session.1.send((0, Answer::None(NoAnswer::TimedOut))).unwrap();
        assert_eq!(sent(session).await, [4]);
        for number in [4, 3, 2] {
            accept(session, number);
        }
    };
    let (end, ()) = tokio::join!(run(&targets, pace(Some(1), 3), &mut driver), script);
    assert_eq!(end, RunEnd::Done);
    let expected = [(1, "accepted"), (0, "timeout"), (4, "accepted"), (3, "accepted"), (2, "accepted")];
    assert_eq!(driver.reports, expected.map(|(number, name)| (1, number, name)));
}

#[tokio::test(start_paused = true)]
async fn the_rate_limits_requests_across_rounds() {
    let (mut driver, mut sessions, _stop) = FakeDriver::with(1);
    let (targets, session) = (targets(3), &mut sessions[0]);
    let start = Instant::now();
    let script = async {
        let mut times = Vec::new();
        while times.len() < 6 {
            let (number, _) = session.0.recv().await.unwrap();
            times.push(start.elapsed().as_millis() / 10);
            accept(session, number);
        }
        times
    };
    let pace = Pace { gap: Duration::from_millis(250), interval: Duration::ZERO, ..pace(Some(2), 3) };
    let (_, times) = tokio::join!(run(&targets, pace, &mut driver), script);
    assert_eq!(times, [0, 25, 50, 75, 100, 125]);
}

#[tokio::test(start_paused = true)]
async fn a_round_starts_after_the_interval_but_not_before_the_last_round_has_ended() {
    let (mut driver, mut sessions, _stop) = FakeDriver::with(1);
    let (targets, session) = (targets(1), &mut sessions[0]);
    let start = Instant::now();
    let script = async {
        let mut times = Vec::new();
        for answered_after in [1, 70, 1] {
            let (number, _) = session.0.recv().await.unwrap();
            times.push(start.elapsed().as_secs());
            tokio::time::sleep(Duration::from_secs(answered_after)).await;
            accept(session, number);
        }
        times
    };
    let (end, times) = tokio::join!(run(&targets, pace(Some(3), 1), &mut driver), script);
    assert_eq!((end, times), (RunEnd::Done, vec![0, 60, 130]));
    assert_eq!(driver.reports.iter().map(|(round, ..)| *round).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_replaced_in_a_later_round() {
    let (mut driver, mut sessions, _stop) = FakeDriver::with(2);
    // The second of three logins fails.
    driver.logins.insert(1, Err(LoginFailure::Temporary));
    let targets = targets(3);
    let (mut second, mut first) = (sessions.pop().unwrap(), sessions.pop().unwrap());
    let script = async {
        assert_eq!(sent(&mut first).await, [0, 1]);
        accept(&first, 0);
        assert_eq!(sent(&mut first).await, [2]);
        drop(first);
        for _ in 0..3 {
            let (number, _) = second.0.recv().await.unwrap();
            accept(&second, number);
        }
    };
    let (end, ()) = tokio::join!(run(&targets, pace(Some(3), 2), &mut driver), script);
    assert_eq!(end, RunEnd::Done);
    let names: Vec<_> = driver.reports.iter().map(|(round, number, name)| format!("{round} {number} {name}")).collect();
    assert_eq!(
        names,
        [
            "1 0 accepted",
            "1 1 lost",
            "1 2 lost",
            "2 0 not-sent",
            "2 1 not-sent",
            "2 2 not-sent",
            "3 0 accepted",
            "3 1 accepted",
            "3 2 accepted"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn rounds_without_a_session_keep_the_recovery_interval() {
    let (mut driver, sessions, _stop) = FakeDriver::with(1);
    drop(sessions);
    driver.logins.extend([Err(LoginFailure::Temporary), Err(LoginFailure::Temporary)]);
    let start = Instant::now();
    let pace = Pace { interval: Duration::ZERO, ..pace(Some(3), 1) };
    assert_eq!(run(&targets(1), pace, &mut driver).await, RunEnd::Done);
    assert_eq!(start.elapsed().as_secs(), 2 * RECOVERY_INTERVAL.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_login_or_a_permanent_failure_ends_the_run() {
    for (logins, end, reports) in [
        (vec![Err(LoginFailure::Temporary)], RunEnd::NoLogin, 0),
        (vec![Err(LoginFailure::Stopped)], RunEnd::Stopped, 0),
    ] {
        let (mut driver, _, _stop) = FakeDriver::with(0);
        driver.logins.extend(logins);
        assert_eq!(run(&targets(1), pace(None, 1), &mut driver).await, end);
        assert_eq!(driver.reports.len(), reports);
    }
    let (mut driver, sessions, _stop) = FakeDriver::with(1);
    driver.logins.push_back(Err(LoginFailure::Permanent));
    drop(sessions);
    assert_eq!(run(&targets(2), pace(None, 1), &mut driver).await, RunEnd::NoLogin);
    assert_eq!(driver.reports, [(1, 0, "not-sent"), (1, 1, "not-sent")]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_reports_pending_requests_as_interrupted() {
    let (mut driver, mut sessions, stop) = FakeDriver::with(1);
    let (targets, session) = (targets(9), &mut sessions[0]);
    let script = async {
        assert_eq!(sent(session).await, [0, 1]);
        stop.send(true).unwrap();
    };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 2), &mut driver), script);
    assert_eq!(end, RunEnd::Stopped);
    assert_eq!(driver.reports, [(1, 0, "interrupted"), (1, 1, "interrupted")]);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_between_rounds_at_once() {
    let (mut driver, mut sessions, stop) = FakeDriver::with(1);
    let (targets, session) = (targets(1), &mut sessions[0]);
    let start = Instant::now();
    let script = async {
        assert_eq!(sent(session).await, [0]);
        accept(session, 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(true).unwrap();
    };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 1), &mut driver), script);
    assert_eq!(end, RunEnd::Stopped);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_the_driver_breaks() {
    let (mut driver, mut sessions, _stop) = FakeDriver::with(1);
    driver.max_reports = 2;
    let (targets, session) = (targets(5), &mut sessions[0]);
    let script = async { (0..3).for_each(|number| accept(session, number)) };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 5), &mut driver), script);
    assert_eq!((end, driver.reports.len()), (RunEnd::Stopped, 2));
    assert_eq!(sent(session).await.len(), 5);
}
