//! Statistics of round trip times.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A histogram of round trip times in microseconds, to three significant digits. Its size is bounded: a run may last months.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RoundTrips {
    lengths: Histogram<u64>,
    /// The shortest and the longest, exactly.
    extremes: Option<(Duration, Duration)>,
}

impl Default for RoundTrips {
    #[allow(clippy::expect_used, reason = "the only error is more than five digits")]
    fn default() -> Self {
        Self { lengths: Histogram::new(3).expect("three digits"), extremes: None }
    }
}

impl RoundTrips {
    /// Adds a round trip.
    pub(super) fn add(&mut self, length: Duration) {
        // The histogram resizes itself; the only error is a length of more than 2^63 us.
        let _ = self.lengths.record(u64::try_from(length.as_micros()).unwrap_or(u64::MAX));
        let (shortest, longest) = self.extremes.unwrap_or((length, length));
        self.extremes = Some((shortest.min(length), longest.max(length)));
    }

    /// Returns the exact shortest and longest, if there are any.
    pub(super) fn extremes(&self) -> Option<(Duration, Duration)> {
        self.extremes
    }

    /// Returns the percentile (0..=100) by nearest rank, if there are any round trips.
    pub(super) fn percentile(&self, percent: u8) -> Option<Duration> {
        let (shortest, longest) = self.extremes?;
        let length = Duration::from_micros(self.lengths.value_at_percentile(percent.into()));
        Some(length.clamp(shortest, longest))
    }
}

/// Formats milliseconds with one decimal.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
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
    fn the_extremes_are_exact() {
        let mut round_trips = of([]);
        for nanoseconds in [123_456_789, 987_654_321, 500_000_000] {
            round_trips.add(Duration::from_nanos(nanoseconds));
        }
        let (shortest, longest) = (Duration::from_nanos(123_456_789), Duration::from_nanos(987_654_321));
        assert_eq!(round_trips.extremes(), Some((shortest, longest)));
        assert_eq!((round_trips.percentile(0), round_trips.percentile(100)), (Some(shortest), Some(longest)));
    }

    #[test]
    fn hours_are_precise_to_three_digits() {
        let mut round_trips = of([]);
        for seconds in 1..=10_000 {
            round_trips.add(Duration::from_secs(seconds));
        }
        let median = round_trips.percentile(50).unwrap().as_secs_f64();
        assert!((median - 5000.0).abs() <= 5.0, "{median}");
    }
}
