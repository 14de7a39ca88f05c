//! Counts the outcomes of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::outcome::{Outcome, refusal};
use super::round_trips::{RoundTrips, milliseconds};

/// Every request was accepted.
pub(super) const ACCEPTED: u8 = 0;
/// At least one was refused.
pub(super) const REFUSED: u8 = 1;
/// At least one had no answer within the time limit.
pub(super) const NO_ANSWER: u8 = 2;
/// No login, or the session was lost.
pub(super) const NO_SESSION: u8 = 3;
/// The command line or a file that it names is wrong; nothing was sent.
pub(super) const WRONG: u8 = 4;
/// Stopped before everything was asked and answered.
pub(super) const STOPPED: u8 = 5;

/// Counts per outcome, and round trip times.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) rounds: u64,
    pub(super) accepted: u64,
    /// By condition; the keys are bounded by those of RFC 6120 8.3.3.
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) timed_out: u64,
    pub(super) lost: u64,
    pub(super) not_sent: u64,
    pub(super) interrupted: u64,
    /// Of all answers, refusals included.
    pub(super) round_trips: RoundTrips,
}

impl Summary {
    /// Counts an outcome.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted { .. } => self.accepted += 1,
            Outcome::Refused { condition, .. } => *self.refused.entry(condition.clone()).or_default() += 1,
            Outcome::TimedOut => self.timed_out += 1,
            Outcome::Lost => self.lost += 1,
            Outcome::NotSent => self.not_sent += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
        if let Some(rtt) = outcome.rtt() {
            self.round_trips.add(rtt);
        }
    }

    /// Returns the number of refusals.
    pub(super) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Returns the number of requests sent.
    pub(super) fn sent(&self) -> u64 {
        self.total() - self.not_sent
    }

    /// Returns the number of outcomes.
    pub(super) fn total(&self) -> u64 {
        self.accepted + self.refusals() + self.timed_out + self.lost + self.not_sent + self.interrupted
    }

    /// Returns the exit status: the worst outcome, or [`STOPPED`] unless the run was `finished`.
    pub(super) fn exit_status(&self, finished: bool) -> u8 {
        if !finished {
            STOPPED
        } else if self.lost + self.not_sent > 0 {
            NO_SESSION
        } else if self.timed_out > 0 {
            NO_ANSWER
        } else if self.refusals() > 0 {
            REFUSED
        } else {
            ACCEPTED
        }
    }

    /// Renders the summary as text, several lines.
    pub(super) fn text(&self, targets: usize, time: Duration) -> String {
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut text = format!("--- {}", plural(targets as u64, "target"));
        if self.rounds > 1 {
            let _ = write!(text, ", {}", plural(self.rounds, "round"));
        }
        let _ = writeln!(text, ": {} sent in {:.1} s", plural(self.sent(), "request"), time.as_secs_f64());
        let mut rows = vec![(Outcome::Accepted { rtt: Duration::ZERO }.description(), self.accepted)];
        rows.extend(self.refused.iter().map(|(condition, count)| (refusal(condition), *count)));
        for (outcome, count) in [
            (Outcome::TimedOut, self.timed_out),
            (Outcome::Lost, self.lost),
            (Outcome::NotSent, self.not_sent),
            (Outcome::Interrupted, self.interrupted),
        ] {
            if count > 0 {
                rows.push((outcome.description(), count));
            }
        }
        let width = rows.iter().map(|(description, _)| description.len()).max().unwrap_or(0);
        let digits = self.total().to_string().len();
        for (description, count) in rows {
            let _ =
                writeln!(text, "{description:<width$}  {count:>digits$}  {:>5.1} %", percentage(count, self.total()));
        }
        let percentiles = [50, 90, 99].map(|percent| self.round_trips.percentile(percent));
        if let (Some((shortest, longest)), [Some(p50), Some(p90), Some(p99)]) =
            (self.round_trips.extremes(), percentiles)
        {
            let [shortest, p50, p90, p99, longest] = [shortest, p50, p90, p99, longest].map(milliseconds);
            let _ = writeln!(text, "answers in ms: min {shortest}, p50 {p50}, p90 {p90}, p99 {p99}, max {longest}");
        }
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(milliseconds: u64) -> Outcome {
        Outcome::Accepted { rtt: Duration::from_millis(milliseconds) }
    }

    fn refused(condition: &str) -> Outcome {
        Outcome::Refused { condition: condition.to_owned(), text: None, rtt: Duration::from_millis(3) }
    }

    fn of(outcomes: &[Outcome]) -> Summary {
        let mut summary = Summary { rounds: 1, ..Summary::default() };
        for outcome in outcomes {
            summary.count(outcome);
        }
        summary
    }

    #[test]
    fn the_exit_status_is_the_worst_outcome() {
        let cases = [
            (vec![accepted(1)], 0),
            (vec![accepted(1), refused("conflict")], 1),
            (vec![refused("conflict"), Outcome::TimedOut], 2),
            (vec![Outcome::TimedOut, Outcome::Lost], 3),
            (vec![accepted(1), Outcome::NotSent], 3),
        ];
        for (outcomes, status) in cases {
            assert_eq!(of(&outcomes).exit_status(true), status, "{outcomes:?}");
            assert_eq!(of(&outcomes).exit_status(false), 5, "{outcomes:?}");
        }
    }

    #[test]
    fn the_text_has_counts_percentages_and_round_trips() {
        let mut outcomes = vec![accepted(20); 8];
        outcomes.extend([refused("service-unavailable"), refused("not-authorized"), Outcome::TimedOut]);
        outcomes.push(Outcome::NotSent);
        let text = of(&outcomes).text(12, Duration::from_millis(1234));
        assert_eq!(
            text,
            "--- 12 targets: 11 requests sent in 1.2 s\n\
             accepted                                8   66.7 %\n\
             refused: not-authorized (401)           1    8.3 %\n\
             refused: service-unavailable (503)      1    8.3 %\n\
             no answer in time                       1    8.3 %\n\
             not sent, no connection to the server   1    8.3 %\n\
             answers in ms: min 3.0, p50 20.0, p90 20.0, p99 20.0, max 20.0\n"
        );
        let mut none = of(&[Outcome::TimedOut]);
        none.rounds = 2;
        let text = none.text(1, Duration::from_secs(1));
        assert_eq!(
            text,
            "--- 1 target, 2 rounds: 1 request sent in 1.0 s\n\
             accepted           0    0.0 %\n\
             no answer in time  1  100.0 %\n"
        );
    }
}
