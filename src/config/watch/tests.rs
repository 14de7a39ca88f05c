use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::{Event, Watch};

/// Two files in a directory of a directory.
struct Rig {
    root: TempDir,
    xmpp: PathBuf,
    cwmp: PathBuf,
    watch: Watch,
}

fn rig() -> Rig {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("config");
    fs::create_dir(&directory).unwrap();
    let (xmpp, cwmp) = (directory.join("xmpp"), directory.join("cwmp"));
    fs::write(&xmpp, "old").unwrap();
    let watch = Watch::new(&[xmpp.clone(), cwmp.clone()]);
    Rig { root, xmpp, cwmp, watch }
}

impl Rig {
    fn directory(&self) -> PathBuf {
        self.root.path().join("config")
    }

    async fn event(&mut self) -> Event {
        timeout(Duration::from_secs(10), self.watch.changed()).await.expect("no event came")
    }

    /// Waits for an event that is about this file alone.
    async fn expect(&mut self, file: &Path) {
        assert_eq!(self.event().await, Event { files: vec![file.to_owned()] });
    }

    /// Waits for events until one is about all files.
    async fn expect_all(&mut self) {
        let all = [self.xmpp.clone(), self.cwmp.clone()];
        while self.event().await.files != all {}
    }

    /// Nothing comes before an event that is made now: events come in order.
    async fn expect_nothing(&mut self) {
        let cwmp = self.cwmp.clone();
        fs::write(&cwmp, "marker").unwrap();
        self.expect(&cwmp).await;
    }
}

#[tokio::test]
async fn written_in_place() {
    let mut rig = rig();
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    rig.expect_nothing().await;
}

#[tokio::test]
async fn a_file_that_is_still_open_is_not_read_yet() {
    let mut rig = rig();
    for new in [false, true] {
        if new {
            fs::remove_file(&rig.xmpp).unwrap();
            rig.expect(&rig.xmpp.clone()).await;
        }
        let mut file = File::create(&rig.xmpp).unwrap();
        file.write_all(b"half").unwrap();
        rig.expect_nothing().await;
        assert!(rig.watch.writers().are_at(0) && !rig.watch.writers().are_at(1));
        drop(file);
        rig.expect(&rig.xmpp.clone()).await;
        assert!(!rig.watch.writers().are_at(0));
    }
}

