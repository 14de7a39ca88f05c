//! When to try again: the retry schedule of TR-181 (`Device.XMPP.Connection.{i}.ServerRetry*`), free of clocks and
//! sockets.
//!
//! A pass attempts each server of the list once, without a wait in between (RFC 6120 3.2.1). The waits come between passes.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use crate::config::model::Retry;

/// With `attempt 0` the schedule is ours: the longest wait after the first failed pass...
const OWN_FIRST: Duration = Duration::from_secs(1);
/// ...and the longest one of all, which it reaches by doubling.
const OWN_LONGEST: Duration = Duration::from_secs(300);

/// A stream that lived this long is a good one: the counts begin anew. A shorter one does not show that the server is well.
const GOOD_STREAM: Duration = Duration::from_secs(60);

/// What follows a failed attempt, and after which wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTry {
    /// The next server of this pass. There is a wait only where the failure asks for one.
    Server(Duration),
    /// A new pass, with the servers looked up anew.
    Pass(Duration),
}

impl NextTry {
    /// The wait before it.
    #[must_use]
    pub fn wait(self) -> Duration {
        match self {
            Self::Server(wait) | Self::Pass(wait) => wait,
        }
    }
}

/// The retry policy of one connection.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    settings: Retry,
    /// Failed passes since the last good stream.
    failed_passes: u32,
    /// Streams lost since the last good one ended, that one included.
    lost_streams: u32,
}

impl RetryPolicy {
    /// A policy that has seen nothing yet.
    #[must_use]
    pub fn new(settings: Retry) -> Self {
        Self { settings, failed_passes: 0, lost_streams: 0 }
    }

    /// Takes over changed settings; the counts stay.
    pub fn update(&mut self, settings: Retry) {
        self.settings = settings;
    }

    /// The number of the present pass, or of the next one between passes: from 1, counted since the last good stream.
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.failed_passes.saturating_add(1)
    }

    /// An attempt at a server has failed, which is the `last` of the pass or not. `floor` is the least wait that this
    /// failure asks for (a refused login, a conflict); zero for most.
    pub fn attempt_failed(&mut self, last: bool, floor: Duration, rng: &mut impl Rng) -> NextTry {
        if !last {
            return NextTry::Server(floor);
        }
        self.failed_passes = self.failed_passes.saturating_add(1);
        let wait = if self.settings.attempts == 0 { own_wait(self.failed_passes, rng) } else { self.draw(rng) };
        NextTry::Pass(wait.max(floor))
    }

    /// An established stream was lost. A retry wait comes before the new pass, so that a server's restart does not bring
    /// its whole fleet back within one second. [`settle`](Self::settle) comes first.
    pub fn stream_lost(&mut self, floor: Duration, rng: &mut impl Rng) -> NextTry {
        self.lost_streams = self.lost_streams.saturating_add(1);
        NextTry::Pass(self.draw(rng).max(floor))
    }

    /// Looks at how long an established stream lived. True if it was a good one: the counts begin anew then.
    pub fn settle(&mut self, lived: Duration) -> bool {
        let good = lived >= GOOD_STREAM;
        if good {
            *self = Self::new(self.settings);
        }
        good
    }

    /// What replaces the present wait when the network has come back: a first retry wait.
    #[must_use]
    pub fn shorten_wait(&self, rng: &mut impl Rng) -> Duration {
        draw(window(&self.settings, 1), rng)
    }

    /// The least wait after a refused login, so that a locked account is not hammered.
    #[must_use]
    pub fn floor_after_refusal(&self) -> Duration {
        self.settings.initial / 2
    }

    /// The least wait after the stream error `conflict`, so that two devices cloned from one image do not chase each
    /// other.
    #[must_use]
    pub fn floor_after_conflict(&self) -> Duration {
        (self.settings.max / 2).min(Duration::from_secs(300))
    }

    /// The wait before TR-181's nth retry: n is the number of failed passes and lost streams.
    fn draw(&self, rng: &mut impl Rng) -> Duration {
        draw(window(&self.settings, self.failed_passes.saturating_add(self.lost_streams)), rng)
    }
}

/// A wait drawn evenly from zero to `window`.
fn draw(window: Duration, rng: &mut impl Rng) -> Duration {
    window.mul_f64(rng.random::<f64>())
}

/// The longest wait before the `n`th retry (n from 1):
/// min(max, initial * (multiplier / 1000) ^ (n - 1)).
#[must_use]
pub fn window(settings: &Retry, n: u32) -> Duration {
    let factor = f64::from(settings.multiplier) / 1000.0;
    let exponent = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = settings.initial.as_secs_f64() * factor.powi(exponent);
    // Written so that an infinity is the maximum too.
    if seconds < settings.max.as_secs_f64() { Duration::from_secs_f64(seconds) } else { settings.max }
}

/// The wait after the nth failed pass with `attempt 0`: drawn evenly from half to all of what doubling gives.
fn own_wait(failed_passes: u32, rng: &mut impl Rng) -> Duration {
    let doubled = OWN_FIRST.saturating_mul(1_u32.checked_shl(failed_passes.saturating_sub(1)).unwrap_or(u32::MAX));
    let longest = doubled.min(OWN_LONGEST);
    longest.mul_f64(rng.random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests;
