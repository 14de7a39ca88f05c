//! Decides when a file is read, and whether it has settled.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::file_event::{ConfigFile, FileEvent};
use crate::file::Contents;

/// Time without changes after which a file is read.
const QUIET: Duration = Duration::from_millis(50);

/// Time after the first change after which a file is read even if changes go on.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// Time after the last write after which a file is read although it is still open for writing.
const STALLED: Duration = Duration::from_secs(1);

/// A file that was modified more recently may be incomplete, because editors truncate it first. It is read again after the
/// same time.
const SETTLED: Duration = Duration::from_millis(50);

/// Number of times in a row that a modified file is deferred: 10 s. Each edit in place leaves the file empty for a moment,
/// so the limit cannot be much shorter.
const MAX_DEFERRED: u32 = 200;

/// Number of times in a row that an empty file is deferred: 5 s. On a busy disk a file system may truncate a file some
/// time before it updates the modification time and reports the change (seen with ext4).
const MAX_EMPTY: u32 = 100;

/// Delay before a file is read again for which no descriptors or memory were left.
const RETRY: Duration = Duration::from_secs(1);

/// The changes and requests that are pending for each file.
#[derive(Debug, Default)]
pub(super) struct Debounce(BTreeMap<ConfigFile, Pending>);

#[derive(Debug, Default)]
struct Pending {
    /// The first and the last change since the file was read.
    span: Option<(Instant, Instant)>,
    /// The last write, while the file is open for writing.
    writing: Option<Instant>,
    /// When the file is read on request, or after it was deferred.
    read_at: Option<Instant>,
    /// Whether the file is accepted the next time even if it has not settled.
    accept_any: bool,
    /// Number of times in a row that the file was deferred.
    deferred: u32,
    /// Number of times in a row that it was empty.
    empty: u32,
}

impl Pending {
    fn due(&self) -> Option<Instant> {
        let changed = self.span.map(|(first, last)| (last + QUIET).min(first + MAX_DELAY));
        let due = [changed, self.read_at].into_iter().flatten().min()?;
        Some(self.writing.map_or(due, |last| due.max(last + STALLED)))
    }
}

impl Debounce {
    /// Records an event.
    pub(super) fn record(&mut self, file: ConfigFile, event: FileEvent, now: Instant) {
        match event {
            FileEvent::Replaced | FileEvent::Changed => self.changed(file, now),
            FileEvent::Created => {
                self.changed(file, now);
                self.writing(file, now);
            }
            FileEvent::Writing => self.writing(file, now),
        }
    }

    fn changed(&mut self, file: ConfigFile, now: Instant) {
        let pending = self.0.entry(file).or_default();
        pending.writing = None;
        // While deferred, the file is going to be read anyway.
        if pending.deferred == 0 {
            pending.span = Some((pending.span.map_or(now, |(first, _)| first), now));
        }
    }

    /// Delays reading the file; it is not read for this, because its closing will be reported.
    fn writing(&mut self, file: ConfigFile, now: Instant) {
        self.0.entry(file).or_default().writing = Some(now);
    }

    /// Has the file read without a change.
    pub(super) fn request(&mut self, file: ConfigFile, now: Instant) {
        let pending = self.0.entry(file).or_default();
        pending.read_at = Some(pending.read_at.map_or(now, |at| if pending.deferred > 0 { at } else { at.min(now) }));
    }

    /// Has the file read, and accepted even if it has not settled.
    pub(super) fn request_any(&mut self, file: ConfigFile, now: Instant) {
        self.request(file, now);
        self.0.entry(file).or_default().accept_any = true;
    }

    /// When the next file is due, if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(Pending::due).min()
    }

    /// Takes a file that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ConfigFile> {
        let is_due = |pending: &Pending| pending.due().is_some_and(|due| due <= now);
        let (file, pending) = self.0.iter_mut().find(|(_, pending)| is_due(pending))?;
        (pending.span, pending.read_at) = (None, None);
        Some(*file)
    }

    /// Whether the file has settled; if not, it is deferred.
    pub(super) fn accepts(&mut self, file: ConfigFile, contents: &Contents, now: Instant, clock: SystemTime) -> bool {
        let pending = self.0.entry(file).or_default();
        // A modification time in the future says nothing: the clock was set back.
        let is_settling = clock.duration_since(contents.modified).is_ok_and(|age| age < SETTLED);
        let is_empty = contents.text.is_empty();
        pending.deferred += 1;
        pending.empty = if is_empty { pending.empty + 1 } else { 0 };
        let defer = (is_settling && pending.deferred <= MAX_DEFERRED) || (is_empty && pending.empty <= MAX_EMPTY);
        if defer && !pending.accept_any {
            pending.read_at = Some(now + SETTLED);
            return false;
        }
        self.finished(file);
        true
    }

    /// The file could not be read. After a transient error it is read again.
    pub(super) fn failed(&mut self, file: ConfigFile, is_transient: bool, now: Instant) {
        self.finished(file);
        if is_transient {
            self.0.entry(file).or_default().read_at = Some(now + RETRY);
        }
    }

    fn finished(&mut self, file: ConfigFile) {
        let pending = self.0.entry(file).or_default();
        (pending.deferred, pending.empty, pending.accept_any) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests;
