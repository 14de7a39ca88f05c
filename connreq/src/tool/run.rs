//! Runs rounds of requests over one login, and logs in again if the session is lost.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use xmpp::jid::{FullJid, Jid};

use super::arguments::Pace;
use super::outcome::Outcome;
use crate::request_pipeline::RequestPipeline;

/// Maximum time for closing a session, including a request that cannot be written.
const CLOSE_LIMIT: Duration = Duration::from_secs(4);

/// Minimum time between the starts of two rounds if the first lost its session or had none, to spare a server in trouble.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(5);

/// Why a login gave no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LoginFailure {
    /// A later attempt may succeed.
    Temporary,
    /// A later attempt would fail as well.
    Permanent,
    /// The run was stopped.
    Stopped,
}

/// What a run needs from its caller.
pub(super) trait RunDriver {
    /// Logs in, and reports a failure to the user. Returns early if the run is stopped.
    async fn login(&mut self) -> Result<RequestPipeline, LoginFailure>;

    /// Records the outcome of target `number` in this round. `Break` ends the run.
    fn report(&mut self, round: u64, number: usize, outcome: Outcome) -> ControlFlow<()>;

    /// Completes when the run is stopped.
    async fn stopped(&mut self);
}

/// Why a run or a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// All rounds were completed.
    Done,
    /// The first login failed, or a later one permanently.
    NoLogin,
    /// The run was stopped, by a signal or by [`RunDriver::report`].
    Stopped,
}

/// Asks all targets, round by round. Requests pending on a lost session are reported as lost; the next round logs in again.
pub(super) async fn run(targets: &[FullJid], pace: Pace, driver: &mut impl RunDriver) -> RunEnd {
    let mut pipeline = None;
    let mut round = 1;
    let mut earliest = Instant::now();
    let end = loop {
        let start = Instant::now();
        if pipeline.as_ref().is_none_or(RequestPipeline::lost) {
            pipeline = match driver.login().await {
                Ok(pipeline) => Some(pipeline),
                Err(LoginFailure::Stopped) => break RunEnd::Stopped,
                Err(LoginFailure::Temporary) if round > 1 => None,
                Err(LoginFailure::Temporary | LoginFailure::Permanent) => break RunEnd::NoLogin,
            };
        }
        if one_round(round, targets, pace, pipeline.as_mut(), &mut earliest, driver).await.is_break() {
            break RunEnd::Stopped;
        }
        if pace.rounds.is_some_and(|rounds| round >= rounds) {
            break RunEnd::Done;
        }
        let lost = pipeline.as_ref().is_none_or(RequestPipeline::lost);
        let interval = if lost { pace.interval.max(RECOVERY_INTERVAL) } else { pace.interval };
        tokio::select! {
            () = driver.stopped() => break RunEnd::Stopped,
            () = sleep_until(start + interval) => {}
        }
        round += 1;
    };
    if let Some(pipeline) = pipeline {
        // A second stop signal skips the clean end of the stream.
        tokio::select! {
            () = driver.stopped() => {}
            () = pipeline.close() => {}
            () = tokio::time::sleep(CLOSE_LIMIT) => {}
        }
    }
    end
}

/// Asks each target once. The next request is sent at `earliest` or later.
async fn one_round(
    round: u64,
    targets: &[FullJid],
    pace: Pace,
    pipeline: Option<&mut RequestPipeline>,
    earliest: &mut Instant,
    driver: &mut impl RunDriver,
) -> ControlFlow<()> {
    let mut next = 0;
    let mut pending = BTreeSet::new();
    if let Some(pipeline) = pipeline {
        loop {
            if next < targets.len() && pending.len() < pace.concurrency && Instant::now() >= *earliest {
                if pipeline.send(next, Jid::from(targets[next].clone())).is_err() {
                    break;
                }
                pending.insert(next);
                next += 1;
                *earliest = Instant::now() + pace.gap;
                continue;
            }
            if pending.is_empty() && next == targets.len() {
                return ControlFlow::Continue(());
            }
            let more = next < targets.len() && pending.len() < pace.concurrency;
            tokio::select! {
                biased;
                () = driver.stopped() => {
                    for number in pending {
                        driver.report(round, number, Outcome::Interrupted)?;
                    }
                    return ControlFlow::Break(());
                }
                answer = pipeline.answer() => match answer {
                    Ok((number, answer)) => if pending.remove(&number) {
                        driver.report(round, number, answer.into())?;
                    },
                    Err(_) => break,
                },
                () = sleep_until(*earliest), if more => {}
            }
        }
    }
    for number in pending {
        driver.report(round, number, Outcome::Lost)?;
    }
    for number in next..targets.len() {
        driver.report(round, number, Outcome::NotSent)?;
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
