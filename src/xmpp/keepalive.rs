//! Whether the server is still there: the keepalive timer of one stream. Pure; the caller has the clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::model::KeepAlive;

/// The interval for -1: below the 270 s to 300 s after which mobile and carrier NATs forget a connection.
const AUTOMATIC: Duration = Duration::from_secs(240);

/// Maximum time that the server has to answer a probe.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The silence after which the server is probed; none = never.
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
    /// Send a probe.
    Probe {
        /// When the answer is overdue; any received byte is one.
        deadline: Instant,
    },
    /// The probe was not answered in time: leave the stream.
    Dead,
    /// Nothing: the keepalive is off.
    Off,
}

/// The keepalive of one stream.
#[derive(Debug, Clone)]
pub struct KeepaliveTimer {
    interval: Option<Duration>,
    /// When the server was probed; none if it has answered since.
    probed: Option<Instant>,
}

impl KeepaliveTimer {
    /// A timer for a new stream.
    #[must_use]
    pub fn new(setting: KeepAlive) -> Self {
        Self { interval: interval(setting), probed: None }
    }

    /// Takes over a changed setting.
    pub fn update(&mut self, setting: KeepAlive) {
        self.interval = interval(setting);
    }

    /// What to do now, if the last byte arrived at `last_received`.
    pub fn due(&mut self, last_received: Instant, now: Instant) -> Due {
        let Some(interval) = self.interval else {
            self.probed = None;
            return Due::Off;
        };
        let deadline = |probed: Instant| probed + interval.min(ANSWER_LIMIT);
        if self.probed.is_some_and(|probed| last_received > probed) {
            self.probed = None;
        }
        if let Some(probed) = self.probed {
            let deadline = deadline(probed);
            return if now >= deadline { Due::Dead } else { Due::At(deadline) };
        }
        let silence = last_received + interval;
        if now < silence {
            return Due::At(silence);
        }
        self.probed = Some(now);
        Due::Probe { deadline: deadline(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn probe(deadline: Instant) -> Due {
        Due::Probe { deadline }
    }

    #[test]
    fn probes_after_the_interval_and_gives_up_after_30_s_more() {
        let start = Instant::now();
        let mut timer = KeepaliveTimer::new(KeepAlive::Every(seconds(100)));
        assert_eq!(timer.due(start, start), Due::At(start + seconds(100)));
        assert_eq!(timer.due(start, start + seconds(100)), probe(start + seconds(130)));
        assert_eq!(timer.due(start, start + seconds(100)), Due::At(start + seconds(130)));
        assert_eq!(timer.due(start, start + seconds(130)), Due::Dead);
    }

    #[test]
    fn every_received_byte_answers_a_probe() {
        let start = Instant::now();
        let mut timer = KeepaliveTimer::new(KeepAlive::Every(seconds(100)));
        assert_eq!(timer.due(start, start + seconds(100)), probe(start + seconds(130)));
        let last_received = start + seconds(129);
        assert_eq!(timer.due(last_received, start + seconds(130)), Due::At(last_received + seconds(100)));
        assert_eq!(timer.due(last_received, last_received + seconds(100)), probe(last_received + seconds(130)));
    }

    #[test]
    fn a_short_interval_waits_no_longer_for_the_answer_than_itself() {
        let start = Instant::now();
        let mut timer = KeepaliveTimer::new(KeepAlive::Every(seconds(5)));
        assert_eq!(timer.due(start, start + seconds(5)), probe(start + seconds(10)));
        assert_eq!(timer.due(start, start + seconds(10)), Due::Dead);
    }

    #[test]
    fn off_never_probes_and_automatic_probes_after_240_s() {
        let start = Instant::now();
        assert_eq!(KeepaliveTimer::new(KeepAlive::Off).due(start, start + seconds(100_000)), Due::Off);
        assert_eq!(KeepaliveTimer::new(KeepAlive::Automatic).due(start, start), Due::At(start + seconds(240)));
    }

    #[test]
    fn a_new_interval_counts_from_the_last_received_byte() {
        let start = Instant::now();
        let mut timer = KeepaliveTimer::new(KeepAlive::Automatic);
        timer.update(KeepAlive::Every(seconds(10)));
        assert_eq!(timer.due(start, start + seconds(9)), Due::At(start + seconds(10)));
        assert_eq!(timer.due(start, start + seconds(10)), probe(start + seconds(20)));
        timer.update(KeepAlive::Off);
        assert_eq!(timer.due(start, start + seconds(1000)), Due::Off);
    }
}
