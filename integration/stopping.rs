//! The end: in good order, and within 3 s whatever the server does.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::fleet::{jid, request};
use crate::harness::script::{MECHANISMS, Peer, STARTTLS, Script};
use crate::harness::{Daemon, End, Fleet, LIMIT, Prosody, Section, Session, Setup, until};

/// How long it may take to be gone, whatever the server does.
const PROMISED: Duration = Duration::from_secs(3);

/// Ends it and checks what holds for every stop that was asked for.
async fn ends_well(daemon: &mut Daemon, signal: Signal) {
    let (status, time) = daemon.end(signal).await;
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(time < PROMISED, "it took {time:?}");
    assert!(!daemon.socket().exists(), "the control socket is left behind");
    assert_eq!(daemon.log().since(0, &["ERROR"]), Vec::<String>::new());
    assert_eq!(daemon.log().lines().last().map(String::as_str), Some("xmppd: INFO stopped"));
}

/// The server saw `</stream:stream>` on every stream before its connection ended.
async fn closed_cleanly(prosody: &Prosody, sessions: &BTreeMap<u32, Session>) {
    for id in sessions.keys() {
        assert_eq!(prosody.wait_gone(&jid(*id), LIMIT).await, Some(End::ByClient), "connection {id}");
    }
}

async fn streams_are_closed_cleanly(signal: Signal, count: u32) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, sessions) = Fleet::new(count, &[1], &prosody).start(&prosody).await;
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
async fn twenty_streams_are_closed_side_by_side() {
    streams_are_closed_cleanly(Signal::TERM, 20).await;
}

#[tokio::test]
async fn without_any_connection_there_is_nothing_to_wait_for() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(0, &[], &prosody);
    let mut daemon = fleet.setup().start();
    assert!(daemon.statuses().await.is_empty());
    ends_well(&mut daemon, Signal::TERM).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, sessions) = Fleet::new(3, &[1], &prosody).start(&prosody).await;
    daemon.statuses().await;
    prosody.freeze();
    ends_well(&mut daemon, Signal::TERM).await;
    // It sees the end when it can. Whether it still reads our farewell, or writes first into what is closed by then and
    // loses that, is up to its own order of events.
    prosody.thaw();
    for id in sessions.keys() {
        let end = prosody.wait_gone(&jid(*id), LIMIT).await;
        assert!(matches!(end, Some(End::ByClient | End::Lost)), "connection {id}: {end:?}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let mut prosody = Prosody::start(&["a.test"]).await;
        let (mut daemon, _) = Fleet::new(2, &[1], &prosody).start(&prosody).await;
        daemon.statuses().await;
        prosody.freeze();
        daemon.signal(Signal::TERM);
        // The streams are being closed, which the server does not answer.
        daemon.wait_for_log(&["connection 1", "closing the stream"], LIMIT).await;
        daemon.wait_for_log(&["connection 2", "closing the stream"], LIMIT).await;
        assert!(daemon.running());
        let (status, time) = daemon.end(second).await;
        assert!(time < Duration::from_secs(1), "after the second signal it took {time:?}");
        assert_eq!(status.code(), Some(0), "it was stopped by a signal: {status:?}");
        assert!(!daemon.socket().exists());
        daemon.wait_for_log(&["WARNING", "asked to stop again"], LIMIT).await;
    }
}

#[tokio::test]
async fn sigterm_while_it_connects() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1], &prosody);
    // The system accepts the connections; nobody answers on them.
    prosody.freeze();
    let mut daemon = fleet.setup().start();
    for id in fleet.ids() {
        let name = format!("connection {id} ");
        daemon.wait_for_log(&[&name, "attempt 1 at"], LIMIT).await;
        assert_eq!(daemon.statuses().await[&id].word(), "Connecting");
    }
    ends_well(&mut daemon, Signal::TERM).await;
    assert_eq!(daemon.log().since(0, &["closing the stream"]), [""; 0], "there is none");
}

/// The work is on a thread of its own, which nobody can interrupt: it takes longer than there is time.
#[tokio::test]
async fn sigterm_while_the_keys_of_a_login_are_derived() {
    let script = Script::start("a.test", |_, mut peer: Peer| async move {
        peer.open(STARTTLS).await?;
        peer.starttls().await?;
        peer.open(MECHANISMS).await?;
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
async fn sigterm_while_it_waits() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(2, &[1], &prosody);
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
async fn sigterm_while_the_cwmp_client_is_told() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(1, &[1], &prosody);
    fleet.general = fleet.general.option("notify_timeout_ms", 10_000);
    let (mut daemon, sessions) = fleet.start(&prosody).await;
    daemon.ubus().take(Duration::from_secs(9));
    let mut acs = prosody.requester("acs@a.test/r").await;
    let stop = async {
        daemon.ubus().wait_calls(1, LIMIT).await;
        ends_well(&mut daemon, Signal::TERM).await;
    };
    let (answer, ()) = tokio::join!(request(&mut acs, 1), stop);
    // Nobody can say that the CWMP client was told.
    let unavailable = matches!(&answer, connreq::Answer::Error { condition, .. } if condition == "service-unavailable");
    assert!(unavailable, "{answer:?}");
    daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "the stream is closed"], LIMIT).await;
    closed_cleanly(&prosody, &sessions).await;
    let calls = daemon.ubus().calls();
    assert_eq!((calls.len(), calls[0].status), (1, None), "the call did not come to its end");
}

/// What is gone can be started again on the same files and socket.
#[tokio::test]
async fn it_starts_again() {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Fleet::new(1, &[1], &prosody);
    let (mut daemon, _) = fleet.start(&prosody).await;
    // Once as it should be, once so that it leaves its socket behind.
    for signal in [Signal::TERM, Signal::KILL] {
        let before = prosody.wait_online(&jid(1), LIMIT).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        daemon.end(signal).await;
        assert_eq!(daemon.socket().exists(), signal == Signal::KILL);
        daemon.start_again();
        crate::harness::fleet::wait_back(&prosody, 1, &before).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
    }
}

/// One that aborts for lack of memory, say. A limit of one byte is none, also where cores are piped to a program.
#[tokio::test]
async fn a_process_that_dies_leaves_no_core() {
    let mut daemon = Setup::empty().start();
    daemon.log().wait(0, &["no such file"], LIMIT).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().skip(4).take(2).eq(["1", "1"]), "{core}");
    let (status, _) = daemon.end(Signal::ABORT).await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}
