//! When to try again, and where: the retry schedule of TR-181 (`Device.XMPP.Connection.{i}.ServerRetry*`), free of clocks
//! and sockets.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use crate::config::model::Retry;

/// Without `attempt` the schedule is ours: the first wait after a full round...
const OWN_FIRST: Duration = Duration::from_secs(1);
/// ...and the longest one, which it reaches by doubling.
const OWN_LONGEST: Duration = Duration::from_secs(300);

/// A stream that lived this long shows that the server is well again; a shorter one does not, and the count goes on.
const SETTLED: Duration = Duration::from_secs(60);

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try the same address again after this wait.
    Again(Duration),
    /// Go on to the next address of the list after this wait, which is mostly none.
    NextAddress(Duration),
    /// The list is used up: after this wait, resolve anew and begin again.
    NewRound(Duration),
}

impl Next {
    /// The wait before it.
    #[must_use]
    pub fn wait(self) -> Duration {
        match self {
            Self::Again(wait) | Self::NextAddress(wait) | Self::NewRound(wait) => wait,
        }
    }
}

/// The retry policy of one connection: how often what was tried.
#[derive(Debug, Clone)]
pub struct Policy {
    settings: Retry,
    /// Failed attempts at the present address in this round.
    tries: u32,
    /// The number of the next retry of the present address: TR-181's n, from 1.
    retry: u32,
    /// Rounds through the whole list without success.
    rounds: u32,
}

impl Policy {
    /// A policy that has seen nothing yet.
    #[must_use]
    pub fn new(settings: Retry) -> Self {
        Self { settings, tries: 0, retry: 1, rounds: 0 }
    }

    /// Takes over changed settings; what was counted stays.
    pub fn update(&mut self, settings: Retry) {
        self.settings = settings;
    }

    /// The number of the attempt that is made now, or next: from 1, within the present address and round.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.tries.saturating_add(1)
    }

    /// An attempt has failed. `last` says that the list holds no further address; `floor` is the least wait that this
    /// failure asks for (a locked account, a conflict), zero for most.
    pub fn failed(&mut self, last: bool, floor: Duration, rng: &mut impl Rng) -> Next {
        self.tries = self.tries.saturating_add(1);
        if self.tries < self.settings.attempts {
            let wait = self.draw(self.retry, rng);
            self.retry = self.retry.saturating_add(1);
            return Next::Again(wait.max(floor));
        }
        if !last {
            self.begin_address();
            return Next::NextAddress(floor);
        }
        let wait = if self.settings.attempts == 0 {
            self.rounds = self.rounds.saturating_add(1);
            own_wait(self.rounds, rng)
        } else {
            // Rounds go on counting where the last address's retries ended, so that even `attempt 1` grows.
            let n = self.retry.saturating_add(self.rounds.saturating_mul(self.settings.attempts));
            self.rounds = self.rounds.saturating_add(1);
            self.draw(n, rng)
        };
        self.begin_address();
        Next::NewRound(wait.max(floor))
    }

    /// There is a list of addresses: what failed before was the lookup, and the first address has all its tries.
    pub fn resolved(&mut self) {
        self.tries = 0;
    }

    /// An established stream was lost after `lived`. What follows is a new round, after a first retry wait: a server's
    /// restart must not bring its whole fleet back within one second.
    pub fn lost(&mut self, lived: Duration, floor: Duration, rng: &mut impl Rng) -> Next {
        self.settle(lived);
        let wait = self.draw(self.retry, rng);
        self.tries = 0;
        self.retry = self.retry.saturating_add(1);
        Next::NewRound(wait.max(floor))
    }

    /// An established stream lived so long; true if that shows that the server was well: everything counts anew then.
    pub fn settle(&mut self, lived: Duration) -> bool {
        let settled = lived >= SETTLED;
        if settled {
            *self = Self::new(self.settings);
        }
        settled
    }

    /// The network has come back: the present wait is replaced by this one.
    #[must_use]
    pub fn hurry(&self, rng: &mut impl Rng) -> Duration {
        self.draw(1, rng)
    }

    /// The least wait after a refused login: a locked account is not hammered.
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

    fn begin_address(&mut self) {
        self.tries = 0;
        self.retry = 1;
    }

    /// A wait before the `n`th retry, drawn evenly from zero to [`window`].
    fn draw(&self, n: u32, rng: &mut impl Rng) -> Duration {
        window(&self.settings, n).mul_f64(rng.random::<f64>())
    }
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

