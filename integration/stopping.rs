//! Shutdown: clean, and within 3 s whatever the server does.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::fleet::{jid, request};
use crate::harness::scripted_server::{MECHANISMS, Peer, ScriptedServer};
use crate::harness::{Daemon, LIMIT, Prosody, Section, Server, Session, SessionEnd, Settings, Setup, until};

/// Sends the signal and checks what holds for every requested stop.
async fn ends_well(daemon: &mut Daemon, signal: Signal) {
    daemon.assert_stops(signal).await;
    daemon.log().assert_without(&["ERROR"]);
}

/// Fails unless the server saw `</stream:stream>` on every stream before its connection ended.
async fn closed_cleanly(prosody: &Prosody, sessions: &BTreeMap<u32, Session>) {
    for id in sessions.keys() {
        assert_eq!(prosody.wait_gone(&jid(*id), LIMIT).await, Some(SessionEnd::ByClient), "connection {id}");
    }
}

async fn streams_are_closed_cleanly(signal: Signal, count: u32) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, sessions) = Settings::fleet(count, &[1], &prosody).start(&prosody).await;
    assert_eq!(daemon.statuses().await.len(), count as usize);
    ends_well(&mut daemon, signal).await;
    closed_cleanly(&prosody, &sessions).await;
}

#[tokio::test]
async fn sigterm_closes_the_streams() {
    streams_are_closed_cleanly(Signal::TERM, 3).await;
}

#[tokio::test]
async fn sigint_closes_the_streams() {
    streams_are_closed_cleanly(Signal::INT, 3).await;
}

#[tokio::test]
async fn twenty_streams_are_closed_concurrently() {
    streams_are_closed_cleanly(Signal::TERM, 20).await;
}

#[tokio::test]
async fn without_connections_it_stops_at_once() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(0, &[], &prosody);
    let mut daemon = fleet.setup().start();
    assert!(daemon.statuses().await.is_empty());
    ends_well(&mut daemon, Signal::TERM).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_does_not_delay_the_stop() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, sessions) = Settings::fleet(3, &[1], &prosody).start(&prosody).await;
    daemon.statuses().await;
    prosody.freeze();
    ends_well(&mut daemon, Signal::TERM).await;
    // The server sees the end when it continues. Whether it first reads the end of the stream, or first writes and gets
    // a RST, depends on its order of events.
    prosody.thaw();
    for id in sessions.keys() {
        let end = prosody.wait_gone(&jid(*id), LIMIT).await;
        assert!(matches!(end, Some(SessionEnd::ByClient | SessionEnd::Lost)), "connection {id}: {end:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let mut prosody = Prosody::start(&["a.test"]).await;
        let (mut daemon, _) = Settings::fleet(2, &[1], &prosody).start(&prosody).await;
        daemon.statuses().await;
        prosody.freeze();
        daemon.signal(Signal::TERM);
        // The streams are being closed, without an answer from the server.
        daemon.wait_for_log(&["connection 1", "closing the stream"], LIMIT).await;
        daemon.wait_for_log(&["connection 2", "closing the stream"], LIMIT).await;
        assert!(daemon.running());
        let status = daemon.end(second).await;
        assert_eq!(status.code(), Some(0), "it was stopped by a signal: {status:?}");
        assert!(!daemon.socket().exists());
        daemon.wait_for_log(&["WARNING", "while stopping: aborting open connections"], LIMIT).await;
    }
}

#[tokio::test]
async fn sigterm_while_connecting_stops_in_time() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1], &prosody);
    // The kernel accepts the connections; nothing answers.
    prosody.freeze();
    let mut daemon = fleet.setup().start();
    for id in fleet.ids() {
        let name = format!("connection {id} ");
        daemon.wait_for_log(&[&name, "pass 1: attempting"], LIMIT).await;
        assert_eq!(daemon.statuses().await[&id].word(), "Connecting");
    }
    ends_well(&mut daemon, Signal::TERM).await;
    assert_eq!(daemon.log().since(0, &["closing the stream"]), [""; 0], "there is none");
}

/// The work is on a thread that cannot be interrupted, and takes longer than the time limit.
#[tokio::test]
async fn sigterm_during_key_derivation_stops_in_time() {
    let script = ScriptedServer::start("a.test", |_, mut peer: Peer| async move {
        peer.encrypt(MECHANISMS).await?;
        peer.ask_for_iterations(1_000_000).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let sections =
        [Section::general(&[]), Section::connection(1, "cpe1@a.test/wan", &script), Section::server(1, &script)];
    let mut daemon = Daemon::start(&sections);
    until("the challenge", LIMIT, || script.seen().first().filter(|seen| seen.received.contains("<auth")).map(drop))
        .await;
    ends_well(&mut daemon, Signal::TERM).await;
}

#[tokio::test]
async fn sigterm_during_a_wait_stops_in_time() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(2, &[1], &prosody);
    let fleet = fleet.with("initial_retry_interval", "65535").with("retry_max_interval", "65535");
    prosody.stop().await;
    let mut daemon = fleet.setup().start();
    for id in fleet.ids() {
        daemon.wait_for_status(id, "waiting", |status| status.next_attempt().is_some_and(|next| next > 10.0)).await;
    }
    ends_well(&mut daemon, Signal::TERM).await;
    assert_eq!(daemon.log().since(0, &["closing the stream"]), [""; 0], "there is none");
}

#[tokio::test]
async fn sigterm_during_a_notification_stops_in_time() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, sessions) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    daemon.ubus().take(Duration::from_secs(9));
    let mut acs = prosody.acs("acs@a.test/r").await;
    let stop = async {
        daemon.ubus().wait_calls(1, LIMIT).await;
        ends_well(&mut daemon, Signal::TERM).await;
    };
    let (answer, ()) = tokio::join!(request(&mut acs, 1), stop);
    // The CWMP client's result is not known.
    let unavailable = matches!(&answer, connreq::Answer::Error { condition, .. } if condition == "service-unavailable");
    assert!(unavailable, "{answer:?}");
    daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "the stream is being closed"], LIMIT).await;
    closed_cleanly(&prosody, &sessions).await;
    let calls = daemon.ubus().calls();
    assert_eq!((calls.len(), calls[0].status), (1, None), "the call did not come to its end");
}

/// It can be started again with the same files and socket.
#[tokio::test]
async fn a_stopped_or_killed_daemon_can_be_started_again() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(1, &[1], &prosody);
    let (mut daemon, _) = fleet.start(&prosody).await;
    // Once after a clean stop, once with the socket left behind.
    for signal in [Signal::TERM, Signal::KILL] {
        let before = prosody.wait_online(&jid(1), LIMIT).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        daemon.end(signal).await;
        assert_eq!(daemon.socket().exists(), signal == Signal::KILL);
        daemon.start_again();
        crate::harness::fleet::wait_reconnected(&prosody, 1, &before).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
    }
}

/// Such as an abort for lack of memory. A limit of one byte disables cores even if they are piped to a program.
#[tokio::test]
async fn an_abort_leaves_no_core() {
    let mut daemon = Setup::empty().start();
    daemon.log().wait(0, &["no such file"], LIMIT).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().skip(4).take(2).eq(["1", "1"]), "{core}");
    let status = daemon.end(Signal::ABORT).await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}
