//! The directory of the files is moved, replaced, deleted or switched: no stream is cut, and the new files are applied.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::uci::{Section, UciFile};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Options};

/// Creates the directory if needed, with files of this alias and other credentials.
fn fill(fixture: &mut Fixture, directory: &Path, alias: &str) {
    fs::create_dir_all(directory).unwrap();
    // First, so that the credentials are back when the alias shows: a file is not read while it is newer than 50 ms.
    let cwmp = Section::cpe("cpe-user", "cpe-secret").option("note", alias);
    UciFile::at(directory.join("cwmp")).write_in_place(&crate::harness::uci::text([&cwmp]));
    fixture.settings.set_connection(2, "con_alias", alias);
    UciFile::at(directory.join("xmpp")).write_in_place(&fixture.settings.text());
}

async fn fixture() -> Fixture {
    Fixture::with(|settings| settings.set("connreq_limit", 0)).await
}

fn directory(fixture: &Fixture) -> PathBuf {
    fixture.daemon.xmpp().path().parent().unwrap().to_owned()
}

async fn taken(fixture: &mut Fixture, alias: &str) {
    fixture.daemon.wait_for_value(2, "alias", alias).await;
    fixture.wait_file_applied().await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// Waits until the missing files are reported.
async fn gone(fixture: &mut Fixture, mark: usize) {
    fixture.daemon.log().wait(mark, &["ERROR", "there is no such file; keeping the current settings"], LIMIT).await;
    fixture.assert_same_streams().await;
}

/// Edits the present directory and waits until the edit is applied.
async fn followed(fixture: &mut Fixture, alias: &str) {
    let directory = directory(fixture);
    fill(fixture, &directory, alias);
    taken(fixture, alias).await;
}

#[tokio::test]
async fn a_directory_moved_away_and_back_is_followed() {
    let mut fixture = fixture().await;
    let directory = directory(&fixture);
    let away = directory.with_file_name("away");
    for n in 0..2 {
        let mark = fixture.daemon.log().mark();
        fs::rename(&directory, &away).unwrap();
        gone(&mut fixture, mark).await;
        fill(&mut fixture, &away, &format!("away-{n}"));
        fs::rename(&away, &directory).unwrap();
        taken(&mut fixture, &format!("away-{n}")).await;
        followed(&mut fixture, &format!("back-{n}")).await;
    }
}

#[tokio::test]
async fn a_directory_moved_a_hundred_times_is_followed() {
    let mut fixture = fixture().await;
    let directory = directory(&fixture);
    let away = directory.with_file_name("away");
    for _ in 0..100 {
        fs::rename(&directory, &away).unwrap();
        fs::rename(&away, &directory).unwrap();
    }
    followed(&mut fixture, "after all").await;
}

#[tokio::test]
async fn a_replaced_directory_is_followed() {
    let mut fixture = fixture().await;
    let directory = directory(&fixture);
    for n in 0..2 {
        let (old, new) = (directory.with_file_name(format!("old-{n}")), directory.with_file_name("new"));
        fill(&mut fixture, &new, &format!("new-{n}"));
        fs::rename(&directory, &old).unwrap();
        fs::rename(&new, &directory).unwrap();
        taken(&mut fixture, &format!("new-{n}")).await;
        // The old directory is not watched any more.
        fs::write(old.join("xmpp"), "config xmpp 'xmpp'\n").unwrap();
        followed(&mut fixture, &format!("in-it-{n}")).await;
    }
}

#[tokio::test]
async fn a_recreated_directory_is_followed() {
    let mut fixture = fixture().await;
    let directory = directory(&fixture);
    for n in 0..2 {
        let mark = fixture.daemon.log().mark();
        fs::remove_dir_all(&directory).unwrap();
        gone(&mut fixture, mark).await;
        fill(&mut fixture, &directory, &format!("anew-{n}"));
        taken(&mut fixture, &format!("anew-{n}")).await;
        followed(&mut fixture, &format!("in-it-{n}")).await;
    }
}

#[tokio::test]
async fn a_switched_link_is_followed() {
    let real = |setup: crate::harness::Setup| {
        let directory = setup.directory().join("config");
        let one = directory.with_file_name("one");
        fs::rename(&directory, &one).unwrap();
        symlink(&one, &directory).unwrap();
        setup
    };
    let mut fixture = Fixture::start_with(Options::default(), |settings| settings.set("connreq_limit", 0), real).await;
    let link = directory(&fixture);
    for (n, name) in ["two", "one", "two"].into_iter().enumerate() {
        let (target, next) = (link.with_file_name(name), link.with_file_name("next"));
        fill(&mut fixture, &target, &format!("switched-{n}"));
        symlink(&target, &next).unwrap();
        fs::rename(&next, &link).unwrap();
        taken(&mut fixture, &format!("switched-{n}")).await;
        followed(&mut fixture, &format!("in-it-{n}")).await;
    }
}
