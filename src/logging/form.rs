//! The forms of a log line, and which of them standard error gets.

use std::borrow::Cow;
use std::time::SystemTime;

use super::severity::{name, number};
use crate::calendar::{date_time, syslog_time};
use crate::config::model::LogLevel;
use crate::text::truncate;

/// Maximum length of a line on standard error in bytes: what a pipe takes atomically (`PIPE_BUF`).
pub(super) const MAX_LINE: usize = 4096;
/// Maximum length of a message to syslog in bytes (RFC 3164 4.1).
pub(super) const MAX_MESSAGE: usize = 1024;
/// The end of a truncated line.
const ELLIPSIS: &str = "...";
/// The facility `daemon` (RFC 3164 4.1.1).
const DAEMON: u8 = 3;

/// The form of lines on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `xmppd: LEVEL text`
    Bare,
    /// As `Bare`, after the time in UTC (RFC 3339).
    Timed,
    /// `<N>text`, N the number of the severity (sd-daemon(3)): systemd's journal adds the rest.
    Journal,
}

impl Form {
    /// The form that suits standard error: a terminal, systemd's journal, or anything else. `journal` is the value of
    /// `JOURNAL_STREAM`, which has device and inode of the journal's stream; `stderr` has those of standard error.
    pub(super) fn of(is_terminal: bool, journal: Option<&str>, stderr: (u64, u64)) -> Self {
        let parse = |text: &str| Some((text.split_once(':')?.0.parse().ok()?, text.split_once(':')?.1.parse().ok()?));
        match journal.and_then(parse) {
            _ if is_terminal => Self::Timed,
            Some(stream) if stderr == stream => Self::Journal,
            _ => Self::Bare,
        }
    }

    /// A line with its newline, truncated to [`MAX_LINE`].
    pub(super) fn line(self, severity: LogLevel, text: &str, now: SystemTime) -> String {
        let line = match self {
            Self::Bare => bare(severity, text),
            Self::Timed => format!("{} {}", date_time(now), bare(severity, text)),
            Self::Journal => format!("<{}>{text}", number(severity)),
        };
        format!("{}\n", limit_length(&line, MAX_LINE - 1))
    }
}

/// A line without a time.
pub(super) fn bare(severity: LogLevel, text: &str) -> String {
    format!("xmppd: {} {text}", name(severity))
}

/// A message to the local syslog daemon: the form of RFC 3164 without the host name, truncated to [`MAX_MESSAGE`]. The time is
/// UTC, as in musl's syslog(3).
pub(super) fn syslog_message(severity: LogLevel, text: &str, now: SystemTime, pid: u32) -> String {
    let priority = DAEMON * 8 + number(severity);
    let message = format!("<{priority}>{} xmppd[{pid}]: {text}", syslog_time(now));
    limit_length(&message, MAX_MESSAGE).into_owned()
}

/// Truncates a text to `max` bytes.
fn limit_length(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    format!("{}{ELLIPSIS}", truncate(text, max - ELLIPSIS.len())).into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn standard_error_decides_on_its_form() {
        let stream = (25, 1234);
        for (is_terminal, journal, stderr, expected) in [
            (false, None, stream, Form::Bare),
            (true, None, stream, Form::Timed),
            (false, Some("25:1234"), stream, Form::Journal),
            // Redirected to a file or another process, which inherited the variable.
            (false, Some("25:1235"), stream, Form::Bare),
            (false, Some("26:1234"), stream, Form::Bare),
            (true, Some("25:1235"), stream, Form::Timed),
            (false, Some(""), stream, Form::Bare),
            (false, Some("25"), stream, Form::Bare),
            (false, Some("25:"), stream, Form::Bare),
            (false, Some("25:1234:5"), stream, Form::Bare),
            (false, Some("x:y"), stream, Form::Bare),
        ] {
            assert_eq!(Form::of(is_terminal, journal, stderr), expected, "{is_terminal} {journal:?} {stderr:?}");
        }
    }

    #[test]
    fn a_line_has_the_parts_that_nothing_else_adds() {
        let line = |form: Form| form.line(LogLevel::Notice, "stopped", at(1_795_685_248));
        assert_eq!(line(Form::Bare), "xmppd: NOTICE stopped\n");
        assert_eq!(line(Form::Timed), "2026-11-26T09:27:28Z xmppd: NOTICE stopped\n");
        assert_eq!(line(Form::Journal), "<5>stopped\n");
        assert_eq!(
            syslog_message(LogLevel::Notice, "stopped", at(1_795_685_248), 7),
            "<29>Nov 26 09:27:28 xmppd[7]: stopped"
        );
        // One digit: two blanks.
        assert_eq!(syslog_message(LogLevel::Debug, "x", at(0), 7), "<31>Jan  1 00:00:00 xmppd[7]: x");
        assert_eq!(syslog_message(LogLevel::Emergency, "x", at(0), 7), "<24>Jan  1 00:00:00 xmppd[7]: x");
    }

    #[test]
    fn long_lines_are_truncated_at_a_character_boundary() {
        for form in [Form::Bare, Form::Timed, Form::Journal] {
            let beginning = form.line(LogLevel::Info, "", at(0)).len();
            for (length, is_cut) in
                [(MAX_LINE - beginning, false), (MAX_LINE - beginning + 1, true), (3 * MAX_LINE, true)]
            {
                let line = form.line(LogLevel::Info, &"x".repeat(length), at(0));
                assert_eq!(
                    (line.len(), line.ends_with("x...\n")),
                    (length.min(MAX_LINE - beginning) + beginning, is_cut)
                );
            }
            let line = form.line(LogLevel::Info, &"\u{e4}".repeat(MAX_LINE), at(0));
            assert!(line.len() <= MAX_LINE && line.ends_with("\u{e4}...\n"), "{form:?}");
        }
        let message = syslog_message(LogLevel::Info, &"\u{e4}".repeat(MAX_MESSAGE), at(0), u32::MAX);
        assert!(message.len() <= MAX_MESSAGE && message.ends_with("\u{e4}..."), "{message}");
    }
}
