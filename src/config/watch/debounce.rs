//! Decides when a file is read, and whether what was read is complete.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::ConfigFile;
use crate::file::Contents;

/// A change is read after this much silence.
const QUIET: Duration = Duration::from_millis(50);

/// A change is read after this time at the latest, even if changes go on.
const LONGEST: Duration = Duration::from_millis(500);

/// A file that is open for writing is read when it is closed, or this long after the last write.
const STALLED: Duration = Duration::from_secs(1);

/// A file that was modified more recently than this may be half written: an editor truncates it first. It is read again
/// after the same time.
const SETTLED: Duration = Duration::from_millis(50);

/// Readings in a row for which a modified file is deferred: 10 s. Each edit in place leaves the file empty for a moment,
/// so the limit cannot be much shorter.
const MAX_READINGS: u32 = 200;

/// Readings in a row for which an empty file is deferred: 5 s. On a busy disk a file system may truncate a file some time
/// before it updates the modification time and reports the change (seen with ext4).
const MAX_EMPTY: u32 = 100;

/// Delay before a file is read again that could not be read for want of descriptors or memory.
const RETRY: Duration = Duration::from_secs(1);

/// What is pending for the files.
#[derive(Debug, Default)]
pub(super) struct Debounce(BTreeMap<ConfigFile, Pending>);

#[derive(Debug, Default)]
struct Pending {
    /// The first and the last change that was not read yet.
    span: Option<(Instant, Instant)>,
    /// The last write, while the file is open for writing.
    writing: Option<Instant>,
    /// A reading that was requested or deferred.
    read_at: Option<Instant>,
    /// Whether the next reading counts whatever it gives.
    accept_any: bool,
    /// Readings in a row that were deferred, and how many of them gave an empty file.
    deferred: u32,
    empty: u32,
}

impl Pending {
    fn due(&self) -> Option<Instant> {
        let changed = self.span.map(|(first, last)| (last + QUIET).min(first + LONGEST));
        let due = [changed, self.read_at].into_iter().flatten().min()?;
        Some(self.writing.map_or(due, |last| due.max(last + STALLED)))
    }
}

impl Debounce {
    /// The file may have changed, and is not open for writing any more.
    pub(super) fn changed(&mut self, file: ConfigFile, now: Instant) {
        let pending = self.0.entry(file).or_default();
        pending.writing = None;
        // While deferred, another reading is already scheduled.
        if pending.deferred == 0 {
            pending.span = Some((pending.span.map_or(now, |(first, _)| first), now));
        }
    }

    /// The file is being written. That alone is no reason to read it: it will be closed.
    pub(super) fn writing(&mut self, file: ConfigFile, now: Instant) {
        self.0.entry(file).or_default().writing = Some(now);
    }

    /// The file is new, and may be open for writing.
    pub(super) fn created(&mut self, file: ConfigFile, now: Instant) {
        self.changed(file, now);
        self.writing(file, now);
    }

    /// Requests a reading without a change.
    pub(super) fn request(&mut self, file: ConfigFile, now: Instant) {
        let pending = self.0.entry(file).or_default();
        pending.read_at = Some(pending.read_at.map_or(now, |at| if pending.deferred > 0 { at } else { at.min(now) }));
    }

    /// Requests a reading that counts even if the file may be half written.
    pub(super) fn request_any(&mut self, file: ConfigFile, now: Instant) {
        self.request(file, now);
        self.0.entry(file).or_default().accept_any = true;
    }

    /// When the next file is to be read, if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(Pending::due).min()
    }

    /// Takes a file that is to be read now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<ConfigFile> {
        let is_due = |pending: &Pending| pending.due().is_some_and(|due| due <= now);
        let (file, pending) = self.0.iter_mut().find(|(_, pending)| is_due(pending))?;
        (pending.span, pending.read_at) = (None, None);
        Some(*file)
    }

    /// Whether the reading counts; if not, the file is read again.
    pub(super) fn accepts(&mut self, file: ConfigFile, contents: &Contents, now: Instant, clock: SystemTime) -> bool {
        let pending = self.0.entry(file).or_default();
        // A modification time in the future (the clock was set back) says nothing.
        let settling = clock.duration_since(contents.modified).is_ok_and(|age| age < SETTLED);
        let is_empty = contents.text.is_empty();
        pending.deferred += 1;
        pending.empty = if is_empty { pending.empty + 1 } else { 0 };
        let defer = (settling && pending.deferred <= MAX_READINGS) || (is_empty && pending.empty <= MAX_EMPTY);
        if defer && !pending.accept_any {
            pending.read_at = Some(now + SETTLED);
            return false;
        }
        self.finished(file);
        true
    }

    /// The file could not be read.
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
mod tests {
    use zeroize::Zeroizing;

    use super::ConfigFile::{Cwmp, Xmpp};
    use super::*;

    const MODIFIED: SystemTime = SystemTime::UNIX_EPOCH;

    fn contents(text: &str) -> Contents {
        Contents { text: Zeroizing::new(text.into()), mode: 0o600, modified: MODIFIED }
    }

    fn at(start: Instant) -> impl Fn(u64) -> Instant {
        move |ms| start + Duration::from_millis(ms)
    }

