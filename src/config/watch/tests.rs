//! Real files, real inotify: each way in which a file changes is read once it has settled, and nothing else is.

mod elsewhere;
mod mounts;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::ConfigFile::{Cwmp, Xmpp};
use super::{ConfigFile, FirstReading, Reading, Watch};
use crate::file::ReadError;

/// Two files in a directory of a directory.
struct Rig {
    root: TempDir,
    xmpp: PathBuf,
    cwmp: PathBuf,
    watch: Watch,
    /// Counts the markers that [`Rig::expect_nothing`] writes.
    markers: u32,
}

impl Rig {
    /// With contents in `xmpp`, which are read, and no file `cwmp`.
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("config");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("xmpp"), "old").unwrap();
        Self::at(root, &directory).await
    }

    /// With the two files in a directory; what is there is read.
    async fn at(root: TempDir, directory: &Path) -> Self {
        let (xmpp, cwmp) = (directory.join("xmpp"), directory.join("cwmp"));
        let watch = Watch::new([(Xmpp, xmpp.clone()), (Cwmp, cwmp.clone())], FirstReading::AsIs);
        let mut rig = Self { root, xmpp, cwmp, watch, markers: 0 };
        assert_eq!(rig.reading().await.file, Cwmp);
        assert_eq!(rig.reading().await.file, Xmpp);
        rig
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("config")
    }

    async fn reading(&mut self) -> Reading {
        timeout(Duration::from_secs(60), self.watch.next()).await.expect("nothing was read")
    }

    /// Waits for a reading, which is of this file and gives this text.
    async fn expect(&mut self, file: ConfigFile, text: &str) {
        let Reading { file: read, contents } = self.reading().await;
        let contents = contents.unwrap();
        assert_eq!((read, std::str::from_utf8(&contents.text)), (file, Ok(text)));
    }

    /// Waits until `xmpp` is read with this text; before that anything may be read.
    async fn until(&mut self, text: &str) {
        let is_it = |reading: &Reading| {
            let bytes = reading.contents.as_ref().ok().map(|contents| contents.text.as_slice());
            reading.file == Xmpp && bytes == Some(text.as_bytes())
        };
        while !is_it(&self.reading().await) {}
    }

    async fn expect_missing(&mut self, file: ConfigFile) {
        let reading = self.reading().await;
        assert_eq!(reading.file, file);
        assert!(matches!(reading.contents, Err(ReadError::Missing(_))), "{:?}", reading.contents);
    }

    /// Nothing is read before a change that is made now: events come in order.
    async fn expect_nothing(&mut self) {
        self.markers += 1;
        let text = format!("marker {}", self.markers);
        fs::write(&self.cwmp, &text).unwrap();
        self.expect(Cwmp, &text).await;
    }

    /// No timer runs: inotify and the mount table report everything.
    fn assert_no_timers(&self) {
        assert_eq!((self.watch.retry_at, self.watch.look_at, self.watch.debounce.due()), (None, None, None));
    }
}

/// As `uci commit` does: the old file is opened for writing, which is its lock, and a new one is renamed over it.
fn commit(path: &Path, text: &str) {
    let temporary = path.with_file_name(".xmpp.uci-AbCdEf");
    let lock = OpenOptions::new().read(true).append(true).open(path).unwrap();
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, path).unwrap();
    drop(lock);
}

#[tokio::test]
async fn written_in_place() {
    let mut rig = Rig::new().await;
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(Xmpp, "new").await;
    rig.expect_nothing().await;
    rig.assert_no_timers();
}

#[tokio::test]
async fn committed_as_uci_does() {
    let mut rig = Rig::new().await;
    for text in ["new", "newer", "newest"] {
        commit(&rig.xmpp, text);
        rig.expect(Xmpp, text).await;
        rig.expect_nothing().await;
    }
    rig.assert_no_timers();
}

/// vim with `backupcopy=no`: the file becomes the backup, a new one is written; and with `backupcopy=yes`.
#[tokio::test]
async fn saved_as_vim_does() {
    let mut rig = Rig::new().await;
    let backup = rig.directory().join("xmpp~");
    for text in ["renamed", "renamed again"] {
        fs::rename(&rig.xmpp, &backup).unwrap();
        fs::write(&rig.xmpp, text).unwrap();
        fs::remove_file(&backup).unwrap();
        rig.expect(Xmpp, text).await;
        rig.expect_nothing().await;
    }
    fs::copy(&rig.xmpp, &backup).unwrap();
    fs::write(&rig.xmpp, "copied").unwrap();
    fs::remove_file(&backup).unwrap();
    rig.expect(Xmpp, "copied").await;
    rig.expect_nothing().await;
}

#[tokio::test]
async fn a_file_that_is_still_open_is_not_read_yet() {
    let mut rig = Rig::new().await;
    for new in [false, true] {
        if new {
            fs::remove_file(&rig.xmpp).unwrap();
            rig.expect_missing(Xmpp).await;
        }
        let mut file = File::create(&rig.xmpp).unwrap();
        file.write_all(b"half").unwrap();
        rig.expect_nothing().await;
        file.write_all(b" and half").unwrap();
        drop(file);
        rig.expect(Xmpp, "half and half").await;
        rig.expect_nothing().await;
    }
}

