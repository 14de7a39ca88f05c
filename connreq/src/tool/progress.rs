//! The progress bar on standard error.

use std::fmt::Write as _;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::summary::Summary;

/// Fewest targets for which a bar is shown.
const MIN_TARGETS: u64 = 10;

/// A bar that is shown only on a terminal, and for at least [`MIN_TARGETS`] targets.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Standard output is a terminal as well, where the bar and the lines would mix.
    stdout_is_terminal: bool,
}

impl Progress {
    /// Creates the bar, hidden unless `enabled`.
    pub(super) fn new(enabled: bool, targets: usize) -> Self {
        let targets = targets as u64;
        // indicatif hides it as well where standard error is not a terminal, or a dumb one.
        let shown = enabled && targets >= MIN_TARGETS;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(targets), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix}[{wide_bar}] {pos}/{len}{msg}") {
            bar.set_style(style.progress_chars("##-"));
        }
        Self { bar, stdout_is_terminal: std::io::stdout().is_terminal() }
    }

    /// Shows how many targets of this round have an outcome, and the failures of all rounds.
    pub(super) fn show(&self, round: u64, done: usize, summary: &Summary) {
        self.bar.set_position(done as u64);
        if round > 1 {
            self.bar.set_prefix(format!("round {round} "));
        }
        self.bar.set_message(counts(summary));
    }

    /// Runs `write`, which writes to standard output, with the bar out of the way.
    pub(super) fn suspend_for_stdout<R>(&self, write: impl FnOnce() -> R) -> R {
        if self.stdout_is_terminal { self.bar.suspend(write) } else { write() }
    }

    /// Runs `write`, which writes to standard error, with the bar out of the way.
    pub(super) fn suspend_for_stderr<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Renders the failures: `, 1 refused, 2 unanswered`.
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
