//! The dates of what is known by the clock that is never set.
//!
//! A device without a battery starts in 1970, and its clock is set when the network is there. What happened before then has
//! a right date afterwards.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A clock that is off by more than this was set. Less is drift: dates must not change each time they are looked at.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Gives instants their dates.
#[derive(Debug, Clone, Copy)]
pub struct Dates {
    instant: Instant,
    /// That of the instant.
    date: SystemTime,
}

impl Default for Dates {
    fn default() -> Self {
        Self { instant: Instant::now(), date: SystemTime::now() }
    }
}

impl Dates {
    /// Takes over the system's date of this instant, if the clock was set since the last time.
    pub fn follow(&mut self, instant: Instant, date: SystemTime) {
        let expected = self.of(instant);
        let difference = date.duration_since(expected).unwrap_or_else(|error| error.duration());
        if difference > TOLERANCE {
            *self = Self { instant, date };
        }
    }

    /// The date of an instant; not before 1970.
    #[must_use]
    pub fn of(&self, instant: Instant) -> SystemTime {
        let later = self.date.checked_add(instant.saturating_duration_since(self.instant));
        let date = later.and_then(|date| date.checked_sub(self.instant.saturating_duration_since(instant)));
        date.unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_a_clock_that_is_set_and_do_not_change_otherwise() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let date = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut dates = Dates { instant: start, date: date(30) };
        assert_eq!([dates.of(start), dates.of(start + 5 * second)], [date(30), date(35)]);
        assert_eq!([dates.of(start - 5 * second), dates.of(start - 60 * second)], [date(25), date(0)]);
        // Drift.
        for drifted in [date(38), date(42)] {
            dates.follow(start + 10 * second, drifted);
            assert_eq!(dates.of(start), date(30));
        }
        // Set, and set back.
        for set in [1_700_000_010, 20_010] {
            dates.follow(start + 10 * second, date(set));
            assert_eq!([dates.of(start), dates.of(start + 10 * second)], [date(set - 10), date(set)]);
        }
    }
}
