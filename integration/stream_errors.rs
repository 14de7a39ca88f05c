//! The reaction to each stream error of RFC 6120 4.9.3 that a server can send.

mod other_host;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::harness::scripted_server::BIND;
use crate::harness::{Daemon, Endpoint, LIMIT, Peer, ScriptedServer, Section, Status, until};

const CPE: &str = "cpe@a.test/wan";

/// A stream error with this condition and content, and the end of the stream.
fn error(condition: &str, content: &str) -> String {
    let ns = "urn:ietf:params:xml:ns:xmpp-streams";
    format!("<stream:error><{condition} xmlns='{ns}'>{content}</{condition}></stream:error></stream:stream>")
}

async fn online(peer: &mut Peer) -> io::Result<()> {
    peer.log_in(CPE).await?;
    peer.expect("<presence").await?;
    peer.expect(">").await.map(drop)
}

/// Goes online, sends this at the end of the stream, and waits until the client leaves.
async fn ends_with(peer: &mut Peer, last: &str) -> io::Result<()> {
    online(peer).await?;
    peer.send(last).await?;
    peer.expect_end().await.map(drop)
}

/// Goes online and stays there.
async fn stays(peer: &mut Peer) -> io::Result<()> {
    online(peer).await?;
    peer.expect_end().await.map(drop)
}

/// Starts a daemon with one connection, these server rows and these options.
fn daemon(first: &ScriptedServer, rows: &[&ScriptedServer], options: &[(&str, &str)]) -> Daemon {
    let section = Section::connection(1, CPE, first).options(options);
    let mut sections = vec![Section::general(&[]), section];
    for (instance, script) in (1..).zip(std::iter::once(&first).chain(rows)) {
        sections.push(Section::server(1, *script).option("con_srv_inst", instance));
    }
    Daemon::start(&sections)
}

/// A schedule whose waits, which are random from 0 on, differ from an immediate attempt: hardly one in ten thousand ends while
/// the test still looks.
const LONG: [(&str, &str); 3] =
    [("initial_retry_interval", "65535"), ("retry_interval_multiplier", "1000"), ("retry_max_interval", "65535")];

/// Returns what the log says about the wait after this line.
async fn wait_after(daemon: &Daemon, words: &[&str]) -> f64 {
    let line = daemon.wait_for_log(words, LIMIT).await;
    line.rsplit(' ').nth(1).unwrap().parse().unwrap_or_else(|_| panic!("no wait in {line}"))
}

async fn waiting(daemon: &Daemon) -> Status {
    daemon.wait_for_status(1, "waits", |status| status.next_attempt().is_some()).await
}

fn connections(script: &ScriptedServer) -> usize {
    script.seen().len()
}

/// Waits until the connection is online on the script's connection of this number.
async fn wait_online(script: &ScriptedServer, number: usize) {
    let there = || script.seen().get(number).is_some_and(|seen| seen.received.contains("<presence")).then_some(());
    until(&format!("connection {number} online"), LIMIT, there).await;
}

/// Writes a file with the certificates of the CAs of these servers.
fn bundle(scripts: &[&ScriptedServer]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let pem: Vec<String> = scripts.iter().map(|s| std::fs::read_to_string(s.ca_pem()).unwrap()).collect();
    std::fs::write(directory.path().join("all.pem"), pem.concat()).unwrap();
    directory
}

#[tokio::test]
async fn conflict_causes_a_long_wait_and_is_an_error() {
    // Half of retry_max_interval, at most 300 s.
    for (max, least) in [("40", 20.0), ("40000", 300.0)] {
        let script =
            ScriptedServer::start(
                "a.test",
                |_, mut peer| async move { ends_with(&mut peer, &error("conflict", "")).await },
            )
            .await;
        // The schedule itself would wait for a second at most.
        let options = [("initial_retry_interval", "1"), ("retry_max_interval", max)];
        let daemon = daemon(&script, &[], &options);
        let wait = wait_after(&daemon, &["stream lost", "the server ends the stream: conflict"]).await;
        assert!((least..=least + 1.0).contains(&wait), "{wait}");
        let status = waiting(&daemon).await;
        assert_eq!(status.word(), "Error");
        assert!(status.get("error").unwrap().contains("conflict"), "{status:?}");
        assert_eq!(status.get("jid"), Some(CPE), "the JabberID is kept");
        assert!(status.next_attempt().unwrap() <= wait, "{status:?}");
        script.wait_finished(0, LIMIT).await;
        assert_eq!(connections(&script), 1);
    }
}

/// Sent instead of the features.
#[tokio::test]
async fn conflict_during_the_login_causes_the_same_wait() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        peer.authenticate(BIND).await?;
        peer.element("iq").await?;
        peer.send(error("conflict", "")).await?;
        peer.expect_end().await.map(drop)
    })
    .await;
    let daemon = daemon(&script, &[], &[("retry_max_interval", "40")]);
    let wait = wait_after(&daemon, &["attempt failed", "the server ends the stream: conflict"]).await;
    assert!((20.0..=21.0).contains(&wait), "{wait}");
    assert_eq!(waiting(&daemon).await.word(), "Error");
}