#[tokio::test]
async fn committed_as_uci_does() {
    let mut rig = rig();
    let temporary = rig.directory().join(".xmpp.uci-AbCdEf");
    let locked = OpenOptions::new().read(true).write(true).open(&rig.xmpp).unwrap();
    fs::write(&temporary, "new").unwrap();
    drop(locked);
    fs::rename(&temporary, &rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    rig.expect_nothing().await;
    // The watch outlives the file it began with.
    fs::write(&temporary, "newer").unwrap();
    fs::rename(&temporary, &rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
}

#[tokio::test]
async fn deleted_replaced_by_a_directory_and_back() {
    let mut rig = rig();
    fs::remove_file(&rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    fs::create_dir(&rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    fs::remove_dir(&rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(&rig.xmpp.clone()).await;
}

#[tokio::test]
async fn other_files_are_nothing() {
    let mut rig = rig();
    for name in ["network", "xmpp.bak", ".xmpp.swp", "xmp"] {
        let path = rig.directory().join(name);
        fs::write(&path, "x").unwrap();
        fs::rename(&path, path.with_extension("old")).unwrap();
    }
    fs::write(rig.root.path().join("xmpp"), "x").unwrap();
    rig.expect_nothing().await;
}

#[tokio::test]
async fn both_files_in_one_event() {
    let mut rig = rig();
    fs::write(&rig.xmpp, "new").unwrap();
    fs::write(&rig.cwmp, "new").unwrap();
    let (xmpp, cwmp) = (rig.xmpp.clone(), rig.cwmp.clone());
    let event = rig.event().await;
    assert!(event.concerns(&xmpp) && event.concerns(&cwmp) && !event.concerns(Path::new("xmpp")));
}

#[tokio::test]
async fn the_directory_moves_away_and_back() {
    let mut rig = rig();
    let (directory, away) = (rig.directory(), rig.root.path().join("away"));
    fs::rename(&directory, &away).unwrap();
    rig.expect_all().await;
    fs::write(away.join("xmpp"), "new").unwrap();
    fs::rename(&away, &directory).unwrap();
    rig.expect_all().await;
    fs::write(&rig.xmpp, "newer").unwrap();
    rig.expect(&rig.xmpp.clone()).await;
}

#[tokio::test]
async fn the_directory_is_deleted_with_its_parent_and_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let parent = root.path().join("etc");
    let directory = parent.join("config");
    let xmpp = directory.join("xmpp");
    let mut watch = Watch::new(std::slice::from_ref(&xmpp));
    for _ in 0..2 {
        fs::create_dir_all(&directory).unwrap();
        fs::write(&xmpp, "new").unwrap();
        let event = timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
        assert!(event.concerns(&xmpp));
        fs::remove_dir_all(&parent).unwrap();
        let event = timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
        assert!(event.concerns(&xmpp));
        // What came of the directory's own end.
        while timeout(Duration::from_millis(200), watch.changed()).await.is_ok() {}
    }
}

#[tokio::test]
async fn the_directory_is_a_symbolic_link() {
    let root = tempfile::tempdir().unwrap();
    let [one, two, link] = ["one", "two", "link"].map(|name| root.path().join(name));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    symlink(&one, &link).unwrap();
    let xmpp = link.join("xmpp");
    let mut watch = Watch::new(std::slice::from_ref(&xmpp));
    fs::write(one.join("xmpp"), "new").unwrap();
    assert!(timeout(Duration::from_secs(10), watch.changed()).await.unwrap().concerns(&xmpp));
    // Another target, put in place at once.
    let next = root.path().join("next");
    symlink(&two, &next).unwrap();
    fs::rename(&next, &link).unwrap();
    assert!(timeout(Duration::from_secs(10), watch.changed()).await.unwrap().concerns(&xmpp));
    fs::write(two.join("xmpp"), "new").unwrap();
    assert!(timeout(Duration::from_secs(10), watch.changed()).await.unwrap().concerns(&xmpp));
}

#[tokio::test]
async fn the_file_becomes_a_link() {
    let mut rig = rig();
    fs::remove_file(&rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
    symlink("/dev/null", &rig.xmpp).unwrap();
    rig.expect(&rig.xmpp.clone()).await;
}

/// More events than the kernel keeps, while nobody reads them.
#[tokio::test]
async fn a_queue_that_overflows_means_that_all_may_have_changed() {
    let mut rig = rig();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // Two events that are not alike, so that the kernel does not join them.
    let (a, b) = (rig.directory().join("a"), rig.directory().join("b"));
    fs::write(&a, "").unwrap();
    for _ in 0..=limit / 4 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    rig.expect_all().await;
    fs::write(&rig.xmpp, "new").unwrap();
    rig.expect(&rig.xmpp.clone()).await;
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let mut rig = rig();
    fs::write(&rig.xmpp, "new").unwrap();
    // Each time the future is polled once: it takes the event in, but does not report it yet.
    while rig.watch.pending.borrow().due().is_none() {
        assert!(timeout(Duration::ZERO, rig.watch.changed()).await.is_err());
        tokio::task::yield_now().await;
    }
    rig.expect(&rig.xmpp.clone()).await;
}

#[tokio::test]
async fn half_a_file_that_was_deleted_before_is_not_read() {
    let mut rig = rig();
    fs::remove_file(&rig.xmpp).unwrap();
    let mut file = File::create(&rig.xmpp).unwrap();
    file.write_all(b"half").unwrap();
    let early = timeout(Duration::from_millis(300), rig.watch.changed()).await;
    assert!(early.is_err(), "reported while it was open: {early:?}");
    file.write_all(b" and half").unwrap();
    drop(file);
    let xmpp = rig.xmpp.clone();
    rig.expect(&xmpp).await;
    assert_eq!(fs::read(&xmpp).unwrap(), b"half and half");
    rig.expect_nothing().await;
}
