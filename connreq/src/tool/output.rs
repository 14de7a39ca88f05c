//! Renders outcomes and the summary, as text lines or JSON lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use xmpp::jid::FullJid;

use super::outcome::{Outcome, code};
use super::round_trips::milliseconds;
use super::summary::Summary;

/// Maximum width of the column of JIDs, in characters.
const MAX_WIDTH: usize = 60;

/// One request and its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    /// Counted from 1.
    pub(super) round: u64,
    pub(super) to: &'a FullJid,
    pub(super) outcome: &'a Outcome,
    pub(super) time: SystemTime,
}

/// Returns the width of the column of JIDs.
pub(super) fn width(jids: &[FullJid]) -> usize {
    jids.iter().map(|jid| jid.as_str().chars().count()).max().unwrap_or(0).min(MAX_WIDTH)
}

/// Renders a text line: JID, outcome, round trip time.
pub(super) fn line(report: &Report<'_>, width: usize) -> String {
    let Report { to, outcome, .. } = report;
    let mut line = format!("{:<width$}  {}", to.as_str(), outcome.description());
    if let Some(rtt) = outcome.rtt() {
        let _ = write!(line, " in {} ms", milliseconds(rtt));
    }
    if let Outcome::Refused { text: Some(text), .. } = outcome {
        // Escaped: the sender is not trusted.
        let _ = write!(line, ": {text:?}");
    }
    line
}

#[derive(Serialize)]
struct AnswerLine<'a> {
    r#type: &'static str,
    time: f64,
    round: u64,
    jid: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    r#type: &'static str,
    targets: usize,
    rounds: u64,
    sent: u64,
    accepted: u64,
    refused: u64,
    timeout: u64,
    lost: u64,
    #[serde(rename = "not-sent")]
    not_sent: u64,
    interrupted: u64,
    conditions: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<Percentiles>,
    seconds: f64,
    exit: u8,
}

#[derive(Serialize)]
struct Percentiles {
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// Renders a request and its outcome as a JSON object.
///
/// # Errors
/// Does not fail with these fields.
pub(super) fn json(report: &Report<'_>) -> serde_json::Result<String> {
    let Report { round, to, outcome, time } = report;
    let (condition, text) = match outcome {
        Outcome::Refused { condition, text, .. } => (Some(condition.as_str()), text.as_deref()),
        _ => (None, None),
    };
    serde_json::to_string(&AnswerLine {
        r#type: "answer",
        time: thousandths(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        round: *round,
        jid: to.as_str(),
        outcome: outcome.name(),
        condition,
        code: condition.and_then(code),
        text,
        ms: outcome.rtt().map(in_milliseconds),
    })
}

/// Renders the summary as a JSON object.
///
/// # Errors
/// Does not fail with these fields.
pub(super) fn json_summary(
    summary: &Summary,
    targets: usize,
    time: Duration,
    exit_status: u8,
) -> serde_json::Result<String> {
    let trips = &summary.round_trips;
    let at = |percent| trips.percentile(percent).map_or(0.0, in_milliseconds);
    let ms = trips.extremes().map(|(shortest, longest)| Percentiles {
        min: in_milliseconds(shortest),
        p50: at(50),
        p90: at(90),
        p99: at(99),
        max: in_milliseconds(longest),
    });
    serde_json::to_string(&SummaryLine {
        r#type: "summary",
        targets,
        rounds: summary.rounds,
        sent: summary.sent(),
        accepted: summary.accepted,
        refused: summary.refusals(),
        timeout: summary.timed_out,
        lost: summary.lost,
        not_sent: summary.not_sent,
        interrupted: summary.interrupted,
        conditions: &summary.refused,
        ms,
        seconds: thousandths(time),
        exit: exit_status,
    })
}

fn in_milliseconds(time: Duration) -> f64 {
    thousandths(time * 1000)
}

/// Converts to seconds, rounded to three decimals.
fn thousandths(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to() -> FullJid {
        FullJid::new("cpe@x/wan").unwrap()
    }

    fn report<'a>(to: &'a FullJid, outcome: &'a Outcome) -> Report<'a> {
        Report { round: 2, to, outcome, time: SystemTime::UNIX_EPOCH + Duration::from_millis(1500) }
    }

    fn refused(text: Option<&str>) -> Outcome {
        Outcome::Refused {
            condition: "not-authorized".to_owned(),
            text: text.map(str::to_owned),
            rtt: Duration::from_micros(12_345),
        }
    }

    #[test]
    fn a_line_has_jid_outcome_and_time() {
        let to = to();
        for (outcome, expected) in [
            (Outcome::Accepted { rtt: Duration::from_micros(1234) }, "cpe@x/wan    accepted in 1.2 ms"),
            (refused(None), "cpe@x/wan    refused: not-authorized (401) in 12.3 ms"),
            (
                refused(Some("no\n\u{1b}[2J")),
                r#"cpe@x/wan    refused: not-authorized (401) in 12.3 ms: "no\n\u{1b}[2J""#,
            ),
            (Outcome::TimedOut, "cpe@x/wan    no answer in time"),
        ] {
            assert_eq!(line(&report(&to, &outcome), 11), expected);
        }
    }

    #[test]
    fn the_column_is_as_wide_as_the_longest_jid_up_to_a_limit() {
        assert_eq!(width(&[to(), FullJid::new("cpe10@x/wan").unwrap()]), 11);
        assert_eq!(width(&[to(), FullJid::new(&format!("{}@x/wan", "a".repeat(200))).unwrap()]), MAX_WIDTH);
    }

    #[test]
    fn json_is_one_line_without_the_fields_that_do_not_apply() {
        let to = to();
        assert_eq!(
            json(&report(&to, &Outcome::TimedOut)).unwrap(),
            r#"{"type":"answer","time":1.5,"round":2,"jid":"cpe@x/wan","outcome":"timeout"}"#
        );
        assert_eq!(
            json(&report(&to, &refused(Some("a\n\"b\"")))).unwrap(),
            r#"{"type":"answer","time":1.5,"round":2,"jid":"cpe@x/wan","outcome":"refused","condition":"not-authorized","code":401,"text":"a\n\"b\"","ms":12.345}"#
        );
    }

    #[test]
    fn the_summary_in_json_has_every_count() {
        let mut summary = Summary { rounds: 1, ..Summary::default() };
        for outcome in [refused(None), Outcome::TimedOut, Outcome::NotSent] {
            summary.count(&outcome);
        }
        assert_eq!(
            json_summary(&summary, 3, Duration::from_millis(2500), 3).unwrap(),
            r#"{"type":"summary","targets":3,"rounds":1,"sent":2,"accepted":0,"refused":1,"timeout":1,"lost":0,"not-sent":1,"interrupted":0,"conditions":{"not-authorized":1},"ms":{"min":12.345,"p50":12.345,"p90":12.345,"p99":12.345,"max":12.345},"seconds":2.5,"exit":3}"#
        );
        let empty = json_summary(&Summary::default(), 1, Duration::ZERO, 5).unwrap();
        assert!(!empty.contains("\"ms\""), "{empty}");
    }
}
