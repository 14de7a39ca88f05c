//! Follows the configuration files and yields their contents once they have settled.
//!
//! Every directory and symbolic link on the way to a file is watched, the file's directory, and the file itself: so a
//! rename over the file, a link that is switched, a write through a hard link and a directory that is replaced are all
//! seen. The mount table shows what is mounted over a file or a directory. Only where inotify does not report changes (a
//! network file system) the file is looked at every 30 s.

mod debounce;
mod dirs;
mod mounts;
mod route;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use futures_util::{FutureExt, StreamExt};
use inotify::{EventMask, EventOwned, EventStream, Inotify};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::file::{Contents, ReadError, read};
use debounce::Debounce;
use dirs::{Meaning, WatchedDirs};
use mounts::Mounts;

/// Interval at which what cannot be watched is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Interval at which files are looked at whose changes inotify does not report.
const LOOK: Duration = Duration::from_secs(30);

/// Size of the buffer for events in bytes: some hundred events; one takes at most 272 bytes.
const BUFFER: usize = 16 * 1024;

/// Events that are handled before due files are read.
const MAX_DRAINED: u32 = 4096;

/// A file that xmppd follows. Of two that are to be read, the first one here is read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigFile {
    /// `/etc/config/cwmp`
    Cwmp,
    /// `/etc/config/xmpp`
    Xmpp,
}

/// What a file held when it was read.
#[derive(Debug)]
pub struct Reading {
    /// The file.
    pub file: ConfigFile,
    /// Its contents, or why it could not be read.
    pub contents: Result<Contents, ReadError>,
}

/// How the files are read for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstReading {
    /// At once and as they are: nothing runs that half a file could stop.
    AsIs,
    /// When they have settled.
    Settled,
}

/// A watch on the configuration files.
#[derive(Debug)]
pub struct Watch {
    files: BTreeMap<ConfigFile, PathBuf>,
    dirs: WatchedDirs,
    /// None while inotify is not available.
    stream: Option<EventStream<Vec<u8>>>,
    /// None if there is no mount table, or while it cannot be opened.
    mounts: Option<Mounts>,
    requests: Requests,
    debounce: Debounce,
    retry_at: Option<Instant>,
    /// The next look at the files, where inotify does not report all changes.
    look_at: Option<Instant>,
    looks: BTreeMap<ConfigFile, Option<Look>>,
    /// Whether the log says that the files cannot be watched.
    is_logged: bool,
}

/// Requests readings of a [`Watch`].
#[derive(Debug, Clone, Default)]
pub struct Requests(Rc<Notify>);

impl Requests {
    /// Has all files read, changed or not, once they have settled.
    pub fn read_all(&self) {
        self.0.notify_one();
    }
}

