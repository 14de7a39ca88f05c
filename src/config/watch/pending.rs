//! Gathering events: when what happened is reported.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// So long nothing may happen before what happened is reported.
const QUIET: Duration = Duration::from_millis(50);

/// It is reported after so long even if it goes on: someone who writes without end cannot keep a change back.
const LONGEST: Duration = Duration::from_millis(500);

/// What happened and was not reported yet: files by number.
#[derive(Debug, Default)]
pub(super) struct Pending {
    files: BTreeSet<usize>,
    /// When the first and the last of it happened.
    span: Option<(Instant, Instant)>,
}

impl Pending {
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = usize>, now: Instant) {
        for file in files {
            self.files.insert(file);
            self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        }
    }

    /// When it is to be reported if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.span.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// The files to be reported now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<BTreeSet<usize>> {
        self.due().filter(|due| *due <= now)?;
        self.span = None;
        Some(std::mem::take(&mut self.files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reported_once_after_the_quiet_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pending = Pending::default();
        assert_eq!((pending.due(), pending.take_due(start)), (None, None));
        pending.add([1], at(0));
        pending.add([], at(20));
        pending.add([0, 1], at(40));
        assert_eq!(pending.due(), Some(at(90)));
        assert_eq!(pending.take_due(at(89)), None);
        assert_eq!(pending.take_due(at(90)), Some(BTreeSet::from([0, 1])));
        assert_eq!((pending.due(), pending.take_due(at(900))), (None, None));
    }

    #[test]
    fn events_without_end_are_reported_all_the_same() {
        let start = Instant::now();
        let mut pending = Pending::default();
        for ms in (0..=490).step_by(10) {
            pending.add([0], start + Duration::from_millis(ms));
        }
        assert_eq!(pending.due(), Some(start + LONGEST));
    }
}
