//! More events than the kernel keeps.

use std::fs;

use rustix::process::Signal;

use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// While xmppd does not run, its directory is so busy that the kernel drops the event of the one edit that matters.
#[tokio::test]
async fn an_edit_whose_event_was_lost_is_taken() {
    let mut scene = Scene::start().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let directory = scene.daemon.xmpp().path().parent().unwrap().to_owned();
    let (a, b) = (directory.join("a"), directory.join("b"));
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        let alias = format!("{how:?}");
        let mark = scene.daemon.log().mark();
        scene.daemon.signal(Signal::STOP);
        fs::write(&a, "").unwrap();
        // Two events each, no two alike in a row: the kernel would join them.
        for _ in 0..=limit / 4 {
            fs::rename(&a, &b).unwrap();
            fs::rename(&b, &a).unwrap();
        }
        scene.edit(|settings| settings.set_connection(2, "con_alias", &alias));
        scene.daemon.signal(Signal::CONT);
        scene.daemon.log().wait(mark, &["DEBUG", "inotify dropped events"], LIMIT).await;
        scene.daemon.wait_for_value(2, "alias", &alias).await;
        scene.assert_both_same().await;
        // The watch goes on as before.
        scene.edit(|settings| settings.set_connection(2, "con_alias", "afterwards"));
        scene.daemon.wait_for_value(2, "alias", "afterwards").await;
    }
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}
