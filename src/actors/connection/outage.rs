//! Which failed attempts are logged while a connection is not online. Pure: the time is an argument.
//!
//! A server that is away for a night must not fill the log: each error is logged once, then a reminder at the first failure
//! after an hour without a line, and the recovery. Failures in between are logged at DEBUG.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

use crate::text::in_words;

/// Time between reminders.
const REMINDER: Duration = Duration::from_secs(3600);
/// Maximum number of different errors that are logged in an outage; further ones only show in the reminders.
const MAX_ERRORS: usize = 8;

/// The present outage, if any. It begins with a lost stream or a failed attempt.
#[derive(Debug, Default)]
pub(super) struct OutageLog(Option<Outage>);

#[derive(Debug)]
struct Outage {
    since: Instant,
    failed_attempts: u64,
    last_line: Instant,
    /// Hashes of the errors that were logged.
    logged: Vec<u64>,
}

/// How a failed attempt is logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// In full: the error is new.
    Full,
    /// As a reminder that the outage lasts.
    Reminder(Duration, u64),
    /// At DEBUG.
    Folded,
}

/// An outage that is over. Displays its length and the number of failed attempts, to follow `online`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recovery(Option<(Duration, u64)>);

impl OutageLog {
    /// A stream was lost. That is always logged.
    pub(super) fn stream_lost(&mut self, now: Instant) {
        self.outage(now).last_line = now;
    }

    /// An attempt failed with this error.
    pub(super) fn attempt_failed(&mut self, error: &str, now: Instant) -> Line {
        let outage = self.outage(now);
        outage.failed_attempts += 1;
        let mut hasher = DefaultHasher::new();
        error.hash(&mut hasher);
        let error = hasher.finish();
        let line = if outage.logged.len() < MAX_ERRORS && !outage.logged.contains(&error) {
            outage.logged.push(error);
            Line::Full
        } else if now.duration_since(outage.last_line) >= REMINDER {
            Line::Reminder(now.duration_since(outage.since), outage.failed_attempts)
        } else {
            return Line::Folded;
        };
        outage.last_line = now;
        line
    }

    /// The connection is online.
    pub(super) fn online(&mut self, now: Instant) -> Recovery {
        Recovery(self.0.take().map(|outage| (now.duration_since(outage.since), outage.failed_attempts)))
    }

    fn outage(&mut self, now: Instant) -> &mut Outage {
        self.0.get_or_insert_with(|| Outage { since: now, failed_attempts: 0, last_line: now, logged: Vec::new() })
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some((lasted, 0)) => write!(f, " after {}", in_words(lasted)),
            Some((lasted, 1)) => write!(f, " after {}, 1 failed attempt", in_words(lasted)),
            Some((lasted, failed)) => write!(f, " after {}, {failed} failed attempts", in_words(lasted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    #[test]
    fn an_error_is_logged_once_and_recalled_hourly() {
        let start = Instant::now();
        let mut log = OutageLog::default();
        for (minute, expected) in [
            (0, Line::Full),
            (1, Line::Folded),
            (59, Line::Folded),
            (60, Line::Reminder(minutes(60), 4)),
            (119, Line::Folded),
            (200, Line::Reminder(minutes(200), 6)),
            (259, Line::Folded),
            (260, Line::Reminder(minutes(260), 8)),
        ] {
            assert_eq!(log.attempt_failed("refused", start + minutes(minute)), expected, "{minute}");
        }
        let recovery = log.online(start + minutes(432));
        assert_eq!(recovery.to_string(), " after 7 h 12 min, 8 failed attempts");
    }

    #[test]
    fn another_error_is_logged_in_full_but_not_endlessly_many() {
        let start = Instant::now();
        let mut log = OutageLog::default();
        // Two servers that fail by turns.
        let lines: Vec<_> = ["a", "b", "a", "b"].map(|error| log.attempt_failed(error, start)).into();
        assert_eq!(lines, [Line::Full, Line::Full, Line::Folded, Line::Folded]);
        let mut others = (0..1000).map(|n| log.attempt_failed(&n.to_string(), start + minutes(59)));
        assert_eq!(others.by_ref().take(6).filter(|line| *line == Line::Full).count(), 6);
        assert!(others.all(|line| line == Line::Folded));
        // The hour begins with the last line.
        assert_eq!(log.attempt_failed("x", start + minutes(118)), Line::Folded);
        assert_eq!(log.attempt_failed("x", start + minutes(119)), Line::Reminder(minutes(119), 1006));
    }

    #[test]
    fn the_recovery_ends_the_outage() {
        let start = Instant::now();
        let mut log = OutageLog::default();
        assert_eq!(log.online(start).to_string(), "");
        log.stream_lost(start);
        assert_eq!(log.online(start + Duration::from_secs(3)).to_string(), " after 3 s");
        assert_eq!(log.attempt_failed("refused", start + minutes(5)), Line::Full);
        assert_eq!(log.online(start + minutes(6)).to_string(), " after 1 min, 1 failed attempt");
        assert_eq!(log.attempt_failed("refused", start + minutes(7)), Line::Full);
    }

    #[test]
    fn the_hour_begins_with_the_line_about_the_lost_stream() {
        let start = Instant::now();
        let mut log = OutageLog::default();
        assert_eq!(log.attempt_failed("refused", start), Line::Full);
        log.stream_lost(start + minutes(30));
        assert_eq!(log.attempt_failed("refused", start + minutes(80)), Line::Folded);
        assert_eq!(log.attempt_failed("refused", start + minutes(90)), Line::Reminder(minutes(90), 3));
    }
}