/// What a look at a file shows: equal looks mean that it has not changed.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// None if there is no file, or nothing can be said of it.
    fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Watch {
    /// Watches the files, and has each of them read. Neither they nor their directories need to exist. If inotify is not
    /// available (its instances, its watches or the descriptors of the process are used up), that is logged once and
    /// tried again every second.
    ///
    /// Must be called in a tokio runtime.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (ConfigFile, PathBuf)>, first: FirstReading) -> Self {
        let mut watch = Self {
            files: files.into_iter().collect(),
            dirs: WatchedDirs::default(),
            stream: None,
            mounts: None,
            requests: Requests::default(),
            debounce: Debounce::default(),
            retry_at: None,
            look_at: None,
            looks: BTreeMap::new(),
            is_logged: false,
        };
        let now = Instant::now();
        // First the watch, then the reading: a change in between is seen.
        watch.set_up(now);
        for file in watch.files.keys() {
            match first {
                FirstReading::AsIs => watch.debounce.request_any(*file, now),
                FirstReading::Settled => watch.debounce.request(*file, now),
            }
        }
        watch
    }

    /// A handle that requests readings.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// Waits for a file to change, and to settle, and reads it: 50 ms after its last change, or 500 ms after the first
    /// one; when a file that is being written is closed, or was not written for 1 s. An empty file is read again for
    /// 5 s, a file that is modified again and again for 10 s.
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Reading {
        loop {
            // What was reported before the reading must not lead to another one after it.
            for _ in 0..MAX_DRAINED {
                let Some(event) = next_event(&mut self.stream).now_or_never() else { break };
                self.handle(event);
            }
            let now = Instant::now();
            if self.retry_at.is_some_and(|at| at <= now) {
                self.retry(now);
            }
            if self.look_at.is_some_and(|at| at <= now) {
                self.look(now);
            }
            if let Some(reading) = self.read_due(now) {
                return reading;
            }
            let wake = [self.debounce.due(), self.retry_at, self.look_at].into_iter().flatten().min();
            tokio::select! {
                event = next_event(&mut self.stream) => self.handle(event),
                () = mounts_changed(self.mounts.as_ref()) => self.follow(Instant::now()),
                () = self.requests.0.notified() => self.request_all(Instant::now()),
                () = sleep_until(wake) => {}
            }
        }
    }

    fn read_due(&mut self, now: Instant) -> Option<Reading> {
        while let Some(file) = self.debounce.take_due(now) {
            let contents = read(self.files.get(&file)?);
            match &contents {
                Ok(read) if !self.debounce.accepts(file, read, now, SystemTime::now()) => continue,
                Ok(_) => {}
                Err(error) => self.debounce.failed(file, error.is_transient(), now),
            }
            return Some(Reading { file, contents });
        }
        None
    }

    /// Watches everything anew.
    fn set_up(&mut self, now: Instant) {
        (self.stream, self.mounts) = (None, None);
        self.dirs.forget();
        match Inotify::init().and_then(|inotify| inotify.into_event_stream(vec![0; BUFFER])) {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => return self.finish(Err(error), now),
        }
        self.follow(now);
    }

    /// Follows the paths anew; files whose paths lead elsewhere now have changed.
    fn follow(&mut self, now: Instant) {
        let Some(stream) = &self.stream else { return };
        let (changed, outcome) = self.dirs.follow(&self.files, &mut stream.watches());
        for file in changed {
            self.debounce.changed(file, now);
            self.looks.remove(&file);
        }
        let mut without_mounts = false;
        let mounts = match self.mounts.take().map_or_else(Mounts::follow, Ok) {
            Ok(mounts) => {
                self.mounts = Some(mounts);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                without_mounts = true;
                Ok(())
            }
            Err(error) => Err(error),
        };
        let is_blind = without_mounts || self.dirs.is_blind();
        self.look_at = is_blind.then(|| self.look_at.unwrap_or(now + LOOK));
        // Looked at before they are read: a change in between is seen.
        for (file, path) in self.files.iter().filter(|_| is_blind) {
            self.looks.entry(*file).or_insert_with(|| Look::at(path));
        }
        self.looks.retain(|_, _| is_blind);
        self.finish(outcome.and(mounts), now);
    }

    /// Logs once that something cannot be watched, and once that it can be again.
    fn finish(&mut self, outcome: io::Result<()>, now: Instant) {
        self.retry_at = outcome.is_err().then(|| now + RETRY);
        match outcome {
            Err(error) if !self.is_logged => {
                tracing::error!(
                    "the configuration cannot be watched ({error}): tried again each second; SIGHUP makes it be read"
                );
                self.is_logged = true;
            }
            Ok(()) if self.is_logged => {
                crate::notice!("the configuration is watched again");
                self.is_logged = false;
            }
            _ => {}
        }
    }

    fn retry(&mut self, now: Instant) {
        if self.stream.is_some() {
            return self.follow(now);
        }
        // Changes in the meantime were not reported.
        self.set_up(now);
        if self.stream.is_some() {
            self.all_changed(now);
        }
    }

    /// Compares what is there with the last look.
    fn look(&mut self, now: Instant) {
        self.look_at = Some(now + LOOK);
        let looks: BTreeMap<_, _> = self.files.iter().map(|(file, path)| (*file, Look::at(path))).collect();
        let before = std::mem::replace(&mut self.looks, looks);
        let changed = self.looks.iter().filter(|(file, look)| before.get(file) != Some(*look));
        let changed: Vec<ConfigFile> = changed.map(|(file, _)| *file).collect();
        if !changed.is_empty() {
            for file in changed {
                self.debounce.changed(file, now);
            }
            self.follow(now);
        }
    }

    fn request_all(&mut self, now: Instant) {
        self.files.keys().for_each(|file| self.debounce.request(*file, now));
    }

    fn all_changed(&mut self, now: Instant) {
        self.files.keys().for_each(|file| self.debounce.changed(*file, now));
    }

    fn handle(&mut self, event: Option<io::Result<EventOwned>>) {
        let now = Instant::now();
        let Some(Ok(event)) = event else {
            self.stream = None;
            self.retry_at = Some(now + RETRY);
            return;
        };
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            tracing::debug!("inotify dropped events: all files are read");
            self.all_changed(now);
            return self.set_up(now);
        }
        let meanings = self.dirs.interpret(&event);
        if meanings.iter().any(|(_, meaning)| matches!(meaning, Meaning::Moved | Meaning::Created)) {
            self.follow(now);
        }
        for (file, meaning) in meanings {
            match meaning {
                Meaning::Moved | Meaning::Changed => self.debounce.changed(file, now),
                Meaning::Created => self.debounce.created(file, now),
                Meaning::Writing => self.debounce.writing(file, now),
            }
        }
    }
}

async fn next_event(stream: &mut Option<EventStream<Vec<u8>>>) -> Option<io::Result<EventOwned>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn mounts_changed(mounts: Option<&Mounts>) {
    match mounts {
        Some(mounts) => mounts.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
