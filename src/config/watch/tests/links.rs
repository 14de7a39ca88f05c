//! Symbolic links on the way to the files, and hard links to them.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

/// Watches a link in `config` to a file in `mnt`. Both directories exist.
async fn linked(target: &str) -> (Watched, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (config, mnt) = (root.path().join("config"), root.path().join("mnt"));
    fs::create_dir(&config).unwrap();
    fs::create_dir(&mnt).unwrap();
    write_closed(&mnt.join("file"), "old");
    symlink(target, config.join("xmpp")).unwrap();
    (Watched::at(root, &config).await, mnt)
}

/// Replaces a link as `ln -sfn TARGET LINK` does: it renames a new link over the old one.
fn switch(target: &str, link: &Path) {
    let temporary = link.with_file_name("temporary-link");
    symlink(target, &temporary).unwrap();
    fs::rename(&temporary, link).unwrap();
}

#[tokio::test]
async fn the_file_is_a_link_to_another_directory() {
    let (mut watched, mnt) = linked("../mnt/file").await;
    fs::write(mnt.join("file"), "in place").unwrap();
    watched.expect(Xmpp, "in place").await;
    commit(&mnt.join("file"), "committed");
    watched.expect(Xmpp, "committed").await;
    commit(&mnt.join("file"), "again");
    watched.expect(Xmpp, "again").await;
    watched.expect_nothing().await;
    watched.assert_no_timers();
}

#[tokio::test]
async fn a_link_is_switched() {
    let (mut watched, mnt) = linked("../mnt/file").await;
    fs::write(mnt.join("other"), "other").unwrap();
    switch("../mnt/other", &watched.xmpp);
    watched.expect(Xmpp, "other").await;
    fs::write(mnt.join("file"), "no longer followed").unwrap();
    watched.expect_nothing().await;
    fs::write(mnt.join("other"), "followed").unwrap();
    watched.expect(Xmpp, "followed").await;
    // `ln -sf` of busybox does not rename.
    fs::remove_file(&watched.xmpp).unwrap();
    symlink("../mnt/file", &watched.xmpp).unwrap();
    watched.wait_for("no longer followed").await;
}

#[tokio::test]
async fn a_dangling_link_gets_its_target() {
    let (mut watched, mnt) = linked("../mnt/sub/later").await;
    fs::create_dir(mnt.join("sub")).unwrap();
    watched.expect_missing(Xmpp).await;
    fs::write(mnt.join("sub/later"), "there").unwrap();
    watched.expect(Xmpp, "there").await;
    watched.assert_no_timers();
}

#[tokio::test]
async fn the_file_is_replaced_by_a_link() {
    let mut watched = Watched::new().await;
    fs::write(watched.root.path().join("file"), "linked").unwrap();
    switch("../file", &watched.xmpp);
    watched.expect(Xmpp, "linked").await;
    fs::write(watched.root.path().join("file"), "edited").unwrap();
    watched.expect(Xmpp, "edited").await;
}

#[tokio::test]
async fn the_directory_is_a_link() {
    let root = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir(root.path().join(name)).unwrap();
        write_closed(&root.path().join(name).join("xmpp"), name);
    }
    let link = root.path().join("config");
    symlink("one", &link).unwrap();
    let mut watched = Watched::at(root, &link).await;
    commit(&watched.xmpp, "one more");
    watched.expect(Xmpp, "one more").await;
    switch("two", &link);
    watched.expect_missing(Cwmp).await;
    watched.expect(Xmpp, "two").await;
    commit(&watched.xmpp, "two more");
    watched.expect(Xmpp, "two more").await;
}

/// Kubernetes updates a `ConfigMap` so: all files are links through `..data`, which is switched from one directory to the
/// next; the old one is deleted.
#[tokio::test]
async fn a_mounted_configuration_is_replaced_atomically() {
    let root = tempfile::tempdir().unwrap();
    let (config, mnt) = (root.path().join("config"), root.path().join("mnt"));
    fs::create_dir(&config).unwrap();
    let version = |name: &str| {
        fs::create_dir_all(mnt.join(name)).unwrap();
        write_closed(&mnt.join(name).join("xmpp"), name);
    };
    version("..1");
    symlink("..1", mnt.join("..data")).unwrap();
    symlink("..data/xmpp", mnt.join("xmpp")).unwrap();
    // The file is a link into the mounted directory.
    symlink("../mnt/xmpp", config.join("xmpp")).unwrap();
    let mut watched = Watched::at(root, &config).await;
    for (old, new) in [("..1", "..2"), ("..2", "..3"), ("..3", "..4")] {
        version(new);
        switch(new, &mnt.join("..data"));
        fs::remove_dir_all(mnt.join(old)).unwrap();
        watched.expect(Xmpp, new).await;
        watched.expect_nothing().await;
        watched.assert_no_timers();
    }
}

#[tokio::test]
async fn a_hard_link_is_written_under_its_other_name() {
    let mut watched = Watched::new().await;
    let other = watched.root.path().join("elsewhere");
    fs::create_dir(&other).unwrap();
    let other = other.join("name");
    fs::hard_link(&watched.xmpp, &other).unwrap();
    // A new name changes the inode.
    watched.expect(Xmpp, "old").await;
    for text in ["one", "two"] {
        fs::write(&other, text).unwrap();
        watched.expect(Xmpp, text).await;
        watched.expect_nothing().await;
    }
    // It is not read before it is closed.
    let mut file = File::create(&other).unwrap();
    file.write_all(b"half").unwrap();
    watched.expect_nothing().await;
    drop(file);
    watched.expect(Xmpp, "half").await;
    // After it is replaced under one name, the other name is another file.
    commit(&watched.xmpp, "own");
    watched.expect(Xmpp, "own").await;
    fs::write(&other, "other").unwrap();
    watched.expect_nothing().await;
    watched.assert_no_timers();
}

/// A new hard link looks like a file that is about to be written once its other name is deleted.
#[tokio::test]
async fn the_file_is_hard_linked_into_its_place() {
    let mut watched = Watched::new().await;
    let new = watched.root.path().join("new");
    fs::write(&new, "new").unwrap();
    fs::remove_file(&watched.xmpp).unwrap();
    fs::hard_link(&new, &watched.xmpp).unwrap();
    fs::remove_file(&new).unwrap();
    watched.wait_for("new").await;
}
