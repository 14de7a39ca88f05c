//! The progress bar on standard error.

use std::fmt::Write as _;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::summary::Summary;

/// With fewer targets there is no bar.
const MANY: u64 = 10;

/// A bar that is there only on a terminal, for many targets, and if it is wanted.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Standard output is a terminal, too.
    among_lines: bool,
}

impl Progress {
    pub(super) fn new(wanted: bool, targets: usize) -> Self {
        let targets = targets as u64;
        // Hidden where standard error is no terminal, or a dumb one.
        let shown = wanted && targets >= MANY;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(targets), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix}[{wide_bar}] {pos}/{len}{msg}") {
            bar.set_style(style.progress_chars("##-"));
        }
        Self { bar, among_lines: std::io::stdout().is_terminal() }
    }

    /// Shows how many targets of this round have an outcome, and what became of all requests.
    pub(super) fn show(&self, round: u64, done: usize, summary: &Summary) {
        self.bar.set_position(done as u64);
        if round > 1 {
            self.bar.set_prefix(format!("round {round} "));
        }
        self.bar.set_message(counts(summary));
    }

    /// Writes a line to standard output, without the bar around it.
    pub(super) fn around<R>(&self, write: impl FnOnce() -> R) -> R {
        if self.among_lines { self.bar.suspend(write) } else { write() }
    }

    /// Writes a line to standard error, without the bar around it.
    pub(super) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Takes it away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Of what did not go well: `, 1 refused, 2 unanswered`.
fn counts(summary: &Summary) -> String {
    let unanswered = summary.timed_out + summary.lost + summary.not_sent;
    let mut text = String::new();
    for (count, words) in [(summary.refusals(), "refused"), (unanswered, "unanswered")] {
        if count > 0 {
            let _ = write!(text, ", {count} {words}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted() {
        assert_eq!(counts(&Summary { accepted: 3, ..Summary::default() }), "");
        assert_eq!(counts(&Summary { timed_out: 1, lost: 2, not_sent: 4, ..Summary::default() }), ", 7 unanswered");
        let refused = [("forbidden".to_owned(), 2)].into();
        assert_eq!(counts(&Summary { refused, lost: 1, ..Summary::default() }), ", 2 refused, 1 unanswered");
    }
}