    #[test]
    fn a_change_is_read_once_after_the_quiet_time() {
        let at = at(Instant::now());
        let mut debounce = Debounce::default();
        assert_eq!((debounce.due(), debounce.take_due(at(0))), (None, None));
        debounce.changed(Xmpp, at(0));
        debounce.changed(Xmpp, at(40));
        assert_eq!((debounce.due(), debounce.take_due(at(89))), (Some(at(90)), None));
        assert_eq!((debounce.take_due(at(90)), debounce.take_due(at(90))), (Some(Xmpp), None));
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn the_cwmp_file_is_read_first() {
        let at = at(Instant::now());
        let mut debounce = Debounce::default();
        debounce.changed(Xmpp, at(0));
        debounce.changed(Cwmp, at(10));
        assert_eq!((debounce.take_due(at(60)), debounce.take_due(at(60))), (Some(Cwmp), Some(Xmpp)));
    }

    #[test]
    fn a_file_is_not_read_while_it_is_written() {
        let at = at(Instant::now());
        let mut debounce = Debounce::default();
        debounce.writing(Xmpp, at(0));
        assert_eq!(debounce.due(), None, "it will be closed");
        debounce.changed(Xmpp, at(10));
        debounce.writing(Xmpp, at(900));
        assert_eq!(debounce.due(), Some(at(1900)), "stalled");
        debounce.request(Xmpp, at(950));
        assert_eq!(debounce.due(), Some(at(1900)), "nor on request");
        debounce.changed(Xmpp, at(1000));
        assert_eq!(debounce.take_due(at(1000)), Some(Xmpp), "closed: late already");
        debounce.created(Cwmp, at(2000));
        assert_eq!(debounce.due(), Some(at(3000)));
    }

    #[test]
    fn a_file_is_read_although_changes_go_on() {
        let at = at(Instant::now());
        let mut debounce = Debounce::default();
        (0..=490).step_by(10).for_each(|ms| debounce.changed(Xmpp, at(ms)));
        assert_eq!(debounce.due(), Some(at(500)));
    }

    #[test]
    fn a_file_is_settled_50_ms_after_its_modification() {
        let at = at(Instant::now());
        for (age, expected) in [(0, false), (49, false), (50, true)] {
            let clock = MODIFIED + Duration::from_millis(age);
            assert_eq!(Debounce::default().accepts(Xmpp, &contents("#"), at(0), clock), expected, "{age}");
        }
        let future = MODIFIED - Duration::from_millis(1);
        assert!(Debounce::default().accepts(Xmpp, &contents("#"), at(0), future));
    }

    /// How often in a row a file is deferred that always reads so; checks that each time another reading is scheduled.
    fn deferred(debounce: &mut Debounce, text: &str, now: Instant, clock: SystemTime) -> u32 {
        let mut times = 0;
        while !debounce.accepts(Xmpp, &contents(text), now, clock) {
            times += 1;
            debounce.changed(Xmpp, now);
            assert_eq!(debounce.due(), Some(now + SETTLED), "a change schedules nothing else");
            assert_eq!(debounce.take_due(now + SETTLED), Some(Xmpp));
        }
        assert_eq!(debounce.due(), None);
        times
    }

    #[test]
    fn what_may_be_half_a_file_is_deferred_for_a_limited_time() {
        let now = Instant::now();
        let old = MODIFIED + Duration::from_secs(86_400);
        let mut debounce = Debounce::default();
        assert_eq!(deferred(&mut debounce, "#", now, old), 0);
        assert_eq!(deferred(&mut debounce, "#", now, MODIFIED), MAX_READINGS);
        assert_eq!(deferred(&mut debounce, "", now, old), MAX_EMPTY);
        assert_eq!(deferred(&mut debounce, "", now, MODIFIED), MAX_READINGS);
        // An empty file gets its full time after others.
        for _ in 0..MAX_READINGS {
            assert!(!debounce.accepts(Xmpp, &contents("#"), now, MODIFIED));
        }
        assert_eq!(deferred(&mut debounce, "", now, old), MAX_EMPTY);
    }

    #[test]
    fn the_first_reading_at_boot_counts_whatever_it_gives() {
        let now = Instant::now();
        let mut debounce = Debounce::default();
        debounce.request_any(Xmpp, now);
        assert_eq!(debounce.take_due(now), Some(Xmpp));
        assert!(debounce.accepts(Xmpp, &contents(""), now, MODIFIED));
        debounce.request(Xmpp, now);
        assert_eq!(debounce.take_due(now), Some(Xmpp));
        assert!(!debounce.accepts(Xmpp, &contents(""), now, MODIFIED), "but not the next one");
        debounce.request(Xmpp, now);
        assert_eq!(debounce.due(), Some(now + SETTLED), "a request does not shorten it");
    }

    #[test]
    fn a_transient_error_is_followed_by_another_reading() {
        let now = Instant::now();
        let mut debounce = Debounce::default();
        debounce.failed(Xmpp, false, now);
        assert_eq!(debounce.due(), None);
        debounce.failed(Xmpp, true, now);
        assert_eq!(debounce.due(), Some(now + RETRY));
        debounce.request(Xmpp, now);
        assert_eq!(debounce.due(), Some(now), "unless it is requested before");
    }
}
