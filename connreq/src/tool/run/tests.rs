//! Rounds, with sessions that a test plays.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;

use super::super::super::courier::Fake as Session;
use super::super::super::requester::{Answer, Silence};
use super::*;

const RTT: Duration = Duration::from_millis(5);

/// Sessions that a test plays, and what was reported.
struct Played {
    logins: VecDeque<Result<Courier, NoLogin>>,
    reports: Vec<(u64, usize, &'static str)>,
    wanted: usize,
    stop: watch::Receiver<bool>,
}

impl Played {
    /// Each login gives a session, in order.
    fn with(count: usize) -> (Self, Vec<Session>, watch::Sender<bool>) {
        let (stopping, stop) = watch::channel(false);
        let mut world = Self { logins: VecDeque::new(), reports: Vec::new(), wanted: usize::MAX, stop };
        let sessions = (0..count)
            .map(|_| {
                let (courier, session) = Courier::fake();
                world.logins.push_back(Ok(courier));
                session
            })
            .collect();
        (world, sessions, stopping)
    }
}

impl World for Played {
    async fn login(&mut self) -> Result<Courier, NoLogin> {
        self.logins.pop_front().expect("a login more than expected")
    }

    fn report(&mut self, round: u64, number: usize, outcome: Outcome) -> ControlFlow<()> {
        self.reports.push((round, number, outcome.name()));
        if self.reports.len() < self.wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
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

fn accept((_, answers): &Session, number: usize) {
    answers.send((number, Answer::Result { rtt: RTT })).unwrap();
}

/// The numbers that were sent and not yet looked at.
async fn sent(session: &mut Session) -> Vec<usize> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    std::iter::from_fn(|| session.0.try_recv().ok()).map(|(number, _)| number).collect()
}

#[tokio::test(start_paused = true)]
async fn so_many_are_under_way_and_no_more() {
    let (mut world, mut sessions, _stop) = Played::with(1);
    let (targets, session) = (targets(5), &mut sessions[0]);
    let play = async {
        assert_eq!(sent(session).await, [0, 1, 2]);
        assert_eq!(sent(session).await, [0; 0]);
        accept(session, 1);
        assert_eq!(sent(session).await, [3]);
        session.1.send((0, Answer::None(Silence::TimedOut))).unwrap();
        assert_eq!(sent(session).await, [4]);
        for number in [4, 3, 2] {
            accept(session, number);
        }
    };
    let (end, ()) = tokio::join!(run(&targets, pace(Some(1), 3), &mut world), play);
    assert_eq!(end, End::Done);
    let expected = [(1, "accepted"), (0, "timeout"), (4, "accepted"), (3, "accepted"), (2, "accepted")];
    assert_eq!(world.reports, expected.map(|(number, name)| (1, number, name)));
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept() {
    let (mut world, mut sessions, _stop) = Played::with(1);
    let (targets, session) = (targets(3), &mut sessions[0]);
    let start = Instant::now();
    let play = async {
        let mut times = Vec::new();
        while times.len() < 6 {
            let (number, _) = session.0.recv().await.unwrap();
            times.push(start.elapsed().as_millis() / 10);
            accept(session, number);
        }
        times
    };
    // In the next round, too.
    let pace = Pace { gap: Duration::from_millis(250), interval: Duration::ZERO, ..pace(Some(2), 3) };
    let (_, times) = tokio::join!(run(&targets, pace, &mut world), play);
    assert_eq!(times, [0, 25, 50, 75, 100, 125]);
}

#[tokio::test(start_paused = true)]
async fn a_round_starts_an_interval_after_the_last_one_or_when_that_one_ends() {
    let (mut world, mut sessions, _stop) = Played::with(1);
    let (targets, session) = (targets(1), &mut sessions[0]);
    let start = Instant::now();
    let play = async {
        let mut times = Vec::new();
        for answered_after in [1, 70, 1] {
            let (number, _) = session.0.recv().await.unwrap();
            times.push(start.elapsed().as_secs());
            tokio::time::sleep(Duration::from_secs(answered_after)).await;
            accept(session, number);
        }
        times
    };
    let (end, times) = tokio::join!(run(&targets, pace(Some(3), 1), &mut world), play);
    assert_eq!((end, times), (End::Done, vec![0, 60, 130]));
    assert_eq!(world.reports.iter().map(|(round, ..)| *round).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_is_made_up_for_in_the_next_round() {
    let (mut world, mut sessions, _stop) = Played::with(2);
    // One login that fails in between.
    world.logins.insert(1, Err(NoLogin::Failed));
    let targets = targets(3);
    let (mut second, mut first) = (sessions.pop().unwrap(), sessions.pop().unwrap());
    let play = async {
        assert_eq!(sent(&mut first).await, [0, 1]);
        accept(&first, 0);
        assert_eq!(sent(&mut first).await, [2]);
        drop(first);
        for _ in 0..3 {
            let (number, _) = second.0.recv().await.unwrap();
            accept(&second, number);
        }
    };
    let (end, ()) = tokio::join!(run(&targets, pace(Some(3), 2), &mut world), play);
    assert_eq!(end, End::Done);
    let names: Vec<_> = world.reports.iter().map(|(round, number, name)| format!("{round} {number} {name}")).collect();
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
async fn a_server_that_is_away_is_not_hammered() {
    let (mut world, sessions, _stop) = Played::with(1);
    drop(sessions);
    world.logins.extend([Err(NoLogin::Failed), Err(NoLogin::Failed)]);
    let start = Instant::now();
    let pace = Pace { interval: Duration::ZERO, ..pace(Some(3), 1) };
    assert_eq!(run(&targets(1), pace, &mut world).await, End::Done);
    assert_eq!(start.elapsed().as_secs(), 2 * RECOVERY.as_secs());
}

#[tokio::test(start_paused = true)]
async fn without_a_first_login_or_with_a_refused_one_it_ends() {
    for (logins, end, reports) in
        [(vec![Err(NoLogin::Failed)], End::NoLogin, 0), (vec![Err(NoLogin::Stopped)], End::Stopped, 0)]
    {
        let (mut world, _, _stop) = Played::with(0);
        world.logins.extend(logins);
        assert_eq!(run(&targets(1), pace(None, 1), &mut world).await, end);
        assert_eq!(world.reports.len(), reports);
    }
    let (mut world, sessions, _stop) = Played::with(1);
    world.logins.push_back(Err(NoLogin::Hopeless));
    drop(sessions);
    assert_eq!(run(&targets(2), pace(None, 1), &mut world).await, End::NoLogin);
    assert_eq!(world.reports, [(1, 0, "not-sent"), (1, 1, "not-sent")]);
}

#[tokio::test(start_paused = true)]
async fn when_it_is_stopped_what_is_under_way_is_told_and_the_rest_is_not() {
    let (mut world, mut sessions, stop) = Played::with(1);
    let (targets, session) = (targets(9), &mut sessions[0]);
    let play = async {
        assert_eq!(sent(session).await, [0, 1]);
        stop.send(true).unwrap();
    };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 2), &mut world), play);
    assert_eq!(end, End::Stopped);
    assert_eq!(world.reports, [(1, 0, "interrupted"), (1, 1, "interrupted")]);
}

#[tokio::test(start_paused = true)]
async fn it_is_stopped_between_two_rounds_at_once() {
    let (mut world, mut sessions, stop) = Played::with(1);
    let (targets, session) = (targets(1), &mut sessions[0]);
    let start = Instant::now();
    let play = async {
        assert_eq!(sent(session).await, [0]);
        accept(session, 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(true).unwrap();
    };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 1), &mut world), play);
    assert_eq!(end, End::Stopped);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_wants_to_know_more() {
    let (mut world, mut sessions, _stop) = Played::with(1);
    world.wanted = 2;
    let (targets, session) = (targets(5), &mut sessions[0]);
    let play = async { (0..3).for_each(|number| accept(session, number)) };
    let (end, ()) = tokio::join!(run(&targets, pace(None, 5), &mut world), play);
    assert_eq!((end, world.reports.len()), (End::Stopped, 2));
    assert_eq!(sent(session).await.len(), 5);
}