/// It counts as a failed attempt at this server: the next one is tried at once.
#[tokio::test]
async fn some_conditions_count_as_a_failed_attempt() {
    for condition in ["not-authorized", "host-unknown", "host-gone", "policy-violation"] {
        let first = ScriptedServer::start("a.test", move |_, mut peer| async move {
            ends_with(&mut peer, &error(condition, "")).await
        })
        .await;
        let second = ScriptedServer::start("a.test", |_, mut peer| async move { stays(&mut peer).await }).await;
        let bundle = bundle(&[&first, &second]);
        let ca = bundle.path().join("all.pem");
        let options = [&LONG[..], &[("tls_ca", ca.to_str().unwrap())]].concat();
        let daemon = daemon(&first, &[&second], &options);
        let words = format!("the server ends the stream: {condition}; trying the next server");
        daemon.wait_for_log(&["stream lost", &words], LIMIT).await;
        wait_online(&second, 0).await;
        assert_eq!(connections(&first), 1, "{condition}");
    }
}

/// After the last server, a new pass begins after a wait of the schedule.
#[tokio::test]
async fn a_failed_attempt_at_the_last_server_ends_the_pass() {
    let script =
        ScriptedServer::start(
            "a.test",
            |_, mut peer| async move { ends_with(&mut peer, &error("host-gone", "")).await },
        )
        .await;
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["stream lost", "the server ends the stream: host-gone"], LIMIT).await;
    let status = waiting(&daemon).await;
    assert_eq!(status.word(), "Error");
    assert!(status.get("error").unwrap().contains("host-gone"), "{status:?}");
}

/// Once, at once, and with a full TLS handshake.
#[tokio::test]
async fn reset_reconnects_at_once_but_only_once() {
    let script =
        ScriptedServer::start("a.test", |_, mut peer| async move { ends_with(&mut peer, &error("reset", "")).await })
            .await;
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["resets the stream; connecting again at once"], LIMIT).await;
    wait_after(&daemon, &["stream lost", "the server ends the stream: reset"]).await;
    assert_eq!(waiting(&daemon).await.word(), "Dormant");
    assert_eq!(connections(&script), 2);
    let online = daemon.log().since(0, &["online as"]);
    assert_eq!(online.len(), 2);
    assert!(online.iter().all(|line| !line.contains("session resumed")), "{online:?}");
}

/// All other conditions, and none: the first retry wait.
#[tokio::test]
async fn all_other_conditions_count_as_a_lost_stream() {
    let others = [
        ("system-shutdown", error("system-shutdown", ""), "the server ends the stream: system-shutdown"),
        ("internal-server-error", error("internal-server-error", ""), "internal-server-error"),
        ("a new one", error("something-new", ""), "something-new"),
        ("no condition", "<stream:error/></stream:stream>".to_owned(), "the server ends the stream"),
        ("no error", "</stream:stream>".to_owned(), "the server closed the stream"),
        ("no footer", String::new(), "the server closed the connection"),
    ];
    for (what, last, words) in others {
        let script = ScriptedServer::start("a.test", move |_, mut peer| {
            let last = last.clone();
            async move {
                online(&mut peer).await?;
                peer.send(&last).await
            }
        })
        .await;
        let daemon = daemon(&script, &[], &LONG);
        let wait = wait_after(&daemon, &["stream lost", words]).await;
        let status = waiting(&daemon).await;
        assert_eq!(status.word(), "Dormant", "{what}");
        assert!(status.get("error").unwrap().contains(words), "{what}: {status:?}");
        assert!(wait <= 65535.0, "{what}: {wait}");
        assert_eq!(connections(&script), 1, "{what}");
    }
}

/// A new pass follows, after a wait.
#[tokio::test]
async fn a_lost_stream_is_replaced_after_a_wait() {
    let lost = Arc::new(OnceLock::new());
    let begun = Arc::clone(&lost);
    let script = ScriptedServer::start("a.test", move |number, mut peer| {
        let lost = Arc::clone(&begun);
        async move {
            if number > 0 {
                return stays(&mut peer).await;
            }
            online(&mut peer).await?;
            lost.get_or_init(Instant::now);
            peer.send(error("system-shutdown", "")).await
        }
    })
    .await;
    let daemon = daemon(&script, &[], &[]);
    let wait = wait_after(&daemon, &["stream lost", "system-shutdown"]).await;
    wait_online(&script, 1).await;
    // The log rounds the time.
    assert!(lost.get().unwrap().elapsed().as_secs_f64() > wait - 0.1, "{wait}");
}
