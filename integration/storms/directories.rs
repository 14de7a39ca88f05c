//! The directory of the files is moved, replaced, deleted, switched: no stream is cut, and the new files are taken.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::uci::{Section, UciFile};
use crate::harness::{CPE1, CPE2, LIMIT, Options, Scene};

/// Puts files that differ in an alias, and in the credentials, into a directory; makes it if need be.
fn fill(scene: &mut Scene, directory: &Path, alias: &str) {
    fs::create_dir_all(directory).unwrap();
    scene.settings.set_connection(2, "con_alias", alias);
    UciFile::at(directory.join("xmpp")).write_in_place(&scene.settings.text());
    let cwmp = Section::cpe("cpe-user", "cpe-secret").option("note", alias);
    UciFile::at(directory.join("cwmp")).write_in_place(&crate::harness::uci::text([&cwmp]));
}

async fn scene() -> Scene {
    Scene::with(|settings| settings.set("connreq_limit", 0)).await
}

fn directory(scene: &Scene) -> PathBuf {
    scene.daemon.xmpp().path().parent().unwrap().to_owned()
}

async fn taken(scene: &mut Scene, alias: &str) {
    scene.daemon.wait_for_value(2, "alias", alias).await;
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// The files are gone, and that was seen.
async fn gone(scene: &mut Scene, mark: usize) {
    scene.daemon.log().wait(mark, &["ERROR", "there is no such file; what runs goes on"], LIMIT).await;
    scene.assert_both_same().await;
}

/// An edit in what is the directory now is seen as before.
async fn followed(scene: &mut Scene, alias: &str) {
    let directory = directory(scene);
    fill(scene, &directory, alias);
    taken(scene, alias).await;
}

#[tokio::test]
async fn moved_away_and_back() {
    let mut scene = scene().await;
    let directory = directory(&scene);
    let away = directory.with_file_name("away");
    for n in 0..2 {
        let mark = scene.daemon.log().mark();
        fs::rename(&directory, &away).unwrap();
        gone(&mut scene, mark).await;
        fill(&mut scene, &away, &format!("away-{n}"));
        fs::rename(&away, &directory).unwrap();
        taken(&mut scene, &format!("away-{n}")).await;
        followed(&mut scene, &format!("back-{n}")).await;
    }
}

#[tokio::test]
async fn moved_away_and_back_a_hundred_times() {
    let mut scene = scene().await;
    let directory = directory(&scene);
    let away = directory.with_file_name("away");
    for _ in 0..100 {
        fs::rename(&directory, &away).unwrap();
        fs::rename(&away, &directory).unwrap();
    }
    followed(&mut scene, "after all").await;
}

#[tokio::test]
async fn replaced_by_another_directory() {
    let mut scene = scene().await;
    let directory = directory(&scene);
    for n in 0..2 {
        let (old, new) = (directory.with_file_name(format!("old-{n}")), directory.with_file_name("new"));
        fill(&mut scene, &new, &format!("new-{n}"));
        fs::rename(&directory, &old).unwrap();
        fs::rename(&new, &directory).unwrap();
        taken(&mut scene, &format!("new-{n}")).await;
        // Nobody looks into the old one any more.
        fs::write(old.join("xmpp"), "config xmpp 'xmpp'\n").unwrap();
        followed(&mut scene, &format!("in-it-{n}")).await;
    }
}

#[tokio::test]
async fn deleted_and_made_anew() {
    let mut scene = scene().await;
    let directory = directory(&scene);
    for n in 0..2 {
        let mark = scene.daemon.log().mark();
        fs::remove_dir_all(&directory).unwrap();
        gone(&mut scene, mark).await;
        fill(&mut scene, &directory, &format!("anew-{n}"));
        taken(&mut scene, &format!("anew-{n}")).await;
        followed(&mut scene, &format!("in-it-{n}")).await;
    }
}

#[tokio::test]
async fn a_link_that_is_switched() {
    let real = |setup: crate::harness::Setup| {
        let directory = setup.directory().join("config");
        let one = directory.with_file_name("one");
        fs::rename(&directory, &one).unwrap();
        symlink(&one, &directory).unwrap();
        setup
    };
    let mut scene = Scene::start_with(Options::default(), |settings| settings.set("connreq_limit", 0), real).await;
    let link = directory(&scene);
    for (n, name) in ["two", "one", "two"].into_iter().enumerate() {
        let (target, next) = (link.with_file_name(name), link.with_file_name("next"));
        fill(&mut scene, &target, &format!("switched-{n}"));
        symlink(&target, &next).unwrap();
        fs::rename(&next, &link).unwrap();
        taken(&mut scene, &format!("switched-{n}")).await;
        followed(&mut scene, &format!("in-it-{n}")).await;
    }
}
