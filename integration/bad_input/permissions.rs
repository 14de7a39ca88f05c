//! Files that every user of the device may read: they are taken all the same, and a WARNING says so.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::harness::{How, LIMIT, Scene};

#[tokio::test]
async fn a_file_that_others_may_read_is_warned_of_once() {
    let mut scene = Scene::start().await;
    scene.by(How::InPlace);
    let warnings = |scene: &Scene, mark| scene.daemon.log().since(mark, &["WARNING", "every user of this device"]);
    assert_eq!(warnings(&scene, 0), Vec::<String>::new());
    let files = [scene.daemon.xmpp().path().to_owned(), scene.daemon.cwmp().path().to_owned()];
    for file in &files {
        set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    let mark = scene.daemon.log().mark();
    scene.daemon.signal(Signal::HUP);
    for file in &files {
        let said = format!(
            "xmppd: WARNING {}: every user of this device may read it (mode 0644): it holds passwords, expected mode 0600",
            file.display()
        );
        scene.daemon.log().wait(mark, &[&said], LIMIT).await;
    }
    // It is not said again for each edit, and the edits count.
    let mark = scene.daemon.log().mark();
    super::good_edit(&mut scene, "still-open").await;
    assert_eq!(warnings(&scene, mark), Vec::<String>::new());
    // Nor once it is mended.
    for file in &files {
        set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }
    scene.daemon.signal(Signal::HUP);
    super::good_edit(&mut scene, "closed").await;
    assert_eq!(warnings(&scene, mark), Vec::<String>::new());
}
