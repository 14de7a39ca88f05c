//! As many edits as can be written in a few seconds.

use std::time::{Duration, Instant};

use super::add_connection;
use crate::harness::stanzas::{assert_result, ping};
use crate::harness::{CPE1, CPE2, Fixture, Server, Settings, WriteMethod};

const EDITS: usize = 1000;
/// A file is read when nothing has changed it for this long. On a slow disk, that can be so after each edit.
const QUIET: Duration = Duration::from_millis(50);

/// The settings of edit `n`: connection 1 is never changed, connection 2 only in options that do not affect its stream.
fn edited(base: &Settings, n: usize) -> Settings {
    let mut settings = base.clone();
    settings.set("id", ["1 2", "1 3 4", "2 5 6"][n / 7 % 3]);
    settings.set("allowed_jid", ["acs@a.test", "other@a.test"][n / 5 % 2]);
    settings.set_connection(2, "con_alias", format!("edit-{n}"));
    settings.set_connection(2, "interval", 100 + n);
    settings.set_connection(3, "password", format!("password-{n}"));
    settings.set_connection(4, "resource", format!("r{}", n % 10));
    settings.set_connection(5, "enable", n % 2);
    if (n / 3).is_multiple_of(2) {
        settings.remove(6);
    }
    settings
}

/// Writes edits up to this number.
async fn write_edits(method: WriteMethod, last: usize) {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    for id in 3..=6 {
        add_connection(&mut fixture, id);
    }
    fixture.edit(|_| ());
    fixture.wait_file_applied().await;

    let all: Vec<Settings> = (last + 1 - EDITS..=last).map(|n| edited(&fixture.settings, n)).collect();
    // Only a connection with the password of the last edit can be online at the end.
    fixture.prosody.add_account("cpe3@a.test", &format!("password-{last}"));
    let texts: Vec<String> = all.iter().map(Settings::text).collect();
    let file = fixture.daemon.xmpp().clone();
    let (mark, before) = (fixture.daemon.log().mark(), fixture.prosody.events().len());
    let start = Instant::now();
    let writer = std::thread::spawn(move || {
        for text in &texts {
            match method {
                WriteMethod::InPlace => file.write_in_place(text),
                WriteMethod::Commit => file.commit(text),
            }
        }
        start.elapsed()
    });
    while !writer.is_finished() {
        assert_result(&fixture.acs.ask(&ping(CPE1)).await);
    }
    let took = writer.join().unwrap();
    fixture.settings = all.into_iter().next_back().unwrap();
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);

    // Each reading found another alias than the previous one.
    let file = fixture.daemon.xmpp().path().display().to_string();
    let readings = fixture.daemon.log().since(mark, &["NOTICE", &file, "update connection 2"]).len();
    let quiet_times = usize::try_from(took.as_millis() / QUIET.as_millis()).unwrap();
    let most = (EDITS / 4).max(1 + quiet_times);
    assert!((1..=most).contains(&readings), "{readings} readings in {took:?}");
    for id in 3..=6 {
        let of = format!("cpe{id}@a.test/");
        let bound = |event: &&crate::harness::sessions::Event| {
            event.jid.starts_with(&of) && event.kind == crate::harness::EventKind::Bind
        };
        let logins = fixture.prosody.events().iter().skip(before).filter(bound).count();
        assert!(logins <= readings, "{logins} logins of connection {id} after {readings} readings");
    }
    // No partial file was read.
    assert_eq!(fixture.daemon.log().since(mark, &["ERROR"]), [""; 0]);
}

#[tokio::test]
async fn the_last_of_a_thousand_edits_in_place_is_applied() {
    write_edits(WriteMethod::InPlace, 1000).await;
}

#[tokio::test]
async fn the_last_of_a_thousand_commits_is_applied() {
    write_edits(WriteMethod::Commit, 2003).await;
}
