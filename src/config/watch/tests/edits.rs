//! Changes of the files themselves.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use futures_util::FutureExt as _;

use super::*;

#[tokio::test]
async fn a_file_is_written_in_place() {
    let mut watched = Watched::new().await;
    fs::write(&watched.xmpp, "new").unwrap();
    watched.expect(Xmpp, "new").await;
    watched.expect_nothing().await;
    watched.assert_no_timers();
}

#[tokio::test]
async fn a_file_is_committed_by_uci() {
    let mut watched = Watched::new().await;
    for text in ["new", "newer", "newest"] {
        commit(&watched.xmpp, text);
        watched.expect(Xmpp, text).await;
        watched.expect_nothing().await;
    }
    watched.assert_no_timers();
}

/// With `backupcopy=no` vim renames the file to the backup and writes a new one; with `backupcopy=yes` it copies the file.
#[tokio::test]
async fn a_file_is_saved_by_vim() {
    let mut watched = Watched::new().await;
    let backup = watched.directory().join("xmpp~");
    for text in ["renamed", "renamed again"] {
        fs::rename(&watched.xmpp, &backup).unwrap();
        fs::write(&watched.xmpp, text).unwrap();
        fs::remove_file(&backup).unwrap();
        watched.expect(Xmpp, text).await;
        watched.expect_nothing().await;
    }
    fs::copy(&watched.xmpp, &backup).unwrap();
    fs::write(&watched.xmpp, "copied").unwrap();
    fs::remove_file(&backup).unwrap();
    watched.expect(Xmpp, "copied").await;
    watched.expect_nothing().await;
}

#[tokio::test]
async fn a_file_is_not_read_while_its_writer_has_it_open() {
    let mut watched = Watched::new().await;
    for new in [false, true] {
        if new {
            fs::remove_file(&watched.xmpp).unwrap();
            watched.expect_missing(Xmpp).await;
        }
        let mut file = File::create(&watched.xmpp).unwrap();
        file.write_all(b"half").unwrap();
        watched.expect_nothing().await;
        file.write_all(b" and half").unwrap();
        drop(file);
        watched.expect(Xmpp, "half and half").await;
        watched.expect_nothing().await;
    }
}

/// An empty file may be about to be written.
#[tokio::test]
async fn a_truncated_file_is_not_accepted_as_an_empty_one() {
    let mut watched = Watched::new().await;
    drop(File::create(&watched.xmpp).unwrap());
    watched.watch.requests().read_all();
    watched.expect_missing(Cwmp).await;
    assert!(timeout(Duration::from_millis(300), watched.watch.next()).await.is_err());
    fs::write(&watched.xmpp, "new").unwrap();
    watched.expect(Xmpp, "new").await;
    watched.expect_nothing().await;
}

#[tokio::test]
async fn a_file_is_deleted_replaced_by_a_directory_and_restored() {
    let mut watched = Watched::new().await;
    fs::remove_file(&watched.xmpp).unwrap();
    watched.expect_missing(Xmpp).await;
    fs::create_dir(&watched.xmpp).unwrap();
    assert!(matches!(watched.next().await.1, Err(ReadError::NotAFile(..))));
    fs::remove_dir(&watched.xmpp).unwrap();
    watched.expect_missing(Xmpp).await;
    fs::write(&watched.xmpp, "new").unwrap();
    watched.expect(Xmpp, "new").await;
}

#[tokio::test]
async fn a_change_of_permissions_is_seen() {
    let mut watched = Watched::new().await;
    fs::set_permissions(&watched.xmpp, fs::Permissions::from_mode(0o604)).unwrap();
    let reading = watched.next().await;
    assert_eq!((reading.0, reading.1.unwrap().mode), (Xmpp, 0o604));
}

#[tokio::test]
async fn both_files_change_at_once() {
    let mut watched = Watched::new().await;
    fs::write(&watched.xmpp, "new").unwrap();
    fs::write(&watched.cwmp, "new").unwrap();
    let files = [watched.next().await.0, watched.next().await.0];
    assert!(files == [Cwmp, Xmpp] || files == [Xmpp, Cwmp], "{files:?}");
    watched.expect_nothing().await;
}

#[tokio::test]
async fn all_files_are_read_on_request() {
    let mut watched = Watched::new().await;
    let requests = watched.watch.requests();
    fs::write(&watched.cwmp, "c").unwrap();
    watched.expect(Cwmp, "c").await;
    requests.read_all();
    requests.read_all();
    watched.expect(Cwmp, "c").await;
    watched.expect(Xmpp, "old").await;
    watched.expect_nothing().await;
}

/// Changes outside of the directory do not even wake the process.
#[tokio::test]
async fn other_files_are_ignored() {
    let mut watched = Watched::new().await;
    for name in ["network", "xmpp.bak", ".xmpp.swp", "xmp"] {
        let path = watched.directory().join(name);
        fs::write(&path, "x").unwrap();
        fs::rename(&path, path.with_extension("old")).unwrap();
    }
    fs::write(watched.root.path().join("xmpp"), "x").unwrap();
    watched.expect_nothing().await;
    watched.assert_no_timers();
}

/// The kernel drops events when its queue is full.
#[tokio::test]
async fn all_files_are_read_after_events_were_dropped() {
    let mut watched = Watched::new().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // Two events that are not alike, so that the kernel does not join them.
    let (a, b) = (watched.directory().join("a"), watched.directory().join("b"));
    fs::write(&a, "").unwrap();
    for _ in 0..=limit / 4 {
        fs::rename(&a, &b).unwrap();
        fs::rename(&b, &a).unwrap();
    }
    watched.expect_missing(Cwmp).await;
    watched.expect(Xmpp, "old").await;
    fs::write(&watched.xmpp, "new").unwrap();
    watched.expect(Xmpp, "new").await;
}

#[tokio::test]
async fn a_dropped_future_loses_no_change() {
    let mut watched = Watched::new().await;
    fs::write(&watched.xmpp, "new").unwrap();
    // Each future is polled once: it takes events, but has nothing to return yet. A timeout of zero would poll it again a
    // moment later, when the file may be due.
    let start = Instant::now();
    while watched.watch.debounce.due().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "the change is not recorded");
        assert!(watched.watch.next().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    watched.wait_for("new").await;
}
