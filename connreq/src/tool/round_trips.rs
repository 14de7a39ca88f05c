//! How long answers took.

use std::collections::BTreeMap;
use std::time::Duration;

/// Round trips, counted by their length in microseconds to three significant digits: a run may go on for months, and there
/// are only so many such lengths.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct RoundTrips {
    counts: BTreeMap<u64, u64>,
    extremes: Option<(Duration, Duration)>,
}

impl RoundTrips {
    /// Counts one more.
    pub(super) fn add(&mut self, length: Duration) {
        *self.counts.entry(rounded(u64::try_from(length.as_micros()).unwrap_or(u64::MAX))).or_default() += 1;
        let (shortest, longest) = self.extremes.unwrap_or((length, length));
        self.extremes = Some((shortest.min(length), longest.max(length)));
    }

    /// The shortest and the longest, exactly; none when there are none.
    pub(super) fn extremes(&self) -> Option<(Duration, Duration)> {
        self.extremes
    }

    /// The length within which `percent` (0..=100) of them came, by nearest rank; none when there are none.
    pub(super) fn percentile(&self, percent: u64) -> Option<Duration> {
        let (shortest, longest) = self.extremes?;
        let total: u64 = self.counts.values().sum();
        let rank = (u128::from(total) * u128::from(percent)).div_ceil(100).max(1);
        let mut passed = 0;
        for (&length, &count) in &self.counts {
            passed += u128::from(count);
            if passed >= rank {
                // Rounding leads nowhere where none was.
                return Some(Duration::from_micros(length).clamp(shortest, longest));
            }
        }
        Some(longest)
    }
}

/// To three significant digits, half up.
fn rounded(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= 1000 {
        unit *= 10;
    }
    value.saturating_add(unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: impl IntoIterator<Item = u64>) -> RoundTrips {
        let mut round_trips = RoundTrips::default();
        milliseconds.into_iter().for_each(|length| round_trips.add(Duration::from_millis(length)));
        round_trips
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let ms = |round_trips: &RoundTrips, percent| round_trips.percentile(percent).unwrap().as_millis();
        // The example of the method: 15, 20, 35, 40, 50.
        let five = of([40, 15, 50, 20, 35]);
        assert_eq!([5, 30, 40, 50, 100].map(|percent| ms(&five, percent)), [15, 20, 20, 35, 50]);
        assert_eq!(ms(&five, 0), 15);
        let hundred = of(1..=100);
        assert_eq!([1, 50, 90, 99, 100].map(|percent| ms(&hundred, percent)), [1, 50, 90, 99, 100]);
        assert_eq!([50, 90, 99].map(|percent| ms(&of([7]), percent)), [7, 7, 7]);
        assert_eq!(of([]).percentile(50), None);
        assert_eq!(of([]).extremes(), None);
    }

    #[test]
    fn lengths_are_kept_to_three_digits_and_the_extremes_exactly() {
        assert_eq!(
            [0, 7, 999, 1000, 1004, 1005, 99_949, 99_950].map(rounded),
            [0, 7, 999, 1000, 1000, 1010, 99_900, 100_000]
        );
        let _ = rounded(u64::MAX);
        let mut round_trips = of([]);
        round_trips.add(Duration::from_nanos(123_456_789));
        assert_eq!(round_trips.extremes().unwrap().1, Duration::from_nanos(123_456_789));
        assert_eq!(round_trips.percentile(50), Some(Duration::from_nanos(123_456_789)));
    }

    #[test]
    fn memory_has_a_bound() {
        let mut round_trips = of([]);
        for length in 0..1_000_000 {
            round_trips.add(Duration::from_micros(length * 977));
        }
        assert!(round_trips.counts.len() < 10_000, "{}", round_trips.counts.len());
        assert_eq!(round_trips.percentile(50), Some(Duration::from_secs(488)));
    }
}
