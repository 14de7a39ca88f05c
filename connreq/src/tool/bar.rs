//! The progress bar on standard error.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::summary::Summary;

/// With fewer targets there is no bar.
const MANY: usize = 10;
/// It is drawn at most this often.
const PAUSE: Duration = Duration::from_millis(100);
/// Carriage return, and the terminal's "erase line".
const CLEAR: &str = "\r\x1b[2K";

/// A bar that may be there or not: only on a terminal, for many targets, and if it is wanted.
#[derive(Debug)]
pub(super) struct Bar {
    shown: bool,
    /// Lines are written to a terminal as well.
    among_lines: bool,
    drawn: Option<Instant>,
}

/// How far a round is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress<'a> {
    pub(super) round: u64,
    /// Targets of this round whose outcome is known.
    pub(super) done: usize,
    pub(super) targets: usize,
    /// Of the whole run.
    pub(super) summary: &'a Summary,
}

impl Bar {
    pub(super) fn new(wanted: bool, targets: usize) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shown = wanted && targets >= MANY && !dumb && std::io::stderr().is_terminal();
        Self { shown, among_lines: std::io::stdout().is_terminal(), drawn: None }
    }

    /// Draws it, unless that was done just now.
    pub(super) fn draw(&mut self, progress: Progress<'_>) {
        let now = Instant::now();
        if self.shown && self.drawn.is_none_or(|drawn| now - drawn >= PAUSE) {
            let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
            let _ = write!(std::io::stderr(), "{CLEAR}{}", text(progress, if columns == 0 { 80 } else { columns }));
            self.drawn = Some(now);
        }
    }

    /// Makes room for a line on standard output, where that is needed.
    pub(super) fn make_room(&mut self) {
        if self.among_lines {
            self.clear();
        }
    }

    /// Takes it away; the next [`draw`](Self::draw) draws it in any case.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(std::io::stderr(), "{CLEAR}");
        }
    }
}

/// The bar's text, shorter than `columns`: `round 2 [####----] 3/6, 1 refused`.
fn text(progress: Progress<'_>, columns: usize) -> String {
    let Progress { round, done, targets, summary } = progress;
    let before = if round > 1 { format!("round {round} ") } else { String::new() };
    let mut after = format!(" {done}/{targets}");
    for (count, words) in
        [(summary.refusals(), "refused"), (summary.timed_out + summary.lost + summary.not_sent, "unanswered")]
    {
        if count > 0 {
            let _ = write!(after, ", {count} {words}");
        }
    }
    // One column stays free: in some terminals a full line is followed by an empty one.
    let room = columns.saturating_sub(before.len() + after.len() + 3).min(40);
    let full = (room * done).checked_div(targets).unwrap_or(room);
    let text = format!("{before}[{}{}]{after}", "#".repeat(full), "-".repeat(room - full));
    text.chars().take(columns.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_fits_and_says_how_far_it_is() {
        let summary = Summary { timed_out: 1, not_sent: 1, ..Summary::default() };
        let at = |round, done, columns| text(Progress { round, done, targets: 20, summary: &summary }, columns);
        assert_eq!(at(1, 5, 41), "[####---------------] 5/20, 2 unanswered");
        assert_eq!(at(1, 5, 200), format!("[{}{}] 5/20, 2 unanswered", "#".repeat(10), "-".repeat(30)));
        assert_eq!(at(3, 20, 200), format!("round 3 [{}] 20/20, 2 unanswered", "#".repeat(40)));
        for columns in 0..60 {
            assert!(at(3, 20, columns).len() <= columns.saturating_sub(1), "{columns}");
        }
    }
}
