//! Reports what happens to the files: by inotify and the mount table, and by polling where these report nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use inotify::{EventMask, EventOwned, EventStream, Inotify};
use tokio::time::Instant;

use super::dirs::WatchedDirs;
use super::file_event::{ConfigFile, FileEvent};
use super::mounts::Mounts;
use super::poll::Poll;
use super::timer::sleep_until;

/// Interval at which failed watches are retried.
const RETRY: Duration = Duration::from_secs(1);

/// Size of the buffer for inotify events in bytes. An event takes at most 272.
const BUFFER: usize = 2 * 1024;

/// Maximum number of inotify events that are taken without waiting.
const MAX_TAKEN: u32 = 4096;

/// The events of the files. Neither they nor their directories need to exist.
#[derive(Debug)]
pub(super) struct FileEvents {
    files: BTreeMap<ConfigFile, PathBuf>,
    dirs: WatchedDirs,
    /// None while inotify is not available.
    stream: Option<EventStream<Vec<u8>>>,
    /// None while the mount table is not available.
    mounts: Option<Mounts>,
    poll: Poll,
    retry_at: Option<Instant>,
    /// Whether a failure to watch the files was logged.
    is_failure_logged: bool,
}

type Events = Vec<(ConfigFile, FileEvent)>;

impl FileEvents {
    /// Watches the files. If that fails (instances or watches of inotify, or descriptors, are used up), it is logged once
    /// and retried every second.
    ///
    /// Must be called in a tokio runtime.
    pub(super) fn new(files: BTreeMap<ConfigFile, PathBuf>) -> Self {
        let mut events = Self {
            files,
            dirs: WatchedDirs::default(),
            stream: None,
            mounts: None,
            poll: Poll::default(),
            retry_at: None,
            is_failure_logged: false,
        };
        events.set_up();
        events
    }

    /// Waits for events. May return without any; cancel-safe.
    pub(super) async fn next(&mut self) -> Events {
        let timer = self.timer();
        tokio::select! {
            event = next_event(&mut self.stream) => self.handle(event),
            () = mounts_changed(self.mounts.as_ref()) => self.follow(),
            () = sleep_until(timer) => self.run_timers(),
        }
    }

    /// Takes the events that were reported already.
    pub(super) fn take_ready(&mut self) -> Events {
        let mut events = Vec::new();
        for _ in 0..MAX_TAKEN {
            let Some(event) = next_event(&mut self.stream).now_or_never() else { break };
            events.extend(self.handle(event));
        }
        events.extend(self.run_timers());
        events
    }

    /// When a retry or a poll is due; none while all changes are reported.
    pub(super) fn timer(&self) -> Option<Instant> {
        [self.retry_at, self.poll.due()].into_iter().flatten().min()
    }

    fn run_timers(&mut self) -> Events {
        let now = Instant::now();
        let mut events = Vec::new();
        if self.retry_at.is_some_and(|at| at <= now) {
            events.extend(self.retry());
        }
        let changed = self.poll.take_changed(&self.files, now);
        if !changed.is_empty() {
            events.extend(changed.into_iter().map(|file| (file, FileEvent::Changed)));
            events.extend(self.follow());
        }
        events
    }

    fn retry(&mut self) -> Events {
        if self.stream.is_some() {
            return self.follow();
        }
        self.set_up();
        // Changes since the failure were not reported.
        if self.stream.is_some() { self.all_changed() } else { Vec::new() }
    }

    /// Starts with a new inotify instance.
    fn set_up(&mut self) {
        (self.stream, self.mounts) = (None, None);
        self.dirs = WatchedDirs::default();
        match Inotify::init().and_then(|inotify| inotify.into_event_stream(vec![0; BUFFER])) {
            Ok(stream) => {
                self.stream = Some(stream);
                self.follow();
            }
            Err(error) => self.finish(Err(error)),
        }
    }

    /// Follows the paths and watches what they lead to now. Returns an event for each path that leads elsewhere.
    fn follow(&mut self) -> Events {
        let Some(stream) = &self.stream else { return Vec::new() };
        let (replaced, watched) = self.dirs.follow(&self.files, &mut stream.watches());
        let mut is_blind = self.dirs.is_blind();
        let mounts = match self.mounts.take().map_or_else(Mounts::open, Ok) {
            Ok(mounts) => {
                self.mounts = Some(mounts);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                is_blind = true;
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.poll.set(is_blind, &self.files, &replaced, Instant::now());
        self.finish(watched.and(mounts));
        replaced.into_iter().map(|file| (file, FileEvent::Replaced)).collect()
    }

    /// Logs a failure to watch the files once, and the recovery; plans the retry.
    fn finish(&mut self, outcome: io::Result<()>) {
        self.retry_at = outcome.is_err().then(|| Instant::now() + RETRY);
        match outcome {
            Err(error) if !self.is_failure_logged => {
                tracing::error!(
                    "the configuration files cannot be watched: {error}; retrying every second, until then only \
                     SIGHUP reads them"
                );
                self.is_failure_logged = true;
            }
            Ok(()) if self.is_failure_logged => {
                crate::notice!("the configuration files are watched again");
                self.is_failure_logged = false;
            }
            _ => {}
        }
    }

    fn handle(&mut self, event: Option<io::Result<EventOwned>>) -> Events {
        let Some(Ok(event)) = event else {
            self.stream = None;
            self.retry_at = Some(Instant::now() + RETRY);
            return Vec::new();
        };
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            tracing::debug!("inotify dropped events: reading all files");
            self.set_up();
            return self.all_changed();
        }
        let own = self.dirs.interpret(&event);
        let is_new_route = |event: &FileEvent| matches!(event, FileEvent::Replaced | FileEvent::Created);
        let mut events = if own.iter().any(|(_, event)| is_new_route(event)) { self.follow() } else { Vec::new() };
        events.extend(own);
        events
    }

    fn all_changed(&self) -> Events {
        self.files.keys().map(|file| (*file, FileEvent::Changed)).collect()
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
