//! `ubusd` dies, hangs, comes back or is replaced by something else: no stream is touched, requests fail in plain words
//! meanwhile and succeed afterwards.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::object::published;
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT};

async fn start() -> Fixture {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture
}

/// Sets how long xmppd waits for the CWMP client, in ms.
async fn set_limit(fixture: &mut Fixture, limit: u32) {
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", limit)).await;
}

/// Asks for a request that fails with these words in the log.
async fn fails(fixture: &mut Fixture, words: &str) {
    let mark = fixture.daemon.log().mark();
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.log().wait(mark, &["NOTICE", "acs@a.test/r failed: ", words], LIMIT).await;
}

/// Everything works again, on the same streams: requests, and the object of xmppd.
async fn all_is_well(mut fixture: Fixture) {
    published(fixture.daemon.ubus()).await;
    let status = fixture.daemon.ubus().call("xmppd", "status", &json!({})).unwrap();
    assert_eq!(status["connections"][1]["status"], "Enabled", "{status}");
    assert_eq!(status["daemon"]["ubus"]["connected"], true, "{status}");
    for to in [CPE1, CPE2] {
        assert_result(&fixture.ask_once(&good_request(to)).await);
    }
    fixture.assert_same_streams().await;
    for jid in [CPE1, CPE2] {
        fixture.assert_never_disconnected(jid);
    }
}

#[tokio::test]
async fn ubusd_is_killed_and_started_again_while_idle() {
    let mut fixture = start().await;
    fixture.daemon.ubus().kill_ubusd();
    // Closed or reset: the kernel resets it if ubusd had not read everything.
    fixture.daemon.wait_for_log(&["WARNING", "ubus: no connection"], LIMIT).await;
    fails(&mut fixture, "ubus cannot be reached").await;
    fails(&mut fixture, "ubus cannot be reached").await;
    fixture.daemon.ubus().start_ubusd();
    fixture.daemon.ubus().client_ready().await;
    // A request does not wait for the next reconnection.
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
    assert_eq!(fixture.daemon.log().since(0, &["WARNING", "ubus"]).len(), 1);
    all_is_well(fixture).await;
}

#[tokio::test]
async fn ubusd_comes_back_and_is_found_without_a_request() {
    let fixture = start().await;
    fixture.daemon.ubus().kill_ubusd();
    fixture.daemon.wait_for_log(&["WARNING", "ubus: no connection"], LIMIT).await;
    fixture.daemon.ubus().start_ubusd();
    fixture.daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
    fixture.daemon.ubus().client_ready().await;
    all_is_well(fixture).await;
}

#[tokio::test]
async fn ubusd_is_killed_during_a_call() {
    let mut fixture = start().await;
    fixture.daemon.ubus().hold();
    fixture.acs.send(&good_request(CPE1)).await;
    fixture.daemon.ubus().wait_calls(2, LIMIT).await;
    let mark = fixture.daemon.log().mark();
    fixture.daemon.ubus().kill_ubusd();
    assert_unavailable(&fixture.acs.expect("<iq ").await);
    fixture.daemon.log().wait(mark, &["NOTICE", "failed: the connection to ubus was lost"], LIMIT).await;
    fixture.daemon.ubus().behave();
    fixture.daemon.ubus().start_ubusd();
    fixture.daemon.ubus().client_ready().await;
    all_is_well(fixture).await;
}

#[tokio::test]
async fn ubusd_is_stopped_and_goes_on() {
    let mut fixture = start().await;
    for _ in 0..2 {
        fixture.daemon.ubus().signal_ubusd(Signal::STOP);
        set_limit(&mut fixture, 1000).await;
        for _ in 0..3 {
            fails(&mut fixture, "no answer on ubus within 1000 ms").await;
        }
        fixture.daemon.ubus().signal_ubusd(Signal::CONT);
        set_limit(&mut fixture, 10_000).await;
        assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    }
    assert_eq!(fixture.daemon.log().since(0, &["WARNING", "ubus"]), [""; 0], "the connection was never lost");
    all_is_well(fixture).await;
}

#[tokio::test]
async fn ubusd_is_stopped_during_a_call() {
    let mut fixture = start().await;
    set_limit(&mut fixture, 1500).await;
    fixture.daemon.ubus().hold();
    fixture.acs.send(&good_request(CPE1)).await;
    fixture.daemon.ubus().wait_calls(2, LIMIT).await;
    fixture.daemon.ubus().signal_ubusd(Signal::STOP);
    assert_unavailable(&fixture.acs.expect("<iq ").await);
    fixture.daemon.ubus().behave();
    fixture.daemon.ubus().signal_ubusd(Signal::CONT);
    set_limit(&mut fixture, 10_000).await;
    all_is_well(fixture).await;
}

/// What listens in place of `ubusd`.
struct Nonsense {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Nonsense {
    /// Accepts connections and sends each of them these bytes.
    fn start(fixture: &Fixture, bytes: &'static [u8]) -> Self {
        let listener = UnixListener::bind(fixture.daemon.ubus().socket()).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let _ = client.write_all(bytes);
                // Closed at once, it could fail a write of xmppd, which then would not read the bytes.
                let _ = client.set_read_timeout(Some(Duration::from_millis(100)));
                let _ = client.read(&mut [0; 64]);
            }
        });
        Self { ended, thread }
    }

    fn end(self, fixture: &Fixture) {
        self.ended.store(true, Ordering::SeqCst);
        let socket = fixture.daemon.ubus().socket();
        // Wakes the thread. It fails if a connection of xmppd has done that already.
        let _ = UnixStream::connect(&socket);
        self.thread.join().unwrap();
        std::fs::remove_file(socket).unwrap();
    }
}

#[tokio::test]
async fn something_else_listens_in_place_of_ubusd() {
    let mut fixture = start().await;
    for (bytes, words) in [
        (&b"\r\nHTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak the protocol of ubus"),
        (&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4][..], "the peer does not begin with HELLO"),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff][..], "announces a message of 16777215 bytes"),
        // HELLO, and then a message that never ends.
        (&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0x10, 0, 0, 7][..], ""),
        (&[0, 0, 0][..], ""),
    ] {
        fixture.daemon.ubus().kill_ubusd();
        let nonsense = Nonsense::start(&fixture, bytes);
        fails(&mut fixture, words).await;
        nonsense.end(&fixture);
        fixture.daemon.ubus().start_ubusd();
        fixture.daemon.ubus().client_ready().await;
        // Until the end of the last connection is seen; then a request makes the next one.
        let start = Instant::now();
        while !fixture.ask_once(&good_request(CPE2)).await.contains("type='result'") {
            assert!(start.elapsed() < LIMIT, "no request succeeds any more");
        }
    }
    all_is_well(fixture).await;
}
