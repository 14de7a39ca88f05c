//! A file that is written slowly: half of it is never taken for the whole.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, End, LIMIT, Scene};

/// Writes a piece, of which others learn at once.
fn write(file: &mut File, piece: &str) {
    file.write_all(piece.as_bytes()).unwrap();
    file.flush().unwrap();
}

#[tokio::test]
async fn piece_by_piece_over_seconds() {
    let mut scene = Scene::start().await;
    let path = scene.daemon.xmpp().path().to_owned();
    let name = path.display().to_string();
    scene.settings.set_connection(2, "con_alias", "slow");
    let text = scene.settings.text();
    let mark = scene.daemon.log().mark();
    let mut file = File::create(&path).unwrap();
    let writer = std::thread::spawn(move || {
        for piece in text.as_bytes().chunks(text.len() / 40) {
            write(&mut file, std::str::from_utf8(piece).unwrap());
            // The scenario itself: it is written slowly.
            std::thread::sleep(Duration::from_millis(60));
        }
        file
    });
    let mut n = 0;
    while !writer.is_finished() {
        // Something else in the same directory changes meanwhile, and is taken.
        n += 1;
        let now = scene.daemon.log().mark();
        scene.daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", &format!("secret-{n}"))]));
        scene.daemon.log().wait(now, &["credentials taken over"], LIMIT).await;
        // Nor does it help to ask for it.
        scene.daemon.signal(Signal::HUP);
    }
    let file = writer.join().unwrap();
    assert_eq!(scene.daemon.log().since(mark, &[&name]), [""; 0], "it is not closed yet");
    drop(file);
    scene.daemon.wait_for_value(2, "alias", "slow").await;
    assert_eq!(scene.daemon.log().since(mark, &[&name]).len(), 1);
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// Where the file was there before, only its closing is news.
#[tokio::test]
async fn a_writer_that_stalls_in_place_is_waited_for() {
    let mut scene = Scene::start().await;
    let path = scene.daemon.xmpp().path().to_owned();
    let name = path.display().to_string();
    scene.settings.set_connection(2, "con_alias", "stalled");
    let text = scene.settings.text();
    let (first, second) = text.split_at(text.find("config connection\n").unwrap());
    let mark = scene.daemon.log().mark();
    let mut file = File::create(&path).unwrap();
    write(&mut file, first);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    scene.assert_both_same().await;
    assert_eq!(scene.daemon.log().since(mark, &[&name]), [""; 0]);
    write(&mut file, second);
    drop(file);
    scene.daemon.wait_for_value(2, "alias", "stalled").await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
    scene.assert_never_cut(CPE2);
}

/// A file that is made anew is news from its beginning: after a second without a write it is taken as it is. What is
/// in it goes on, and the rest comes back when it is whole.
#[tokio::test]
async fn a_new_file_whose_writer_stalls_is_taken_and_heals() {
    let mut scene = Scene::start().await;
    let path = scene.daemon.xmpp().path().to_owned();
    let mut one = scene.settings.clone();
    one.connections.truncate(1);
    one.servers.truncate(1);
    let (first, whole) = (one.text(), scene.settings.text());
    let second = uci::text([&scene.settings.connections[1], &scene.settings.servers[1]]);
    scene.daemon.xmpp().remove();
    let mut file = File::create(&path).unwrap();
    write(&mut file, &first);
    assert_eq!(scene.prosody.wait_gone(CPE2, LIMIT).await, Some(End::ByClient));
    scene.assert_same(CPE1).await;
    write(&mut file, &second);
    drop(file);
    assert_eq!((first + &second).len(), whole.len());
    scene.wait_start(CPE2).await;
    scene.assert_both_same().await;
    scene.assert_never_cut(CPE1);
}
