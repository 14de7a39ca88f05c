//! Limits how often the same line of the program is logged, whatever peers and the network do: a log of 64 kB, the size of
//! OpenWrt's, must still hold what else happened. Pure: the time is an argument.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;

/// Number of times that a line is logged without a pause in between.
const CAPACITY: u32 = 20;
/// Then it is logged once in this time, with the number of the omitted ones.
const INTERVAL: Duration = Duration::from_secs(20 * 60);

/// Minimum number of budgets at which the full ones are forgotten.
const FORGET_AT: usize = 256;

/// What may be logged of each line of the program, for each connection and for what belongs to none.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    budgets: HashMap<(Option<u64>, Identifier), Budget>,
    /// Number of budgets that were left when the full ones were last forgotten.
    kept: usize,
}

impl Budgets {
    /// Takes from the budget of a line, on behalf of the connection of this number. `None`: it is omitted.
    pub(super) fn take(&mut self, connection: Option<u64>, line: Identifier, now: Instant) -> Option<Permit> {
        let key = (connection, line);
        if self.budgets.len() >= FORGET_AT.max(2 * self.kept) && !self.budgets.contains_key(&key) {
            self.forget_full(now);
        }
        self.budgets.entry(key).or_insert_with(|| Budget::full(now)).take(now)
    }

    /// Forgets full budgets: connections whose numbers are no longer in the file leave nothing behind.
    fn forget_full(&mut self, now: Instant) {
        self.budgets.retain(|_, budget| !budget.is_full(now));
        self.kept = self.budgets.len();
    }
}

/// What may be logged of one line.
#[derive(Debug)]
struct Budget {
    left: u32,
    /// When `left` was last increased.
    since: Instant,
    /// Number of lines omitted since the last one logged.
    omitted: u64,
}

/// A line may be logged. It displays what is appended to it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Permit {
    /// Number of lines like it that were omitted before.
    omitted: u64,
    /// The next one within [`INTERVAL`] is omitted.
    is_last: bool,
}

impl Budget {
    fn full(now: Instant) -> Self {
        Self { left: CAPACITY, since: now, omitted: 0 }
    }

    /// Adds what has become available since the last time.
    fn replenish(&mut self, now: Instant) {
        while self.left < CAPACITY && now.duration_since(self.since) >= INTERVAL {
            self.left += 1;
            self.since += INTERVAL;
        }
    }

    /// Whether it is as good as a new one, and has no omitted lines to tell of.
    fn is_full(&mut self, now: Instant) -> bool {
        self.replenish(now);
        self.left == CAPACITY && self.omitted == 0
    }

    fn take(&mut self, now: Instant) -> Option<Permit> {
        self.replenish(now);
        if self.left == CAPACITY {
            self.since = now;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.omitted += 1;
            return None;
        };
        self.left = left;
        Some(Permit { omitted: std::mem::take(&mut self.omitted), is_last: left == 0 })
    }
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.omitted, self.is_last) {
            (0, false) => Ok(()),
            (0, true) => write!(f, " [more lines like this: one in {} min]", INTERVAL.as_secs() / 60),
            (omitted, _) => write!(f, " [{omitted} lines like this omitted]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the program, which is identified by its address alone.
    struct Line;
    static LINE: Line = Line;

    impl tracing::Callsite for Line {
        fn set_interest(&self, _: tracing::subscriber::Interest) {}

        fn metadata(&self) -> &tracing::Metadata<'_> {
            unreachable!("a budget does not look at the line")
        }
    }

    fn permit(omitted: u64, is_last: bool) -> Permit {
        Permit { omitted, is_last }
    }

    #[test]
    fn twenty_lines_at_once_then_one_in_twenty_minutes() {
        let start = Instant::now();
        let mut budget = Budget::full(start);
        let second = |n: u64| start + Duration::from_secs(n);
        for n in 0..20 {
            assert_eq!(budget.take(start), Some(permit(0, n == 19)));
        }
        assert_eq!(budget.take(start), None);
        assert_eq!(budget.take(second(1199)), None);
        assert_eq!(budget.take(second(1200)), Some(permit(2, true)));
        assert_eq!(budget.take(second(1201)), None);
        assert_eq!(budget.take(second(2400)), Some(permit(1, true)));
        // Two intervals later.
        assert_eq!(budget.take(second(4800)), Some(permit(0, false)));
        assert_eq!(budget.take(second(4801)), Some(permit(0, true)));
        // No more than twenty are saved.
        for n in 0..20 {
            assert_eq!(budget.take(second(1_000_000)), Some(permit(0, n == 19)));
        }
        assert_eq!(budget.take(second(1_000_000)), None);
    }

    #[test]
    fn the_time_until_the_next_line_begins_with_the_first_one() {
        let start = Instant::now();
        let mut budget = Budget::full(start);
        let later = start + Duration::from_secs(10_000);
        let all = |budget: &mut Budget, now| std::iter::from_fn(|| budget.take(now)).count();
        assert_eq!(all(&mut budget, later), 20);
        assert_eq!(all(&mut budget, later + INTERVAL - Duration::from_millis(1)), 0);
        assert_eq!(all(&mut budget, later + INTERVAL), 1);
    }

    #[test]
    fn connections_that_are_gone_leave_nothing_behind() {
        let start = Instant::now();
        let line = Identifier(&LINE);
        let mut budgets = Budgets::default();
        // The line of each connection is logged once; a day later there are others.
        for day in 0..10 {
            let now = start + Duration::from_secs(day * 24 * 3600);
            for number in 0..1000 {
                assert_eq!(budgets.take(Some(1000 * day + number), line.clone(), now), Some(permit(0, false)));
            }
            assert!(budgets.budgets.len() <= 1000 + FORGET_AT.max(1000), "{}", budgets.budgets.len());
        }
    }

    #[test]
    fn what_is_not_full_is_not_forgotten() {
        let start = Instant::now();
        let line = Identifier(&LINE);
        let mut budgets = Budgets::default();
        while budgets.take(None, line.clone(), start).is_some() {}
        for number in 0..10_000 {
            budgets.take(Some(number), line.clone(), start + INTERVAL - Duration::from_millis(1));
        }
        assert_eq!(budgets.take(None, line, start + INTERVAL), Some(permit(1, true)));
    }

    #[test]
    fn a_permit_says_what_was_omitted_and_that_more_will_be() {
        let shown = |omitted, is_last| permit(omitted, is_last).to_string();
        assert_eq!(shown(0, false), "");
        assert_eq!(shown(0, true), " [more lines like this: one in 20 min]");
        assert_eq!(shown(7, true), " [7 lines like this omitted]");
    }
}
