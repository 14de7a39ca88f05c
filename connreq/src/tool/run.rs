//! Rounds of requests over one login, and a new login where that was lost.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use xmpp::jid::{FullJid, Jid};

use super::super::courier::Courier;
use super::arguments::Pace;
use super::outcome::Outcome;

/// How long the end of a session may take, a request included that cannot be written.
const GOODBYE: Duration = Duration::from_secs(4);

/// From the start of a round that lost its session, or had none, to the next one: a server that is away, or throws everyone
/// out, is not to be hammered.
const RECOVERY: Duration = Duration::from_secs(5);

/// How a login ended that is no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoLogin {
    /// It may be better the next time.
    Failed,
    /// It would be no better the next time.
    Hopeless,
    /// The run is to be stopped.
    Stopped,
}

/// What a run needs of the world around it.
pub(super) trait World {
    /// Logs in anew, and says so when that fails. Ends when the run is to be stopped.
    async fn login(&mut self) -> Result<Courier, NoLogin>;

    /// Takes note of an outcome of target `number` in this round. Break: nobody wants to know more.
    fn report(&mut self, round: u64, number: usize, outcome: Outcome) -> ControlFlow<()>;

    /// Gets there when the run is to be stopped.
    async fn stopped(&mut self);
}

/// Why a run or a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All is done.
    Done,
    /// The first login failed, or a later one without hope.
    NoLogin,
    /// It was stopped, or nobody wants to know more.
    Stopped,
}

/// Asks all targets, round after round. What is lost with a session stays unanswered; the next round has a session of its
/// own, if there can be one.
pub(super) async fn run(targets: &[FullJid], pace: Pace, world: &mut impl World) -> End {
    let mut courier = None;
    let mut round = 1;
    let mut earliest = Instant::now();
    let end = loop {
        let start = Instant::now();
        if courier.as_ref().is_none_or(Courier::lost) {
            courier = match world.login().await {
                Ok(courier) => Some(courier),
                Err(NoLogin::Stopped) => break End::Stopped,
                Err(NoLogin::Failed) if round > 1 => None,
                Err(NoLogin::Failed | NoLogin::Hopeless) => break End::NoLogin,
            };
        }
        if one_round(round, targets, pace, courier.as_mut(), &mut earliest, world).await.is_break() {
            break End::Stopped;
        }
        if pace.rounds.is_some_and(|rounds| round >= rounds) {
            break End::Done;
        }
        let lost = courier.as_ref().is_none_or(Courier::lost);
        let interval = if lost { pace.interval.max(RECOVERY) } else { pace.interval };
        tokio::select! {
            () = world.stopped() => break End::Stopped,
            () = sleep_until(start + interval) => {}
        }
        round += 1;
    };
    if let Some(courier) = courier {
        // Whoever stops it twice does not wait for the server's goodbye.
        tokio::select! {
            () = world.stopped() => {}
            () = courier.close() => {}
            () = tokio::time::sleep(GOODBYE) => {}
        }
    }
    end
}

/// Asks each target once; the next request may be sent at `earliest`.
async fn one_round(
    round: u64,
    targets: &[FullJid],
    pace: Pace,
    courier: Option<&mut Courier>,
    earliest: &mut Instant,
    world: &mut impl World,
) -> ControlFlow<()> {
    let mut next = 0;
    let mut under_way = BTreeSet::new();
    if let Some(courier) = courier {
        loop {
            if next < targets.len() && under_way.len() < pace.concurrency && Instant::now() >= *earliest {
                if courier.send(next, Jid::from(targets[next].clone())).is_err() {
                    break;
                }
                under_way.insert(next);
                next += 1;
                *earliest = Instant::now() + pace.gap;
                continue;
            }
            if under_way.is_empty() && next == targets.len() {
                return ControlFlow::Continue(());
            }
            let more = next < targets.len() && under_way.len() < pace.concurrency;
            tokio::select! {
                biased;
                () = world.stopped() => {
                    for number in under_way {
                        world.report(round, number, Outcome::Interrupted)?;
                    }
                    return ControlFlow::Break(());
                }
                answer = courier.answer() => match answer {
                    Ok((number, answer)) => if under_way.remove(&number) {
                        world.report(round, number, answer.into())?;
                    },
                    Err(_) => break,
                },
                () = sleep_until(*earliest), if more => {}
            }
        }
    }
    for number in under_way {
        world.report(round, number, Outcome::Lost)?;
    }
    for number in next..targets.len() {
        world.report(round, number, Outcome::NotSent)?;
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
