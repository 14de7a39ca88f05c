//! Tests with real files and inotify: each kind of change is seen, read once it has settled, and nothing else is read.

mod directories;
mod edits;
mod links;
mod namespaces;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use inotify::{Inotify, WatchMask};
use tempfile::TempDir;
use tokio::time::timeout;

use super::ConfigFile::{Cwmp, Xmpp};
use super::{ConfigFile, FirstRead, Watch};
use crate::file::{Contents, ReadError};

/// A watch on two files in a directory of a temporary directory.
struct Watched {
    root: TempDir,
    xmpp: PathBuf,
    cwmp: PathBuf,
    watch: Watch,
    /// Number of markers that [`Watched::expect_nothing`] has written.
    markers: u32,
}

impl Watched {
    /// Starts with contents in `xmpp`, which have been read, and no file `cwmp`.
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("config");
        fs::create_dir(&directory).unwrap();
        write_closed(&directory.join("xmpp"), "old");
        Self::at(root, &directory).await
    }

    /// Starts with the two files in a directory, and reads them.
    async fn at(root: TempDir, directory: &Path) -> Self {
        let (xmpp, cwmp) = (directory.join("xmpp"), directory.join("cwmp"));
        let watch = Watch::new([(Xmpp, xmpp.clone()), (Cwmp, cwmp.clone())], FirstRead::AsIs);
        let mut watched = Self { root, xmpp, cwmp, watch, markers: 0 };
        assert_eq!(watched.next().await.0, Cwmp);
        assert_eq!(watched.next().await.0, Xmpp);
        watched
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("config")
    }

    async fn next(&mut self) -> (ConfigFile, Result<Contents, ReadError>) {
        timeout(Duration::from_secs(60), self.watch.next()).await.expect("no file was read within 60 s")
    }

    /// Waits for the next file, and fails unless it is this one with this text.
    async fn expect(&mut self, file: ConfigFile, text: &str) {
        let (read, contents) = self.next().await;
        let contents = contents.unwrap();
        assert_eq!((read, std::str::from_utf8(&contents.text)), (file, Ok(text)));
    }

    /// Waits until `xmpp` is read with this text, whatever is read before.
    async fn wait_for(&mut self, text: &str) {
        loop {
            let (file, contents) = self.next().await;
            if file == Xmpp && contents.is_ok_and(|contents| *contents.text == text.as_bytes()) {
                return;
            }
        }
    }

    async fn expect_missing(&mut self, file: ConfigFile) {
        let (read, contents) = self.next().await;
        assert_eq!(read, file);
        assert!(matches!(contents, Err(ReadError::Missing(_))), "{contents:?}");
    }

    /// Fails if something is read before a change that is made now. Events arrive in order.
    async fn expect_nothing(&mut self) {
        self.markers += 1;
        let text = format!("marker {}", self.markers);
        fs::write(&self.cwmp, &text).unwrap();
        self.expect(Cwmp, &text).await;
    }

    /// Fails if a timer is set: inotify and the mount table report everything.
    fn assert_no_timers(&self) {
        assert_eq!((self.watch.events.timer(), self.watch.debounce.due()), (None, None));
    }
}

/// Writes a file, and waits until it is closed. A process that another test has just forked keeps a copy of the descriptor
/// until it executes its program; a watch that is started before then sees the file closed, and reads it again.
fn write_closed(path: &Path, text: &str) {
    let mut closed = Inotify::init().unwrap();
    closed.watches().add(path.parent().unwrap(), WatchMask::CLOSE_WRITE).unwrap();
    fs::write(path, text).unwrap();
    closed.read_events_blocking(&mut [0; 1024]).unwrap();
}

/// Replaces a file as `uci commit` does: it opens the old file for writing, which locks it, and renames a new one over it.
fn commit(path: &Path, text: &str) {
    let temporary = path.with_file_name(".xmpp.uci-AbCdEf");
    let lock = OpenOptions::new().read(true).append(true).open(path).unwrap();
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, path).unwrap();
    drop(lock);
}
