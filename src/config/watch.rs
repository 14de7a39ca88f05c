//! Follows the configuration files and yields their contents once they have settled.
//!
//! Every directory and symbolic link on the way to a file is watched, and the file itself. This covers a rename over the
//! file, a link that is switched, a write through a hard link, and a directory that is replaced. The mount table covers
//! mounts. Files are polled every 30 s only where inotify does not report all changes, as on network file systems.

mod debounce;
mod dirs;
mod events;
mod file_event;
mod mounts;
mod poll;
mod role;
mod route;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::file::{Contents, ReadError, read};
use debounce::Debounce;
use events::FileEvents;
use file_event::FileEvent;
use timer::sleep_until;

pub use file_event::ConfigFile;

/// How the files are read for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRead {
    /// At once, even if they are incomplete.
    AsIs,
    /// Once they have settled.
    Settled,
}

/// A watch on the configuration files.
#[derive(Debug)]
pub struct Watch {
    files: BTreeMap<ConfigFile, PathBuf>,
    events: FileEvents,
    requests: ReadRequests,
    debounce: Debounce,
}

/// Requests that the files of a [`Watch`] be read.
#[derive(Debug, Clone, Default)]
pub struct ReadRequests(Rc<Notify>);

impl ReadRequests {
    /// Has all files read, changed or not, once they have settled.
    pub fn read_all(&self) {
        self.0.notify_one();
    }
}

impl Watch {
    /// Watches the files, and has each of them read. Neither they nor their directories need to exist. A failure to watch
    /// them is logged, and retried.
    ///
    /// Must be called in a tokio runtime.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (ConfigFile, PathBuf)>, first: FirstRead) -> Self {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        // Watched before they are read, so that a change in between is seen.
        let events = FileEvents::new(files.clone());
        let mut debounce = Debounce::default();
        for file in files.keys() {
            match first {
                FirstRead::AsIs => debounce.request_any(*file, Instant::now()),
                FirstRead::Settled => debounce.request(*file, Instant::now()),
            }
        }
        Self { files, events, requests: ReadRequests::default(), debounce }
    }

    /// A handle for requests to read the files.
    #[must_use]
    pub fn requests(&self) -> ReadRequests {
        self.requests.clone()
    }

    /// Waits until a file has changed and settled, and reads it: 50 ms after its last change or 500 ms after the first one;
    /// a file that is being written when it is closed, or was not written for 1 s. A file that is empty is deferred for
    /// up to 5 s, and one that is modified again and again for up to 10 s.
    ///
    /// Cancel-safe.
    pub async fn next(&mut self) -> (ConfigFile, Result<Contents, ReadError>) {
        loop {
            // Otherwise events from before a file is read would have it read again.
            let events = self.events.take_ready();
            self.record(events);
            if let Some(settled) = self.read_due(Instant::now()) {
                return settled;
            }
            tokio::select! {
                events = self.events.next() => self.record(events),
                () = self.requests.0.notified() => self.request_all(),
                () = sleep_until(self.debounce.due()) => {}
            }
        }
    }

    fn record(&mut self, events: Vec<(ConfigFile, FileEvent)>) {
        for (file, event) in events {
            self.debounce.record(file, event, Instant::now());
        }
    }

    fn request_all(&mut self) {
        self.files.keys().for_each(|file| self.debounce.request(*file, Instant::now()));
    }

    /// Reads the files that are due, until one has settled.
    fn read_due(&mut self, now: Instant) -> Option<(ConfigFile, Result<Contents, ReadError>)> {
        while let Some(file) = self.debounce.take_due(now) {
            let contents = read(self.files.get(&file)?);
            match &contents {
                Ok(read) if !self.debounce.accepts(file, read, now, SystemTime::now()) => continue,
                Ok(_) => {}
                Err(error) => self.debounce.failed(file, error.is_transient(), now),
            }
            return Some((file, contents));
        }
        None
    }
}