/// The wait after the `round`th full round (from 1) where the schedule is ours: from half to all of what doubling gives.
fn own_wait(round: u32, rng: &mut impl Rng) -> Duration {
    let doubled = OWN_FIRST.saturating_mul(1_u32.checked_shl(round.saturating_sub(1)).unwrap_or(u32::MAX));
    let longest = doubled.min(OWN_LONGEST);
    longest.mul_f64(rng.random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn settings(attempts: u32) -> Retry {
        Retry { attempts, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30720) }
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(7)
    }

    #[test]
    fn the_window_is_the_one_of_tr_181() {
        let settings = settings(16);
        let seconds: Vec<u64> = (1..=12).map(|n| window(&settings, n).as_secs()).collect();
        assert_eq!(seconds, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 30720, 30720]);
        assert_eq!(window(&settings, u32::MAX), settings.max);
    }

    #[test]
    fn a_multiplier_of_one_keeps_the_window() {
        let settings = Retry { multiplier: 1000, ..settings(16) };
        assert_eq!(window(&settings, 1), window(&settings, 1000));
    }

    #[test]
    fn each_address_is_tried_as_often_as_attempt_says() {
        let mut policy = Policy::new(settings(3));
        let rng = &mut rng();
        for _ in 0..2 {
            assert!(matches!(policy.failed(false, Duration::ZERO, rng), Next::Again(_)));
            assert!(matches!(policy.failed(false, Duration::ZERO, rng), Next::Again(_)));
            assert_eq!(policy.failed(false, Duration::ZERO, rng), Next::NextAddress(Duration::ZERO));
        }
        assert!(matches!(policy.failed(true, Duration::ZERO, rng), Next::Again(_)));
        assert!(matches!(policy.failed(true, Duration::ZERO, rng), Next::Again(_)));
        assert!(matches!(policy.failed(true, Duration::ZERO, rng), Next::NewRound(_)));
    }

    /// The longest of many draws tells the window that they came from.
    fn longest(mut next: impl FnMut(&mut StdRng) -> Duration) -> Duration {
        let rng = &mut rng();
        (0..2000).map(|_| next(rng)).max().unwrap_or_default()
    }

    fn about(actual: Duration, window: u64) {
        let window = Duration::from_secs(window);
        assert!(actual <= window && actual > window.mul_f64(0.98), "{actual:?} for a window of {window:?}");
    }

    #[test]
    fn the_count_is_per_address() {
        let fresh = Policy::new(settings(16));
        let mut third = fresh.clone();
        let rng = &mut rng();
        third.failed(false, Duration::ZERO, rng);
        third.failed(false, Duration::ZERO, rng);
        about(longest(|rng| fresh.clone().failed(false, Duration::ZERO, rng).wait()), 60);
        about(longest(|rng| third.clone().failed(false, Duration::ZERO, rng).wait()), 240);
        let mut next_address = Policy::new(settings(1));
        next_address.failed(false, Duration::ZERO, rng);
        about(longest(|rng| next_address.clone().failed(true, Duration::ZERO, rng).wait()), 60);
    }

    #[test]
    fn rounds_grow_even_with_one_attempt_per_address() {
        let mut policy = Policy::new(settings(1));
        for window in [60, 120, 240] {
            about(longest(|rng| policy.clone().failed(true, Duration::ZERO, rng).wait()), window);
            policy.failed(true, Duration::ZERO, &mut rng());
        }
    }

    #[test]
    fn attempt_0_goes_round_at_once_and_waits_from_1_s_to_300_s() {
        let mut policy = Policy::new(settings(0));
        let rng = &mut rng();
        for round in 1..=40_u32 {
            assert_eq!(policy.failed(false, Duration::ZERO, rng), Next::NextAddress(Duration::ZERO));
            let Next::NewRound(wait) = policy.failed(true, Duration::ZERO, rng) else { panic!("no new round") };
            let all = Duration::from_secs(1 << (round - 1).min(20)).min(OWN_LONGEST);
            assert!(wait >= all / 2 && wait <= all, "round {round}: {wait:?} of {all:?}");
        }
    }

    #[test]
    fn a_lost_stream_begins_with_a_first_retry_wait() {
        let mut policy = Policy::new(settings(16));
        for _ in 0..5 {
            policy.failed(false, Duration::ZERO, &mut rng());
        }
        let lived = Duration::from_secs(60);
        about(longest(|rng| policy.clone().lost(lived, Duration::ZERO, rng).wait()), 60);
        let own = Policy::new(settings(0));
        about(longest(|rng| own.clone().lost(lived, Duration::ZERO, rng).wait()), 60);
    }

    #[test]
    fn a_stream_that_hardly_lived_does_not_reset_the_count() {
        let mut policy = Policy::new(settings(16));
        for _ in 0..2 {
            policy.failed(false, Duration::ZERO, &mut rng());
        }
        let lived = Duration::from_secs(59);
        about(longest(|rng| policy.clone().lost(lived, Duration::ZERO, rng).wait()), 240);
        policy.lost(lived, Duration::ZERO, &mut rng());
        about(longest(|rng| policy.clone().lost(lived, Duration::ZERO, rng).wait()), 480);
    }

    #[test]
    fn a_stream_that_lived_long_is_a_new_beginning() {
        let mut policy = Policy::new(settings(16));
        for _ in 0..5 {
            policy.failed(false, Duration::ZERO, &mut rng());
        }
        assert!(!policy.clone().settle(Duration::from_secs(59)));
        assert!(policy.settle(Duration::from_secs(60)));
        assert_eq!(policy.attempt(), 1);
        about(longest(|rng| policy.clone().failed(false, Duration::ZERO, rng).wait()), 60);
    }

    /// The largest settings there are: no arithmetic on them may panic.
    #[test]
    fn the_largest_settings_are_only_long_waits() {
        let max = Duration::from_secs(u64::from(u32::MAX));
        let settings = Retry { attempts: u32::MAX, initial: Duration::from_secs(65_535), multiplier: u16::MAX, max };
        let mut policy = Policy::new(settings);
        let rng = &mut rng();
        for _ in 0..1000 {
            let wait = policy.failed(false, Duration::ZERO, rng).wait();
            assert!(wait <= max);
            assert!(tokio::time::Instant::now().checked_add(wait).is_some());
        }
        policy.lost(Duration::ZERO, policy.floor_after_conflict(), rng);
        assert!(policy.hurry(rng) <= Duration::from_secs(65_535));
    }

    #[test]
    fn a_floor_holds_for_every_kind_of_wait() {
        let floor = Duration::from_secs(100_000);
        let mut policy = Policy::new(settings(2));
        let rng = &mut rng();
        assert_eq!(policy.failed(false, floor, rng), Next::Again(floor));
        assert_eq!(policy.failed(false, floor, rng), Next::NextAddress(floor));
        policy.failed(true, floor, rng);
        assert_eq!(policy.failed(true, floor, rng), Next::NewRound(floor));
        assert_eq!(policy.lost(Duration::ZERO, floor, rng), Next::NewRound(floor));
    }
}

#[cfg(test)]
mod schedule;