#[tokio::test]
async fn deleted_replaced_by_a_directory_and_back() {
    let mut rig = Rig::new().await;
    fs::remove_file(&rig.xmpp).unwrap();
    rig.expect_missing(Xmpp).await;
    fs::create_dir(&rig.xmpp).unwrap();
    assert!(matches!(rig.reading().await.contents, Err(ReadError::NotAFile(..))));
    fs::remove_dir(&rig.xmpp).unwrap();
    rig.expect_missing(Xmpp).await;
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(Xmpp, "new").await;
}

/// Not even the process is woken by what happens beside the directory.
#[tokio::test]
async fn other_files_are_nothing() {
    let mut rig = Rig::new().await;
    for name in ["network", "xmpp.bak", ".xmpp.swp", "xmp"] {
        let path = rig.directory().join(name);
        fs::write(&path, "x").unwrap();
        fs::rename(&path, path.with_extension("old")).unwrap();
    }
    fs::write(rig.root.path().join("xmpp"), "x").unwrap();
    rig.expect_nothing().await;
    rig.assert_no_timers();
}

#[tokio::test]
async fn permissions_change() {
    let mut rig = Rig::new().await;
    fs::set_permissions(&rig.xmpp, fs::Permissions::from_mode(0o604)).unwrap();
    let reading = rig.reading().await;
    assert_eq!((reading.file, reading.contents.unwrap().mode), (Xmpp, 0o604));
}

#[tokio::test]
async fn both_files_change() {
    let mut rig = Rig::new().await;
    fs::write(&rig.xmpp, "new").unwrap();
    fs::write(&rig.cwmp, "new").unwrap();
    let files = [rig.reading().await.file, rig.reading().await.file];
    assert!(files == [Cwmp, Xmpp] || files == [Xmpp, Cwmp], "{files:?}");
    rig.expect_nothing().await;
}

#[tokio::test]
async fn readings_on_request() {
    let mut rig = Rig::new().await;
    let requests = rig.watch.requests();
    fs::write(&rig.cwmp, "c").unwrap();
    rig.expect(Cwmp, "c").await;
    requests.read_all();
    requests.read_all();
    rig.expect(Cwmp, "c").await;
    rig.expect(Xmpp, "old").await;
    rig.expect_nothing().await;
}

#[tokio::test]
async fn the_directory_moves_away_and_back() {
    let mut rig = Rig::new().await;
    let (directory, away) = (rig.directory(), rig.root.path().join("away"));
    fs::rename(&directory, &away).unwrap();
    rig.expect_missing(Cwmp).await;
    rig.expect_missing(Xmpp).await;
    fs::write(away.join("xmpp"), "new").unwrap();
    fs::rename(&away, &directory).unwrap();
    rig.until("new").await;
    fs::write(&rig.xmpp, "newer").unwrap();
    rig.until("newer").await;
    rig.assert_no_timers();
}

/// Nothing but the directories on the way tells of it.
#[tokio::test]
async fn a_distant_parent_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    for (parent, text) in [("a", "old"), ("b", "new")] {
        fs::create_dir_all(root.path().join(parent).join("deep/etc/config")).unwrap();
        fs::write(root.path().join(parent).join("deep/etc/config/xmpp"), text).unwrap();
    }
    let directory = root.path().join("a/deep/etc/config");
    let mut rig = Rig::at(root, &directory).await;
    fs::rename(rig.root.path().join("a"), rig.root.path().join("c")).unwrap();
    fs::rename(rig.root.path().join("b"), rig.root.path().join("a")).unwrap();
    rig.until("new").await;
    commit(&rig.xmpp, "newer");
    rig.until("newer").await;
    rig.assert_no_timers();
}

#[tokio::test]
async fn the_directory_is_deleted_with_its_parent_and_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let parent = root.path().join("etc");
    let mut rig = Rig::at(root, &parent.join("config")).await;
    for text in ["one", "two"] {
        fs::create_dir_all(rig.xmpp.parent().unwrap()).unwrap();
        fs::write(&rig.xmpp, text).unwrap();
        rig.until(text).await;
        fs::remove_dir_all(&parent).unwrap();
        loop {
            let Reading { file, contents } = rig.reading().await;
            if file == Xmpp && contents.is_err() {
                break;
            }
        }
        while timeout(Duration::from_millis(200), rig.watch.next()).await.is_ok() {}
        rig.assert_no_timers();
    }
}

/// More events than the kernel keeps.
#[tokio::test]
async fn all_is_read_when_events_are_dropped() {
    let mut rig = Rig::new().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // Two events that are not alike, so that the kernel does not join them.
    let (a, b) = (rig.directory().join("a"), rig.directory().join("b"));
    fs::write(&a, "").unwrap();
    for _ in 0..=limit / 4 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    rig.expect_missing(Cwmp).await;
    rig.expect(Xmpp, "old").await;
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(Xmpp, "new").await;
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let mut rig = Rig::new().await;
    fs::write(&rig.xmpp, "new").unwrap();
    // Each time the future is polled once: it takes the event in, but gives no reading yet.
    while rig.watch.debounce.due().is_none() {
        assert!(timeout(Duration::ZERO, rig.watch.next()).await.is_err());
        tokio::task::yield_now().await;
    }
    rig.until("new").await;
}

/// Until it has settled, an empty file may be one that is about to be written.
#[tokio::test]
async fn a_truncated_file_is_not_read_as_an_empty_one() {
    let mut rig = Rig::new().await;
    drop(File::create(&rig.xmpp).unwrap());
    rig.watch.requests().read_all();
    rig.expect_missing(Cwmp).await;
    assert!(timeout(Duration::from_millis(300), rig.watch.next()).await.is_err());
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(Xmpp, "new").await;
    rig.expect_nothing().await;
}
