//! Tests of the harness: it observes what it claims to observe.

mod network;

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;

use rustix::process::{Signal, test_kill_process};
use serde_json::json;

use crate::harness::log::Log;
use crate::harness::process::{self, Process};
use crate::harness::program;
use crate::harness::ubus::Ubus;
use crate::harness::{Activity, Endpoint, LIMIT, Options, Prosody, Server, SessionEnd, Trace, UciFile, until};

/// `scripts/test.sh` runs this by itself before all others, so that no compiler takes the processors from them.
#[test]
fn the_programs_under_test_are_built() {
    for path in [program::xmppd(), program::shipped_xmppd(), program::connreq()] {
        assert!(std::path::Path::new(path).is_file(), "{path}");
    }
}

#[cfg(servers)]
#[tokio::test]
async fn prosody_distinguishes_a_clean_end_from_a_lost_connection() {
    let prosody = Prosody::start(&["a.test"]).await;
    let clean = prosody.raw_client("clean@a.test/r").await;
    let lost = prosody.raw_client("lost@a.test/r").await;
    let there = prosody.wait_online("clean@a.test/r", LIMIT).await;
    assert_ne!(there.port, prosody.wait_online("lost@a.test/r", LIMIT).await.port);
    clean.close().await;
    drop(lost);
    assert_eq!(prosody.wait_gone("clean@a.test/r", LIMIT).await, Some(SessionEnd::ByClient));
    assert_eq!(prosody.wait_gone("lost@a.test/r", LIMIT).await, Some(SessionEnd::Lost));
}

#[cfg(servers)]
#[tokio::test]
async fn prosody_reports_a_session_that_it_ended_itself() {
    let prosody = Prosody::start(&["a.test"]).await;
    let _first = prosody.raw_client("cpe@a.test/r").await;
    let before = prosody.wait_online("cpe@a.test/r", LIMIT).await;
    let second = prosody.raw_client("cpe@a.test/r").await;
    let after = until("the second session", LIMIT, || {
        prosody.sessions().remove("cpe@a.test/r").filter(|session| *session != before)
    })
    .await;
    assert_ne!(before.port, after.port);
    let ends: Vec<_> = prosody.events().into_iter().map(|event| event.kind).collect();
    let conflict = crate::harness::EventKind::Unbind(SessionEnd::ByServer("conflict".to_owned()));
    assert!(ends.contains(&conflict), "{ends:?}");
    second.close().await;
}

#[cfg(servers)]
#[tokio::test]
async fn a_lost_connection_hibernates_with_stream_management() {
    let prosody = Prosody::start_with(&["a.test"], Options { smacks: true, ..Options::default() }).await;
    let mut cpe = prosody.raw_client("cpe@a.test/r").await;
    cpe.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await;
    cpe.expect("<enabled ").await;
    let before = prosody.wait_online("cpe@a.test/r", LIMIT).await;
    drop(cpe);
    let session =
        until("hibernation", LIMIT, || prosody.sessions().remove("cpe@a.test/r").filter(|session| session.hibernating))
            .await;
    assert_eq!((before.id, before.port), (session.id, session.port));
}

#[cfg(servers)]
#[tokio::test]
async fn a_restarted_prosody_keeps_accounts_but_no_sessions() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let port = prosody.port();
    let _cpe = prosody.raw_client("cpe@a.test/r").await;
    prosody.wait_online("cpe@a.test/r", LIMIT).await;
    prosody.kill().await;
    prosody.start_again().await;
    assert_eq!(prosody.port(), port);
    assert!(prosody.sessions().is_empty());
    let again = crate::harness::RawClient::login(prosody.account_of("cpe@a.test/r")).await;
    assert_eq!(again.jid(), "cpe@a.test/r");
    assert!(prosody.stop().await.success());
}

#[cfg(servers)]
#[tokio::test]
async fn a_stanza_of_30000_nested_elements_passes_prosody() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/r").await;
    let mut stranger = prosody.raw_client("stranger@a.test/r").await;
    let nested = format!("{}{}", "<a>".repeat(30_000), "</a>".repeat(30_000));
    stranger.send(&format!("<iq type='get' id='deep' to='cpe@a.test/r'><q xmlns='x'>{nested}</q></iq>")).await;
    let stanza = cpe.expect(" id='deep'").await;
    assert_eq!(stanza.matches("<a").count(), 30_000);
}

#[tokio::test]
async fn a_process_outlives_neither_its_guard_nor_its_thread() {
    let guard = Process::start("sleep", process::command("sleep").arg("1000"));
    let pid = guard.pid();
    assert!(test_kill_process(pid).is_ok());
    drop(guard);
    assert!(test_kill_process(pid).is_err());

    let (started, may_end) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    let thread = std::thread::spawn(move || {
        let process = Process::start("sleep", process::command("sleep").arg("1000"));
        started.0.send(process.pid()).unwrap();
        let _ = may_end.1.recv();
        // A test runner that is killed runs no destructors.
        std::mem::ManuallyDrop::new(process)
    });
    let pid = started.1.recv().unwrap();
    // Only then has the kernel been asked.
    until("sleep in setpriv's place", LIMIT, || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap();
        (name.trim() == "sleep").then_some(())
    })
    .await;
    drop(may_end.0);
    let child = thread.join().unwrap();
    let mut child = std::mem::ManuallyDrop::into_inner(child);
    let status = until(&format!("the end of {pid:?}"), LIMIT, || child.exited()).await;
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
}

