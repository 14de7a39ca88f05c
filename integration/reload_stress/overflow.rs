//! More inotify events than the kernel's queue holds.

use std::fs;

use rustix::process::Signal;

use crate::harness::{CPE1, CPE2, Fixture, LIMIT, WriteMethod};

/// While xmppd is stopped, so many files change that the kernel drops the event of the edit.
#[tokio::test]
async fn an_edit_whose_event_was_lost_is_applied() {
    let mut fixture = Fixture::start().await;
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let directory = fixture.daemon.xmpp().path().parent().unwrap().to_owned();
    let (a, b) = (directory.join("a"), directory.join("b"));
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        let alias = format!("{method:?}");
        let mark = fixture.daemon.log().mark();
        fixture.daemon.signal(Signal::STOP);
        fs::write(&a, "").unwrap();
        // Two events each, alternating: the kernel would merge equal ones.
        for _ in 0..=limit / 4 {
            fs::rename(&a, &b).unwrap();
            fs::rename(&b, &a).unwrap();
        }
        fixture.edit(|settings| settings.set_connection(2, "con_alias", &alias));
        fixture.daemon.signal(Signal::CONT);
        fixture.daemon.log().wait(mark, &["DEBUG", "inotify dropped events"], LIMIT).await;
        fixture.daemon.wait_for_value(2, "alias", &alias).await;
        fixture.assert_same_streams().await;
        // The watch still works.
        fixture.edit(|settings| settings.set_connection(2, "con_alias", "afterwards"));
        fixture.daemon.wait_for_value(2, "alias", "afterwards").await;
    }
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}
