//! `ubusd` dies, hangs, comes back or is replaced by something else: no stream is touched, requests fail in plain words
//! meanwhile and succeed afterwards.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::stanzas::{assert_result, assert_unavailable, good_request};
use crate::harness::{CPE1, CPE2, LIMIT, Scene};

async fn start() -> Scene {
    let mut scene = Scene::with(|settings| {
        settings.set("connreq_limit", 0);
        settings.set("notify_timeout_ms", 1000);
    })
    .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene
}

/// Asks for a request that fails with these words in the log.
async fn fails(scene: &mut Scene, words: &str) {
    let mark = scene.daemon.log().mark();
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.log().wait(mark, &["NOTICE", "acs@a.test/r failed: ", words], LIMIT).await;
}

/// Everything works again, on the streams of old.
async fn all_is_well(mut scene: Scene) {
    for to in [CPE1, CPE2] {
        assert_result(&scene.ask_once(&good_request(to)).await);
    }
    scene.assert_both_same().await;
    for jid in [CPE1, CPE2] {
        scene.assert_never_cut(jid);
    }
}

#[tokio::test]
async fn ubusd_is_killed_and_started_again_while_idle() {
    let mut scene = start().await;
    scene.daemon.ubus().kill_ubusd();
    scene.daemon.wait_for_log(&["WARNING", "ubus: no connection: closed by the peer"], LIMIT).await;
    fails(&mut scene, "ubus cannot be reached").await;
    fails(&mut scene, "ubus cannot be reached").await;
    scene.daemon.ubus().start_ubusd();
    scene.daemon.ubus().client_ready().await;
    // A request does not wait for the next reconnection.
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
    assert_eq!(scene.daemon.log().since(0, &["WARNING", "ubus"]).len(), 1);
    all_is_well(scene).await;
}

#[tokio::test]
async fn ubusd_comes_back_and_is_found_without_a_request() {
    let scene = start().await;
    scene.daemon.ubus().kill_ubusd();
    scene.daemon.wait_for_log(&["WARNING", "ubus: no connection"], LIMIT).await;
    scene.daemon.ubus().start_ubusd();
    scene.daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
    scene.daemon.ubus().client_ready().await;
    all_is_well(scene).await;
}

#[tokio::test]
async fn ubusd_is_killed_during_a_call() {
    let mut scene = start().await;
    scene.daemon.ubus().hold();
    scene.acs.send(&good_request(CPE1)).await;
    scene.daemon.ubus().wait_calls(2, LIMIT).await;
    let (mark, start) = (scene.daemon.log().mark(), Instant::now());
    scene.daemon.ubus().kill_ubusd();
    assert_unavailable(&scene.acs.expect("<iq ").await);
    assert!(start.elapsed() < Duration::from_millis(900), "it is said at once: {:?}", start.elapsed());
    scene.daemon.log().wait(mark, &["NOTICE", "failed: the connection to ubus was lost"], LIMIT).await;
    scene.daemon.ubus().behave();
    scene.daemon.ubus().start_ubusd();
    scene.daemon.ubus().client_ready().await;
    all_is_well(scene).await;
}

#[tokio::test]
async fn ubusd_is_stopped_and_goes_on() {
    let mut scene = start().await;
    for _ in 0..2 {
        scene.daemon.ubus().signal_ubusd(Signal::STOP);
        for _ in 0..3 {
            fails(&mut scene, "no answer on ubus within 1000 ms").await;
        }
        scene.daemon.ubus().signal_ubusd(Signal::CONT);
        assert_result(&scene.ask_once(&good_request(CPE1)).await);
    }
    assert_eq!(scene.daemon.log().since(0, &["WARNING", "ubus"]), [""; 0], "the connection was never lost");
    all_is_well(scene).await;
}

#[tokio::test]
async fn ubusd_is_stopped_during_a_call() {
    let mut scene = start().await;
    scene.daemon.ubus().hold();
    scene.acs.send(&good_request(CPE1)).await;
    scene.daemon.ubus().wait_calls(2, LIMIT).await;
    scene.daemon.ubus().signal_ubusd(Signal::STOP);
    assert_unavailable(&scene.acs.expect("<iq ").await);
    scene.daemon.ubus().behave();
    scene.daemon.ubus().signal_ubusd(Signal::CONT);
    all_is_well(scene).await;
}

/// Accepts connections and sends each of them these bytes, until it is dropped.
fn nonsense(scene: &Scene, bytes: &'static [u8]) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(scene.daemon.ubus().socket()).unwrap();
    std::thread::spawn(move || {
        // The last one to connect is the test, which says nothing.
        while let Ok((mut client, _)) = listener.accept() {
            let _ = client.write_all(bytes);
            let _ = client.set_read_timeout(Some(Duration::from_millis(100)));
            let mut said = [0; 64];
            if matches!(client.read(&mut said), Ok(3)) && said[..3] == *b"end" {
                return;
            }
        }
    })
}

fn end_nonsense(scene: &Scene, thread: std::thread::JoinHandle<()>) {
    let mut client = std::os::unix::net::UnixStream::connect(scene.daemon.ubus().socket()).unwrap();
    client.write_all(b"end").unwrap();
    thread.join().unwrap();
    std::fs::remove_file(scene.daemon.ubus().socket()).unwrap();
}

#[tokio::test]
async fn something_else_listens_in_place_of_ubusd() {
    let mut scene = start().await;
    for (bytes, words) in [
        (&b"\r\nHTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak the protocol of ubus"),
        (&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4][..], "the peer does not begin with HELLO"),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff][..], "announces a message of 16777215 bytes"),
        // HELLO, and then a message that never ends.
        (&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0x10, 0, 0, 7][..], ""),
        (&[0, 0, 0][..], ""),
    ] {
        scene.daemon.ubus().kill_ubusd();
        let thread = nonsense(&scene, bytes);
        fails(&mut scene, words).await;
        end_nonsense(&scene, thread);
        scene.daemon.ubus().start_ubusd();
        scene.daemon.ubus().client_ready().await;
        // Until the end of the last connection is seen; then a request makes the next one.
        let start = Instant::now();
        while !scene.ask_once(&good_request(CPE2)).await.contains("type='result'") {
            assert!(start.elapsed() < LIMIT, "no request succeeds any more");
        }
    }
    all_is_well(scene).await;
}
