//! Polls files whose changes inotify does not report.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::file_event::ConfigFile;

/// Interval between two polls.
const INTERVAL: Duration = Duration::from_secs(30);

/// Polls the files while it is switched on.
#[derive(Debug, Default)]
pub(super) struct Poll {
    due: Option<Instant>,
    stamps: BTreeMap<ConfigFile, Option<Stamp>>,
}

/// What changes with a file's contents.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// None if there is no such file, or it cannot be examined.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Poll {
    /// Switches polling on or off. The `changed` files are compared with their present state from now on.
    pub(super) fn set(
        &mut self,
        is_on: bool,
        files: &BTreeMap<ConfigFile, PathBuf>,
        changed: &[ConfigFile],
        now: Instant,
    ) {
        if !is_on {
            *self = Self::default();
            return;
        }
        self.due = Some(self.due.unwrap_or(now + INTERVAL));
        self.stamps.retain(|file, _| !changed.contains(file));
        // Taken before the files are read, so that a later change is seen.
        for (file, path) in files {
            self.stamps.entry(*file).or_insert_with(|| Stamp::of(path));
        }
    }

    /// When the files are polled next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Polls the files if that is due; returns those that changed since the last poll.
    pub(super) fn take_changed(&mut self, files: &BTreeMap<ConfigFile, PathBuf>, now: Instant) -> Vec<ConfigFile> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.due = Some(now + INTERVAL);
        let stamps: BTreeMap<_, _> = files.iter().map(|(file, path)| (*file, Stamp::of(path))).collect();
        let before = std::mem::replace(&mut self.stamps, stamps);
        let changed = self.stamps.iter().filter(|(file, stamp)| before.get(file) != Some(*stamp));
        changed.map(|(file, _)| *file).collect()
    }
}
