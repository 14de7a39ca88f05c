//! inotify is not available when xmppd starts.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::harness::{CPE1, Fixture, LIMIT};

/// Returns a descriptor of this kind that the process has open.
fn descriptor(pid: i32, kind: &str) -> u64 {
    let mut entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let found =
        entries.find(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().ends_with(kind)));
    found.unwrap_or_else(|| panic!("no {kind}")).file_name().to_str().unwrap().parse().unwrap()
}

/// The limit of descriptors is reached before inotify is set up, so neither it nor the files can be opened. That is
/// logged once and retried, and everything works once the limit is raised.
#[tokio::test]
async fn the_watch_is_retried_until_it_works() {
    let mut fixture = Fixture::start().await;
    let limit = descriptor(fixture.daemon.pid().as_raw_nonzero().get(), "inotify");
    fixture.daemon.end(Signal::TERM).await;
    fixture.daemon.limit_descriptors(limit);
    fixture.daemon.start_again();
    fixture.daemon.wait_for_log(&["ERROR", "cannot be watched: Too many open files"], LIMIT).await;
    // It is retried twice meanwhile, without a log line.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(fixture.daemon.log().since(0, &["cannot be watched"]).len(), 1);

    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(fixture.daemon.pid()), Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    fixture.daemon.wait_for_log(&["NOTICE", "the configuration files are watched again"], LIMIT).await;
    fixture.wait_start(CPE1).await;
    let mark = fixture.edit(|settings| settings.set_connection(1, "con_alias", "seen"));
    fixture.daemon.log().wait(mark, &["connection 1", "settings applied in place"], LIMIT).await;
    fixture.assert_same_stream(CPE1).await;
    assert_eq!(fixture.daemon.log().since(0, &["cannot be watched"]).len(), 1);
    assert_eq!(fixture.daemon.log().since(0, &["are watched again"]).len(), 1);
}
