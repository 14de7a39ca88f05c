//! Edits that alternate good and bad: the last good one runs.

use crate::harness::scene::Settings;
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// The file with an error: of its syntax, or of one section. No two are alike in where the error is.
fn broken(settings: &Settings, n: usize) -> String {
    let text = settings.text() + &"\n".repeat(n);
    match n % 4 {
        0 => text + "optoin note 'x'\n",
        1 => text + "\toption note 'no end\n",
        2 => text.replacen("option enable '1'\n\toption username", "option enable 'maybe'\n\toption username", 2),
        _ => text + "config connection_server\n\toption con_id '1'\n\toption con_srv_inst '9'\n\toption port 'x'\n",
    }
}

fn good(base: &Settings, n: usize) -> Settings {
    let mut settings = base.clone();
    settings.set_connection(2, "con_alias", format!("good-{n}"));
    settings
}

async fn nothing_was_cut(scene: &mut Scene) {
    scene.wait_file_runs().await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// 200 of them as fast as they can be written.
async fn alternate(scene: &mut Scene, to: impl Fn(usize) -> Settings) {
    for n in 0..100 {
        let good = to(n).text();
        let bad = broken(&to(n), n);
        scene.write(&bad);
        scene.write(&good);
        if n % 10 == 0 {
            scene.assert_same(CPE1).await;
        }
    }
}

#[tokio::test]
async fn two_hundred_that_end_with_a_good_one() {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    for how in [How::InPlace, How::Commit] {
        scene.by(how);
        let base = scene.settings.clone();
        alternate(&mut scene, |n| good(&base, n)).await;
        scene.settings = good(&base, 99);
        nothing_was_cut(&mut scene).await;
    }
}

#[tokio::test]
async fn two_hundred_that_end_with_a_bad_one() {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    for (how, last) in [(How::InPlace, 300), (How::Commit, 302), (How::InPlace, 303), (How::Commit, 305)] {
        scene.by(how);
        let last_good = good(&scene.settings, last);
        scene.edit(|settings| *settings = last_good.clone());
        nothing_was_cut(&mut scene).await;
        alternate(&mut scene, |_| last_good.clone()).await;
        // What the bad one would change if it were taken.
        let mut other = good(&last_good, 0);
        other.connections.truncate(1);
        other.servers.truncate(1);
        let bad = if last % 4 < 2 { broken(&other, last) } else { broken(&last_good, last) };
        let line = format!(":{}:", bad.lines().position(is_wrong).unwrap() + 1);
        let mark = scene.write(&bad);
        scene.daemon.log().wait(mark, &["ERROR", &line], LIMIT).await;
        nothing_was_cut(&mut scene).await;
    }
}

fn is_wrong(line: &str) -> bool {
    ["optoin", "no end", "'maybe'", "port 'x'"].iter().any(|wrong| line.contains(wrong))
}

/// Each of them is read before the next one is written.
#[tokio::test]
async fn each_bad_one_is_refused_and_each_good_one_taken() {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    let file = scene.daemon.xmpp().path().display().to_string();
    for n in 0..12 {
        scene.by(if n % 3 == 0 { How::Commit } else { How::InPlace });
        let bad = broken(&scene.settings, n);
        let mark = scene.write(&bad);
        scene.daemon.log().wait(mark, &["ERROR", &file], LIMIT).await;
        let mark = scene.edit(|settings| *settings = good(settings, n));
        scene.daemon.log().wait(mark, &[&file, "update connection 2"], LIMIT).await;
    }
    nothing_was_cut(&mut scene).await;
}
