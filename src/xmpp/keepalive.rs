//! Whether the other side is still there: the keepalive timer of one stream, free of clocks and sockets.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::model::KeepAlive;

/// What `interval -1` means here: below the 270 s to 300 s after which mobile and carrier NATs forget a connection.
const AUTOMATIC: Duration = Duration::from_secs(240);

/// The longest wait for a sign of life that was asked for.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// The seconds of silence after which the server is asked for a sign of life; none = never.
#[must_use]
pub fn interval(setting: KeepAlive) -> Option<Duration> {
    match setting {
        KeepAlive::Automatic => Some(AUTOMATIC),
        KeepAlive::Off => None,
        KeepAlive::Every(interval) => Some(interval),
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this instant.
    At(Instant),
    /// Ask for a sign of life.
    Ask,
    /// No sign of life came: leave the stream.
    Dead,
    /// Nothing, ever: the keepalive is off.
    Never,
}

/// The keepalive of one stream.
#[derive(Debug, Clone)]
pub struct Timer {
    interval: Option<Duration>,
    /// When a sign of life was asked for that has not come yet.
    asked: Option<Instant>,
}

impl Timer {
    /// A timer that has asked for nothing yet.
    #[must_use]
    pub fn new(setting: KeepAlive) -> Self {
        Self { interval: interval(setting), asked: None }
    }

    /// Takes over a changed setting.
    pub fn update(&mut self, setting: KeepAlive) {
        self.interval = interval(setting);
    }

    /// What to do now, if the last byte came at `last_received`.
    pub fn due(&mut self, last_received: Instant, now: Instant) -> Due {
        let Some(interval) = self.interval else {
            self.asked = None;
            return Due::Never;
        };
        if self.asked.is_some_and(|asked| last_received > asked) {
            self.asked = None;
        }
        if let Some(asked) = self.asked {
            let deadline = asked + interval.min(LONGEST_ANSWER);
            return if now >= deadline { Due::Dead } else { Due::At(deadline) };
        }
        let silence = last_received + interval;
        if now < silence {
            return Due::At(silence);
        }
        self.asked = Some(now);
        Due::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn asks_after_the_interval_and_gives_up_after_30_s_more() {
        let start = Instant::now();
        let mut timer = Timer::new(KeepAlive::Every(seconds(100)));
        assert_eq!(timer.due(start, start), Due::At(start + seconds(100)));
        assert_eq!(timer.due(start, start + seconds(100)), Due::Ask);
        assert_eq!(timer.due(start, start + seconds(100)), Due::At(start + seconds(130)));
        assert_eq!(timer.due(start, start + seconds(130)), Due::Dead);
    }

    #[test]
    fn anything_that_comes_is_life() {
        let start = Instant::now();
        let mut timer = Timer::new(KeepAlive::Every(seconds(100)));
        assert_eq!(timer.due(start, start + seconds(100)), Due::Ask);
        let last_received = start + seconds(129);
        assert_eq!(timer.due(last_received, start + seconds(130)), Due::At(last_received + seconds(100)));
        assert_eq!(timer.due(last_received, last_received + seconds(100)), Due::Ask);
    }

    #[test]
    fn a_short_interval_waits_no_longer_for_the_answer_than_itself() {
        let start = Instant::now();
        let mut timer = Timer::new(KeepAlive::Every(seconds(5)));
        assert_eq!(timer.due(start, start + seconds(5)), Due::Ask);
        assert_eq!(timer.due(start, start + seconds(10)), Due::Dead);
    }

    #[test]
    fn zero_is_off_and_minus_one_is_240_s() {
        let start = Instant::now();
        assert_eq!(Timer::new(KeepAlive::Off).due(start, start + seconds(100_000)), Due::Never);
        assert_eq!(Timer::new(KeepAlive::Automatic).due(start, start), Due::At(start + seconds(240)));
    }

    #[test]
    fn a_new_interval_counts_from_what_was_heard_last() {
        let start = Instant::now();
        let mut timer = Timer::new(KeepAlive::Automatic);
        timer.update(KeepAlive::Every(seconds(10)));
        assert_eq!(timer.due(start, start + seconds(9)), Due::At(start + seconds(10)));
        assert_eq!(timer.due(start, start + seconds(10)), Due::Ask);
        timer.update(KeepAlive::Off);
        assert_eq!(timer.due(start, start + seconds(1000)), Due::Never);
    }
}
