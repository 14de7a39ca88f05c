//! What is followed lies elsewhere: links, and other names of the file.

use super::*;

/// A link in `config` to a file in `mnt`; both directories exist.
async fn linked(target: &str) -> (Rig, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (config, mnt) = (root.path().join("config"), root.path().join("mnt"));
    fs::create_dir(&config).unwrap();
    fs::create_dir(&mnt).unwrap();
    fs::write(mnt.join("file"), "old").unwrap();
    symlink(target, config.join("xmpp")).unwrap();
    (Rig::at(root, &config).await, mnt)
}

/// `ln -sfn TARGET LINK`: a new link is renamed over the old one.
fn switch(target: &str, link: &Path) {
    let temporary = link.with_file_name("temporary-link");
    symlink(target, &temporary).unwrap();
    fs::rename(&temporary, link).unwrap();
}

#[tokio::test]
async fn a_link_to_a_file_in_another_directory() {
    let (mut rig, mnt) = linked("../mnt/file").await;
    fs::write(mnt.join("file"), "in place").unwrap();
    rig.expect(Xmpp, "in place").await;
    commit(&mnt.join("file"), "committed");
    rig.expect(Xmpp, "committed").await;
    commit(&mnt.join("file"), "again");
    rig.expect(Xmpp, "again").await;
    rig.expect_nothing().await;
    rig.assert_no_timers();
}

#[tokio::test]
async fn a_link_is_switched() {
    let (mut rig, mnt) = linked("../mnt/file").await;
    fs::write(mnt.join("other"), "other").unwrap();
    switch("../mnt/other", &rig.xmpp);
    rig.expect(Xmpp, "other").await;
    fs::write(mnt.join("file"), "not followed any more").unwrap();
    rig.expect_nothing().await;
    fs::write(mnt.join("other"), "followed").unwrap();
    rig.expect(Xmpp, "followed").await;
    // Without the rename, as `ln -sf` of busybox does.
    fs::remove_file(&rig.xmpp).unwrap();
    symlink("../mnt/file", &rig.xmpp).unwrap();
    rig.until("not followed any more").await;
}

#[tokio::test]
async fn a_link_that_leads_nowhere_yet() {
    let (mut rig, mnt) = linked("../mnt/sub/later").await;
    fs::create_dir(mnt.join("sub")).unwrap();
    rig.expect_missing(Xmpp).await;
    fs::write(mnt.join("sub/later"), "there").unwrap();
    rig.expect(Xmpp, "there").await;
    rig.assert_no_timers();
}

#[tokio::test]
async fn a_link_takes_the_place_of_the_file() {
    let mut rig = Rig::new().await;
    fs::write(rig.root.path().join("file"), "linked").unwrap();
    switch("../file", &rig.xmpp);
    rig.expect(Xmpp, "linked").await;
    fs::write(rig.root.path().join("file"), "edited").unwrap();
    rig.expect(Xmpp, "edited").await;
}

#[tokio::test]
async fn the_directory_is_a_link() {
    let root = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("xmpp"), name).unwrap();
    }
    let link = root.path().join("config");
    symlink("one", &link).unwrap();
    let mut rig = Rig::at(root, &link).await;
    commit(&rig.xmpp, "one more");
    rig.expect(Xmpp, "one more").await;
    switch("two", &link);
    rig.expect_missing(Cwmp).await;
    rig.expect(Xmpp, "two").await;
    commit(&rig.xmpp, "two more");
    rig.expect(Xmpp, "two more").await;
}

/// As Kubernetes updates a `ConfigMap`: all files are links through `..data`, which is switched from one directory to the
/// next; the old one is deleted.
#[tokio::test]
async fn a_mounted_configuration_is_replaced_atomically() {
    let root = tempfile::tempdir().unwrap();
    let (config, mnt) = (root.path().join("config"), root.path().join("mnt"));
    fs::create_dir(&config).unwrap();
    let version = |name: &str| {
        fs::create_dir_all(mnt.join(name)).unwrap();
        fs::write(mnt.join(name).join("xmpp"), name).unwrap();
    };
    version("..1");
    symlink("..1", mnt.join("..data")).unwrap();
    symlink("..data/xmpp", mnt.join("xmpp")).unwrap();
    // Mounted where the file is, and linked from there.
    symlink("../mnt/xmpp", config.join("xmpp")).unwrap();
    let mut rig = Rig::at(root, &config).await;
    for (old, new) in [("..1", "..2"), ("..2", "..3"), ("..3", "..4")] {
        version(new);
        switch(new, &mnt.join("..data"));
        fs::remove_dir_all(mnt.join(old)).unwrap();
        rig.expect(Xmpp, new).await;
        rig.expect_nothing().await;
        rig.assert_no_timers();
    }
}

#[tokio::test]
async fn a_hard_link_is_written_under_its_other_name() {
    let mut rig = Rig::new().await;
    let other = rig.root.path().join("elsewhere");
    fs::create_dir(&other).unwrap();
    let other = other.join("name");
    fs::hard_link(&rig.xmpp, &other).unwrap();
    // Another name changes the inode.
    rig.expect(Xmpp, "old").await;
    for text in ["one", "two"] {
        fs::write(&other, text).unwrap();
        rig.expect(Xmpp, text).await;
        rig.expect_nothing().await;
    }
    // Half of it is not read there either.
    let mut file = File::create(&other).unwrap();
    file.write_all(b"half").unwrap();
    rig.expect_nothing().await;
    drop(file);
    rig.expect(Xmpp, "half").await;
    // Replaced under one name, the other one is another file.
    commit(&rig.xmpp, "own");
    rig.expect(Xmpp, "own").await;
    fs::write(&other, "other").unwrap();
    rig.expect_nothing().await;
    rig.assert_no_timers();
}

/// A link that is made and whose other name is deleted at once looks like a file that is about to be written.
#[tokio::test]
async fn a_file_is_linked_into_its_place() {
    let mut rig = Rig::new().await;
    let new = rig.root.path().join("new");
    fs::write(&new, "new").unwrap();
    fs::remove_file(&rig.xmpp).unwrap();
    fs::hard_link(&new, &rig.xmpp).unwrap();
    fs::remove_file(&new).unwrap();
    rig.until("new").await;
}
