//! When to try again: the retry schedule of TR-181 (`Device.XMPP.Connection.{i}.ServerRetry*`). Pure, but for the random
//! numbers.
//!
//! A pass attempts each server of the list once, without waits in between (RFC 6120 3.2.1). The waits are between passes.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use crate::config::model::Retry;

/// The schedule with `attempt 0`: the longest wait after the first failed pass...
const OWN_FIRST: Duration = Duration::from_secs(1);
/// ...and the longest wait of all, which is reached by doubling.
const OWN_LONGEST: Duration = Duration::from_secs(300);

/// A stream that lived this long resets the counts. A shorter one does not show that the server is well.
const GOOD_STREAM: Duration = Duration::from_secs(60);

/// What follows a failure, and after which wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTry {
    /// The next server of this pass; without a wait, unless the failure requires one.
    Server(Duration),
    /// A new pass, with a new lookup of the servers.
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
    /// Failed passes since the last reset.
    failed_passes: u32,
    /// Lost streams since the last reset, including the stream that caused it.
    lost_streams: u32,
}

impl RetryPolicy {
    /// A policy whose counts are 0.
    #[must_use]
    pub fn new(settings: Retry) -> Self {
        Self { settings, failed_passes: 0, lost_streams: 0 }
    }

    /// Takes over changed settings; the counts stay.
    pub fn update(&mut self, settings: Retry) {
        self.settings = settings;
    }

    /// The number of the present pass, or between passes of the next one; from 1, counted since the last reset.
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.failed_passes.saturating_add(1)
    }

    /// An attempt failed, at the `last` server of the pass or an earlier one. `floor` is the least wait that this failure
    /// requires (a refused login, a conflict); zero for most.
    pub fn attempt_failed(&mut self, last: bool, floor: Duration, rng: &mut impl Rng) -> NextTry {
        if !last {
            return NextTry::Server(floor);
        }
        self.failed_passes = self.failed_passes.saturating_add(1);
        let wait = if self.settings.attempts == 0 { own_wait(self.failed_passes, rng) } else { self.draw(rng) };
        NextTry::Pass(wait.max(floor))
    }

    /// An established stream was lost. The new pass waits, so that a server's restart does not bring its whole fleet back
    /// within one second. Call [`settle`](Self::settle) first.
    pub fn stream_lost(&mut self, floor: Duration, rng: &mut impl Rng) -> NextTry {
        self.lost_streams = self.lost_streams.saturating_add(1);
        NextTry::Pass(self.draw(rng).max(floor))
    }

    /// Resets the counts if an established stream lived long enough. Returns whether it did.
    pub fn settle(&mut self, lived: Duration) -> bool {
        let is_good = lived >= GOOD_STREAM;
        if is_good {
            *self = Self::new(self.settings);
        }
        is_good
    }

    /// A new wait for when the network has come back: that of a first retry.
    #[must_use]
    pub fn shorten_wait(&self, rng: &mut impl Rng) -> Duration {
        draw(window(&self.settings, 1), rng)
    }

    /// The least wait after a refused login: repeated attempts could lock the account.
    #[must_use]
    pub fn floor_after_refusal(&self) -> Duration {
        self.settings.initial / 2
    }

    /// The least wait after the stream error `conflict`, so that two devices cloned from one image do not keep
    /// disconnecting each other.
    #[must_use]
    pub fn floor_after_conflict(&self) -> Duration {
        (self.settings.max / 2).min(Duration::from_secs(300))
    }

    /// A wait before TR-181's nth retry; n is the number of failed passes and lost streams.
    fn draw(&self, rng: &mut impl Rng) -> Duration {
        draw(window(&self.settings, self.failed_passes.saturating_add(self.lost_streams)), rng)
    }
}

/// A random wait between zero and `window`.
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
    // An infinity becomes the maximum, too.
    if seconds < settings.max.as_secs_f64() { Duration::from_secs_f64(seconds) } else { settings.max }
}

/// The wait after the nth failed pass with `attempt 0`: random between half and all of the doubled wait.
fn own_wait(failed_passes: u32, rng: &mut impl Rng) -> Duration {
    let doubled = OWN_FIRST.saturating_mul(1_u32.checked_shl(failed_passes.saturating_sub(1)).unwrap_or(u32::MAX));
    let longest = doubled.min(OWN_LONGEST);
    longest.mul_f64(rng.random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests;
