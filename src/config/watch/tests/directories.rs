//! Changes of the directories on the way to the files.

use super::*;

#[tokio::test]
async fn the_directory_is_moved_away_and_back() {
    let mut watched = Watched::new().await;
    let (directory, away) = (watched.directory(), watched.root.path().join("away"));
    fs::rename(&directory, &away).unwrap();
    watched.expect_missing(Cwmp).await;
    watched.expect_missing(Xmpp).await;
    fs::write(away.join("xmpp"), "new").unwrap();
    fs::rename(&away, &directory).unwrap();
    watched.wait_for("new").await;
    fs::write(&watched.xmpp, "newer").unwrap();
    watched.wait_for("newer").await;
    watched.assert_no_timers();
}

/// Only the watches on the ancestors report this.
#[tokio::test]
async fn a_distant_ancestor_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    for (parent, text) in [("a", "old"), ("b", "new")] {
        fs::create_dir_all(root.path().join(parent).join("deep/etc/config")).unwrap();
        write_closed(&root.path().join(parent).join("deep/etc/config/xmpp"), text);
    }
    let directory = root.path().join("a/deep/etc/config");
    let mut watched = Watched::at(root, &directory).await;
    fs::rename(watched.root.path().join("a"), watched.root.path().join("c")).unwrap();
    fs::rename(watched.root.path().join("b"), watched.root.path().join("a")).unwrap();
    watched.wait_for("new").await;
    commit(&watched.xmpp, "newer");
    watched.wait_for("newer").await;
    watched.assert_no_timers();
}

#[tokio::test]
async fn the_directory_is_deleted_with_its_parent_and_restored() {
    let root = tempfile::tempdir().unwrap();
    let parent = root.path().join("etc");
    let mut watched = Watched::at(root, &parent.join("config")).await;
    for text in ["one", "two"] {
        fs::create_dir_all(watched.xmpp.parent().unwrap()).unwrap();
        fs::write(&watched.xmpp, text).unwrap();
        watched.wait_for(text).await;
        fs::remove_dir_all(&parent).unwrap();
        loop {
            let (file, contents) = watched.next().await;
            if file == Xmpp && contents.is_err() {
                break;
            }
        }
        while timeout(Duration::from_millis(200), watched.watch.next()).await.is_ok() {}
        watched.assert_no_timers();
    }
}
