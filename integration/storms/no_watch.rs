//! inotify is not to be had when xmppd starts.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::harness::{CPE1, LIMIT, Scene};

/// The number of the descriptor that a process has of this kind.
fn descriptor(pid: i32, kind: &str) -> u64 {
    let mut entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let found =
        entries.find(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().ends_with(kind)));
    found.unwrap_or_else(|| panic!("no {kind}")).file_name().to_str().unwrap().parse().unwrap()
}

/// As many descriptors as it has before it asks for inotify: neither that nor the files can be opened. It is said once and
/// tried again, and when there are more it is as if nothing had been.
#[tokio::test]
async fn tried_again_until_it_works() {
    let mut scene = Scene::start().await;
    let limit = descriptor(scene.daemon.pid().as_raw_nonzero().get(), "inotify");
    scene.daemon.end(Signal::TERM).await;
    scene.daemon.limit_descriptors(limit);
    scene.daemon.start_again();
    scene.daemon.wait_for_log(&["ERROR", "cannot be watched (Too many open files"], LIMIT).await;
    // Silence is what is to be seen: it is tried twice meanwhile.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(scene.daemon.log().since(0, &["cannot be watched"]).len(), 1);

    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(scene.daemon.pid()), Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    scene.daemon.wait_for_log(&["NOTICE", "the configuration is watched again"], LIMIT).await;
    scene.wait_start(CPE1).await;
    let mark = scene.edit(|settings| settings.set_connection(1, "con_alias", "seen"));
    scene.daemon.log().wait(mark, &["connection 1", "settings taken over in place"], LIMIT).await;
    scene.assert_same(CPE1).await;
    assert_eq!(scene.daemon.log().since(0, &["cannot be watched"]).len(), 1);
    assert_eq!(scene.daemon.log().since(0, &["is watched again"]).len(), 1);
}
