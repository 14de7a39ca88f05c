//! As many edits as one can write in a few seconds.

use super::{add_connection, remove_connection};
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, ping};
use crate::harness::{CPE1, CPE2, How, Scene};

const EDITS: usize = 1000;

/// One of the edits: connection 1 is never in it, of connection 2 only what does not touch its stream.
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
        remove_connection(&mut settings, 6);
    }
    settings
}

/// Edits that end with the one of this number.
async fn storm(how: How, last: usize) {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    for id in 3..=6 {
        add_connection(&mut scene, id);
    }
    scene.edit(|_| ());
    scene.wait_file_runs().await;

    let all: Vec<Settings> = (last + 1 - EDITS..=last).map(|n| edited(&scene.settings, n)).collect();
    // Whoever still has another password than that of the last edit cannot be online at the end.
    scene.prosody.account_with("cpe3@a.test", &format!("password-{last}"));
    let texts: Vec<String> = all.iter().map(Settings::text).collect();
    let file = scene.daemon.xmpp().clone();
    let (mark, before) = (scene.daemon.log().mark(), scene.prosody.events().len());
    let writer = std::thread::spawn(move || {
        for text in &texts {
            match how {
                How::InPlace => file.write_in_place(text),
                How::Commit => file.commit(text),
            }
        }
    });
    while !writer.is_finished() {
        assert_result(&scene.acs.ask(&ping(CPE1)).await);
    }
    writer.join().unwrap();
    scene.settings = all.into_iter().next_back().unwrap();
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);

    // Each reading found another alias than the one before.
    let file = scene.daemon.xmpp().path().display().to_string();
    let readings = scene.daemon.log().since(mark, &["INFO", &file, "update connection 2"]).len();
    assert!((1..=EDITS / 4).contains(&readings), "{readings} readings");
    for id in 3..=6 {
        let of = format!("cpe{id}@a.test/");
        let bound = |event: &&crate::harness::sessions::Event| {
            event.jid.starts_with(&of) && event.kind == crate::harness::Kind::Bind
        };
        let logins = scene.prosody.events().iter().skip(before).filter(bound).count();
        assert!(logins <= readings, "{logins} logins of connection {id} after {readings} readings");
    }
    // Nothing half was ever read.
    assert_eq!(scene.daemon.log().since(mark, &["ERROR"]), [""; 0]);
}

#[tokio::test]
async fn a_thousand_edits_in_place() {
    storm(How::InPlace, 1000).await;
}

#[tokio::test]
async fn a_thousand_commits() {
    storm(How::Commit, 2003).await;
}
