//! Gathering events: when what happened is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// So long nothing may happen before what happened is reported.
const QUIET: Duration = Duration::from_millis(50);

/// It is reported after so long even if it goes on: someone who edits the file without end cannot keep a change back.
const LONGEST: Duration = Duration::from_millis(500);

/// A file that is open for writing is waited for, for so long after the last write: half a file must not be taken for the
/// whole, and a writer that hangs must not keep a change back.
const STALLED: Duration = Duration::from_secs(1);

/// What happened and was not reported yet: files by number.
#[derive(Debug, Default)]
pub(super) struct Pending {
    files: BTreeSet<usize>,
    /// When the first and the last of it happened.
    span: Option<(Instant, Instant)>,
    /// Files that are open for writing, with the last write.
    writing: BTreeMap<usize, Instant>,
}

impl Pending {
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = usize>, now: Instant) {
        for file in files {
            self.writing.remove(&file);
            self.files.insert(file);
            self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        }
    }

    /// Files are being written. That alone is not reported.
    pub(super) fn writing(&mut self, files: impl IntoIterator<Item = usize>, now: Instant) {
        self.writing.extend(files.into_iter().map(|file| (file, now)));
    }

    /// Whether the file is open for writing, and not for longer than it is waited for.
    pub(super) fn is_being_written(&self, file: usize, now: Instant) -> bool {
        self.writing.get(&file).is_some_and(|last| now < *last + STALLED)
    }

    /// When it is to be reported if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.span?;
        let written = self.files.iter().filter_map(|file| self.writing.get(file)).max();
        Some((last + QUIET).min(first + LONGEST).max(written.map_or(first, |last| *last + STALLED)))
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
    fn a_file_that_is_being_written_is_waited_for() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pending = Pending::default();
        pending.writing([0], at(0));
        assert_eq!(pending.due(), None, "nothing has happened yet");
        assert!(pending.is_being_written(0, at(999)) && !pending.is_being_written(0, at(1000)));
        assert!(!pending.is_being_written(1, at(0)));
        pending.add([0, 1], at(10));
        pending.writing([0], at(20));
        assert_eq!(pending.due(), Some(at(1020)));
        pending.writing([0], at(900));
        assert_eq!(pending.due(), Some(at(1900)), "and for longer than anything else");
        pending.writing([2], at(1000));
        pending.add([0], at(1100));
        assert_eq!(pending.due(), Some(at(510)), "closed: late already");
        assert!(!pending.is_being_written(0, at(1100)) && pending.is_being_written(2, at(1100)));
        assert_eq!(pending.take_due(at(1100)), Some(BTreeSet::from([0, 1])));
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
