//! Noticing that a configuration file may have changed.
//!
//! It is the directory that is watched: `uci commit` renames a new file over the old one, and a watch on the file itself
//! ends with the old file. The directory's parent is watched for the directory being replaced, and while a directory is
//! not there it is looked for each second. A symbolic link may stand for the directory (the parent is watched for the
//! link, the link's target for the file). Where the file itself is a link to another directory, changes of what it points
//! at are not seen, but the link being replaced is; SIGHUP reads in any case. So it does after a change of permissions
//! alone.

mod pending;
mod places;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use inotify::{EventMask, EventOwned, EventStream, Inotify};
use tokio::time::Instant;

use pending::Pending;
use places::{Places, Seen};

/// How often what cannot be watched is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What inotify hands over at once: some hundred events; one takes at most 272 bytes.
const BUFFER: usize = 16 * 1024;

/// Files that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Their paths, as they were given to [`Watch::new`].
    pub files: Vec<PathBuf>,
}

impl Event {
    /// Whether the file may have changed.
    #[must_use]
    pub fn concerns(&self, file: &Path) -> bool {
        self.files.iter().any(|path| path == file)
    }
}

/// A watch on some files.
#[derive(Debug)]
pub struct Watch {
    files: Vec<PathBuf>,
    places: Places,
    /// None while inotify itself is out of order.
    stream: Option<EventStream<Vec<u8>>>,
    pending: Rc<RefCell<Pending>>,
    retry_at: Option<Instant>,
    /// It was said that something is out of order.
    said: bool,
}

/// Who is writing, as far as a watch has seen.
#[derive(Debug, Clone, Default)]
pub struct Writers(Rc<RefCell<Pending>>);

impl Writers {
    /// Whether somebody has the file of that number open for writing, and wrote to it within the last second.
    #[must_use]
    pub fn are_at(&self, file: usize) -> bool {
        self.0.borrow().is_being_written(file, Instant::now())
    }
}

impl Watch {
    /// Starts to watch the files. Neither they nor their directories need exist. What is read after this returns is not
    /// older than what [`Watch::changed`] reports. Where inotify is not to be had (its instances or watches, or the
    /// process's descriptors, are used up) that is logged once, and tried again each second.
    ///
    /// To be called in a tokio runtime.
    #[must_use]
    pub fn new(files: &[PathBuf]) -> Self {
        let mut watch = Self {
            files: files.to_vec(),
            places: Places::new(files),
            stream: None,
            pending: Rc::default(),
            retry_at: None,
            said: false,
        };
        watch.set_up(Instant::now());
        watch
    }

    /// Who is writing to the files, from now on.
    #[must_use]
    pub fn writers(&self) -> Writers {
        Writers(Rc::clone(&self.pending))
    }

    /// Waits until some of the files may have changed, and then until nothing happened to them for 50 ms (but not for
    /// more than 500 ms), so that the steps of one change are reported once. A file that is being written is waited for
    /// until it is closed, or nothing was written for a second.
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn changed(&mut self) -> Event {
        loop {
            let now = Instant::now();
            let due = self.pending.borrow_mut().take_due(now);
            if let Some(files) = due {
                let files = files.iter().filter_map(|&file| self.files.get(file).cloned()).collect();
                return Event { files };
            }
            if self.retry_at.is_some_and(|at| at <= now) {
                self.retry(now);
            }
            let due = self.pending.borrow().due();
            let wake = [due, self.retry_at].into_iter().flatten().min();
            tokio::select! {
                event = next(&mut self.stream) => self.handle(event),
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Watches all places anew; what cannot be watched is tried again later.
    fn set_up(&mut self, now: Instant) {
        self.stream = None;
        self.places.forget();
        let outcome = Inotify::init().and_then(|inotify| {
            let (_, outcome) = self.places.watch(&mut inotify.watches());
            self.stream = Some(inotify.into_event_stream(vec![0; BUFFER])?);
            outcome
        });
        self.look_after(outcome, now);
    }

    fn retry(&mut self, now: Instant) {
        if let Some(stream) = &self.stream {
            let (found, outcome) = self.places.watch(&mut stream.watches());
            self.pending.borrow_mut().add(found, now);
            return self.look_after(outcome, now);
        }
        self.set_up(now);
        if self.stream.is_some() {
            // What happened meanwhile nobody has seen.
            self.pending.borrow_mut().add(0..self.files.len(), now);
        }
    }

    /// Says once that something cannot be watched, and once that it can be again.
    fn look_after(&mut self, outcome: io::Result<()>, now: Instant) {
        let missing = self.stream.is_none() || self.places.any_missing();
        self.retry_at = missing.then(|| now + RETRY);
        match outcome {
            Err(error) if !self.said => {
                tracing::error!(
                    "the configuration cannot be watched ({error}): tried again each second; SIGHUP makes it be read"
                );
                self.said = true;
            }
            Ok(()) if self.said => {
                crate::notice!("the configuration is watched again");
                self.said = false;
            }
            _ => {}
        }
    }

    /// Events were lost, or a directory is not what it was: everything may have changed.
    fn start_over(&mut self, now: Instant) {
        self.pending.borrow_mut().add(0..self.files.len(), now);
        self.set_up(now);
    }

    fn handle(&mut self, event: Option<io::Result<EventOwned>>) {
        let now = Instant::now();
        let Some(Ok(event)) = event else {
            self.stream = None;
            self.retry_at = Some(now + RETRY);
            return;
        };
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            tracing::debug!("events of the configuration were lost: all of it is read");
            return self.start_over(now);
        }
        match self.places.see(&event) {
            Seen::Nothing => {}
            Seen::Files(files) => self.pending.borrow_mut().add(files, now),
            Seen::Writing(files) => self.pending.borrow_mut().writing(files, now),
            Seen::Moved => self.start_over(now),
        }
    }
}

async fn next(stream: &mut Option<EventStream<Vec<u8>>>) -> Option<io::Result<EventOwned>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