#[tokio::test]
async fn a_busy_process_is_distinguished_from_a_waiting_one() {
    let directory = tempfile::tempdir().unwrap();
    let (log, mut end) = Log::create(directory.path().join("log"));
    // The script, a call that it makes, and whether it is busy.
    let scripts =
        [("while :; do read line < /dev/null; done", "/dev/null", true), ("exec sleep 1000", "nanosleep(", false)];
    for (script, call, busy) in scripts {
        let trace = Trace::at(directory.path().join(format!("trace-{busy}")));
        let words = trace.words();
        let mut command = process::command(&words[0]);
        let _process = Process::start("sh", command.args(&words[1..]).args(["sh", "-c", script]));
        let begun = || trace.calls().iter().any(|line| line.contains(call)).then_some(());
        until(&format!("{call} of {script}"), LIMIT, begun).await;
        let work = Activity::watch(&trace, &log).await;
        assert_eq!(work.excess().is_some(), busy, "{script}: {work:?}");
    }
    // One that logs without end is busy even if it hardly needs a call for it.
    let trace = Trace::at(directory.path().join("none"));
    let chatter = async { end.write_all("something failed\n".repeat(100).as_bytes()).unwrap() };
    let (work, ()) = tokio::join!(Activity::watch(&trace, &log), chatter);
    assert!(work.excess().is_some(), "{work:?}");
}

/// What the real programs printed, and how they ended, when the messages of the recorded exchanges were taken down.
#[tokio::test]
async fn the_bus_does_what_the_real_one_was_seen_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let ubus = Ubus::new(directory.path());
    ubus.start_with_daemon();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/ubus/exchanges.json");
    let exchanges: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut compared = 0;
    for exchange in exchanges.as_array().unwrap() {
        let title = exchange["title"].as_str().unwrap();
        let Some(arguments) = exchange["what"]["args"].as_array() else { continue };
        // What xmppd offers is compared where xmppd runs.
        if title.contains("xmppd") {
            continue;
        }
        if title.contains("never answers") {
            ubus.answer(&json!({"fate": "never"}));
        }
        let arguments: Vec<&str> = arguments[1..].iter().map(|argument| argument.as_str().unwrap()).collect();
        let output = ubus.run(&arguments);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let seen = (output.status.code(), text(&output.stdout), text(&output.stderr));
        let what = |name: &str| exchange["what"][name].as_str().unwrap().to_owned();
        let exit = exchange["what"]["exit"].as_i64().and_then(|exit| i32::try_from(exit).ok());
        assert_eq!(seen, (exit, what("stdout"), what("stderr")), "{title}");
        compared += 1;
    }
    assert!(compared >= 7, "{compared}");
}

#[tokio::test]
async fn each_cwmp_client_takes_its_own_words_and_writes_down_every_call() {
    let directory = tempfile::tempdir().unwrap();
    let ubus = Ubus::new(directory.path());
    ubus.start_with_daemon();
    let started = json!({"status": 1, "info": "Session started"});
    let unknown = json!({"status": -1, "info": "not able to get the event code"});
    let refused =
        |word: &str| Err((254, format!("Command failed: ubus call tr069 inform {word} (Invalid argument)\n")));
    let words =
        [r#"{"event":"6 CONNECTION REQUEST"}"#, r#"{"event":"6 connection request"}"#, r#"{"event":"2 PERIODIC"}"#];
    let mut calls = 0;
    for (kind, expected) in [
        ("icwmp2018", [Ok(started.clone()), Ok(started.clone()), Ok(unknown.clone())]),
        ("icwmp2022", [Ok(started.clone()), Ok(unknown.clone()), Ok(unknown.clone())]),
        ("easycwmp", [Ok(json!(null)), Ok(json!(null)), refused(words[2])]),
    ] {
        ubus.answer(&json!({"kind": kind}));
        for (word, expected) in words.iter().zip(expected) {
            let arguments: serde_json::Value = serde_json::from_str(word).unwrap();
            assert_eq!(ubus.call("tr069", "inform", &arguments), expected, "{kind} {word}");
            calls += 1;
            assert_eq!(ubus.calls().len(), calls);
        }
    }
    let calls = ubus.calls();
    assert!(calls[0].announces_a_request() && !calls[1].announces_a_request());
    assert_eq!((calls[0].status, calls[8].status), (Some(0), Some(2)));
}

#[test]
fn commit_replaces_the_file_and_write_in_place_does_not() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let file = UciFile::at(directory.path().join("xmpp"));
    let inode = || std::fs::metadata(file.path()).unwrap().ino();
    file.write_in_place("a");
    let first = inode();
    file.write_in_place("b");
    assert_eq!(inode(), first);
    file.commit("c");
    assert_ne!(inode(), first);
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "c");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
