//! A file that is written slowly: a partial file is never applied.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::uci;
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, SessionEnd};

/// Writes a piece and flushes it.
fn write(file: &mut File, piece: &str) {
    file.write_all(piece.as_bytes()).unwrap();
    file.flush().unwrap();
}

#[tokio::test]
async fn a_file_written_over_seconds_is_applied_when_closed() {
    let mut fixture = Fixture::start().await;
    let path = fixture.daemon.xmpp().path().to_owned();
    let name = path.display().to_string();
    fixture.settings.set_connection(2, "con_alias", "slow");
    let text = fixture.settings.text();
    let mark = fixture.daemon.log().mark();
    let mut file = File::create(&path).unwrap();
    let writer = std::thread::spawn(move || {
        for piece in text.as_bytes().chunks(text.len() / 40) {
            write(&mut file, std::str::from_utf8(piece).unwrap());
            // The premise of the test: the file was written slowly.
            std::thread::sleep(Duration::from_millis(60));
        }
        file
    });
    let mut n = 0;
    while !writer.is_finished() {
        // Another file in the same directory changes meanwhile, and is applied.
        n += 1;
        fixture.daemon.set_credentials("cpe-user", &format!("secret-{n}")).await;
        // A reconnect request does not force a reading either.
        fixture.daemon.signal(Signal::HUP);
    }
    let file = writer.join().unwrap();
    assert_eq!(fixture.daemon.log().since(mark, &[&name]), [""; 0], "it is not closed yet");
    drop(file);
    fixture.daemon.wait_for_value(2, "alias", "slow").await;
    assert_eq!(fixture.daemon.log().since(mark, &[&name]).len(), 1);
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// If the file existed before, only its closing is waited for.
#[tokio::test]
async fn a_stalled_writer_of_an_existing_file_is_waited_for() {
    let mut fixture = Fixture::start().await;
    let path = fixture.daemon.xmpp().path().to_owned();
    let name = path.display().to_string();
    fixture.settings.set_connection(2, "con_alias", "stalled");
    let text = fixture.settings.text();
    let (first, second) = text.split_at(text.find("config connection\n").unwrap());
    let mark = fixture.daemon.log().mark();
    let mut file = File::create(&path).unwrap();
    write(&mut file, first);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    fixture.assert_same_streams().await;
    assert_eq!(fixture.daemon.log().since(mark, &[&name]), [""; 0]);
    write(&mut file, second);
    drop(file);
    fixture.daemon.wait_for_value(2, "alias", "stalled").await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
    fixture.assert_never_disconnected(CPE2);
}

/// A new file is read after a second without a write, complete or not. Connections that it has keep running; the others
/// come back when it is complete.
#[tokio::test]
async fn a_new_file_with_a_stalled_writer_is_applied_and_completed_later() {
    let mut fixture = Fixture::start().await;
    let path = fixture.daemon.xmpp().path().to_owned();
    let mut one = fixture.settings.clone();
    one.remove(2);
    let (first, whole) = (one.text(), fixture.settings.text());
    let second = uci::text([&fixture.settings.connections[1], &fixture.settings.servers[1]]);
    fixture.daemon.xmpp().remove();
    let mut file = File::create(&path).unwrap();
    write(&mut file, &first);
    assert_eq!(fixture.prosody.wait_gone(CPE2, LIMIT).await, Some(SessionEnd::ByClient));
    fixture.assert_same_stream(CPE1).await;
    write(&mut file, &second);
    drop(file);
    assert_eq!((first + &second).len(), whole.len());
    fixture.wait_start(CPE2).await;
    fixture.assert_same_streams().await;
    fixture.assert_never_disconnected(CPE1);
}
