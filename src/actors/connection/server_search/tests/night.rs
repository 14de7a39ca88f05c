//! What a connection logs while its server is dead for 12 hours.

use std::net::Ipv4Addr;

use tokio::time::{Instant, advance};
use tracing::Level;

use super::*;
use crate::testing::{Log, paused};

const NIGHT: Duration = Duration::from_secs(12 * 3600);
/// The size of a log in memory, as OpenWrt's: what else happened must still be in it.
const RING: usize = 64 * 1024;
/// How long an attempt takes that is not answered.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What is logged, without DEBUG, from the loss of a stream to the recovery, which is the first attempt after the night; the
/// number of attempts; and how long it took, which is longer than the night by up to the longest wait. The nth attempt fails
/// with `error(n)`.
fn night(retry: Retry, hosts: &[&str], error: impl Fn(u32) -> Cause) -> (Vec<String>, u32, Duration) {
    paused(async {
        let log = Log::capture();
        let settings = ConnectionSettings { retry, ..settings() };
        let mut search = ServerSearch::new(retry);
        let begin = Instant::now();
        let mut attempts = 0;
        let (mut wait, _, _) = waits(search.stream_ended(&StreamEnd::ClosedByServer, NIGHT, &settings));
        while begin.elapsed() < NIGHT {
            advance(wait).await;
            search.begin_pass(&settings, "a.test");
            let mut next = search.resolved(Ok(servers(hosts)), &settings);
            while let Transition::Attempt | Transition::NextServer { .. } = next {
                advance(ATTEMPT).await;
                attempts += 1;
                let error = AttemptError { step: Step::Connect, cause: error(attempts) };
                next = search.attempt_failed(&Ipv4Addr::new(192, 0, 2, 1), &error, &settings);
            }
            (wait, ..) = waits(next);
        }
        crate::notice!("online{}", search.online());
        let lines = [Level::ERROR, Level::WARN, Level::INFO].iter().flat_map(|level| log.lines(*level)).collect();
        (lines, attempts, begin.elapsed())
    })
}

fn bytes(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + 1).sum()
}

fn retries(attempts: u32, initial: u64, max: u64) -> Retry {
    Retry { attempts, initial: Duration::from_secs(initial), max: Duration::from_secs(max), ..settings().retry }
}

#[test]
fn a_dead_server_costs_one_line_an_hour() {
    // TR-181's defaults, xmppd's own waits, and the shortest waits.
    for (retry, at_least) in [(settings().retry, 5), (retries(0, 60, 30_720), 100), (retries(16, 1, 1), 4000)] {
        let (lines, attempts, lasted) = night(retry, &["a"], |_| Cause::Timeout);
        let figures = format!("{attempts} attempts: {} lines, {} bytes", lines.len(), bytes(&lines));
        println!("{figures}");
        let shown = format!("{figures}: {lines:#?}");
        assert!(attempts >= at_least, "{shown}");
        assert!(lines[0].starts_with("xmppd: WARNING stream lost"), "{shown}");
        assert!(lines[1].starts_with("xmppd: WARNING attempt failed"), "{shown}");
        let (recovery, reminders) = lines[2..].split_last().unwrap();
        assert!(reminders.iter().all(|line| line.starts_with("xmppd: WARNING still not connected")), "{shown}");
        assert!(reminders.len() <= 12, "{shown}");
        let expected = format!("xmppd: NOTICE online after {}, {attempts} failed attempts", in_words(lasted));
        assert_eq!(recovery, &expected, "{shown}");
        assert!(bytes(&lines) < RING / 20, "{shown}");
    }
}

#[test]
fn servers_and_errors_that_alternate_are_folded_as_well() {
    let errors = |attempt: u32| match attempt % 3 {
        0 => Cause::Timeout,
        1 => unreachable(),
        _ => Cause::NoTls,
    };
    let (lines, attempts, _) = night(retries(16, 1, 1), &["a", "b", "c", "d"], errors);
    assert!(attempts > 4000 && lines.len() <= 2 + 8 + 12 && bytes(&lines) < RING / 20, "{attempts}: {lines:#?}");
    // A server that says something else each time.
    let random = |attempt: u32| Cause::StreamError(condition("undefined-condition", &format!("error {attempt}")));
    let (lines, attempts, _) = night(retries(16, 1, 1), &["a"], random);
    assert!(attempts > 4000 && lines.len() <= 2 + 8 + 12 && bytes(&lines) < RING / 20, "{attempts}: {lines:#?}");
}
