//! What follows from each stream error of RFC 6120 4.9.3 that a server can send.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::harness::prosody::PASSWORD;
use crate::harness::script::{BIND, MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Endpoint, Honesty, LIMIT, Peer, Script, Section, Status, ports, until};

const CPE: &str = "cpe@a.test/wan";

/// A stream error with this condition and this text in the condition, and the end of the stream.
fn error(condition: &str, content: &str) -> String {
    let ns = "urn:ietf:params:xml:ns:xmpp-streams";
    format!("<stream:error><{condition} xmlns='{ns}'>{content}</{condition}></stream:error></stream:stream>")
}

async fn online(peer: &mut Peer) -> io::Result<()> {
    peer.log_in(CPE).await?;
    peer.expect("<presence").await?;
    peer.expect(">").await.map(drop)
}

/// Goes online, ends the stream with this and waits for the client to leave.
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

/// One connection with these rows and these further options.
fn daemon(first: &Script, rows: &[&Script], options: &[(&str, &str)]) -> Daemon {
    let section =
        options.iter().fold(Section::connection(1, CPE, first), |section, (name, value)| section.option(name, value));
    let mut sections = vec![Section::general(&[]), section];
    for (instance, script) in (1..).zip(std::iter::once(&first).chain(rows)) {
        sections.push(Section::server(1, *script).option("con_srv_inst", instance));
    }
    Daemon::start(&sections)
}

/// A schedule whose waits cannot be mistaken for anything that happens at once.
const LONG: [(&str, &str); 3] =
    [("initial_retry_interval", "1000"), ("retry_interval_multiplier", "1000"), ("retry_max_interval", "1000")];

/// What the log says of the wait after this.
async fn wait_after(daemon: &Daemon, words: &[&str]) -> f64 {
    let line = daemon.wait_for_log(words, LIMIT).await;
    line.rsplit(' ').nth(1).unwrap().parse().unwrap_or_else(|_| panic!("no wait in {line}"))
}

async fn waiting(daemon: &Daemon) -> Status {
    daemon.wait_for_status(1, "waits", |status| status.next_attempt().is_some()).await
}

fn connections(script: &Script) -> usize {
    script.seen().len()
}

/// Waits until the connection is online in the script's connection of this number.
async fn wait_online(script: &Script, number: usize) {
    let there = || script.seen().get(number).is_some_and(|seen| seen.received.contains("<presence")).then_some(());
    until(&format!("connection {number} online"), LIMIT, there).await;
}

#[tokio::test]
async fn conflict_waits_for_long_and_is_an_error() {
    // Half of retry_max_interval, and 300 s at most.
    for (max, least) in [("40", 20.0), ("40000", 300.0)] {
        let script =
            Script::start("a.test", |_, mut peer| async move { ends_with(&mut peer, &error("conflict", "")).await })
                .await;
        // The schedule itself would wait for no more than a second.
        let options = [("initial_retry_interval", "1"), ("retry_max_interval", max)];
        let daemon = daemon(&script, &[], &options);
        let wait = wait_after(&daemon, &["stream lost", "the server ends the stream: conflict"]).await;
        assert!((least..=least + 1.0).contains(&wait), "{wait}");
        let status = waiting(&daemon).await;
        assert_eq!(status.word(), "Error");
        assert!(status.get("error").unwrap().contains("conflict"), "{status:?}");
        assert_eq!(status.get("jid"), Some(CPE), "the JabberID is kept");
        assert!(status.next_attempt().unwrap() > least - 5.0, "{status:?}");
        script.wait_played(0, LIMIT).await;
        assert_eq!(connections(&script), 1);
    }
}

/// In place of the features, too.
#[tokio::test]
async fn conflict_during_the_login_waits_as_long() {
    let script = Script::start("a.test", |_, mut peer| async move {
        peer.open(STARTTLS).await?;
        peer.starttls().await?;
        peer.open(MECHANISMS).await?;
        peer.scram(PASSWORD, Honesty::Honest).await?;
        peer.open(BIND).await?;
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

/// The other server holds the certificate of the domain, not of its own name, and its authority is the same.
#[tokio::test]
async fn see_other_host_is_followed_at_once_with_the_same_domain() {
    let other = Script::start("a.test", |_, mut peer| async move { stays(&mut peer).await }).await;
    let there = other.port();
    for before_login in [false, true] {
        let first = Script::start("a.test", move |_, mut peer| async move {
            let elsewhere = error("see-other-host", &format!("127.0.0.1:{there}"));
            if before_login {
                peer.open(STARTTLS).await?;
                peer.starttls().await?;
                peer.expect("<stream:stream").await?;
                let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                              version='1.0' id='s' from='a.test'>";
                peer.send(format!("{header}{elsewhere}")).await?;
                peer.expect_end().await.map(drop)
            } else {
                ends_with(&mut peer, &elsewhere).await
            }
        })
        .await;
        let bundle = bundle(&[&first, &other]);
        let before = connections(&other);
        let ca = bundle.path().join("all.pem");
        let options = [&LONG[..], &[("tls_ca", ca.to_str().unwrap())]].concat();
        let daemon = daemon(&first, &[], &options);
        daemon.wait_for_log(&["the server redirects to", &there.to_string()], LIMIT).await;
        wait_online(&other, before).await;
        let enabled = daemon.wait_for_status(1, "Enabled there", |status| {
            status.word() == "Enabled" && status.get("address") == Some(&*format!("127.0.0.1:{there}"))
        });
        enabled.await;
        assert_eq!(connections(&first), 1);
    }
}

fn bundle(scripts: &[&Script]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let pem: Vec<String> = scripts.iter().map(|s| std::fs::read_to_string(s.ca_pem()).unwrap()).collect();
    std::fs::write(directory.path().join("all.pem"), pem.concat()).unwrap();
    directory
}

/// A certificate for the name that the server gave is no certificate for the domain.
#[tokio::test]
async fn see_other_host_leads_to_nobody_else() {
    let other = Script::start("127.0.0.1", |_, mut peer| async move {
        peer.open(STARTTLS).await?;
        let _ = peer.starttls().await;
        Ok(())
    })
    .await;
    let there = other.port();
    let first = Script::start("a.test", move |_, mut peer| async move {
        ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{there}"))).await
    })
    .await;
    let bundle = bundle(&[&first, &other]);
    let ca = bundle.path().join("all.pem");
    let options = [&LONG[..], &[("tls_ca", ca.to_str().unwrap())]].concat();
    let daemon = daemon(&first, &[], &options);
    daemon.wait_for_log(&["attempt failed", "the server's certificate is not accepted"], LIMIT).await;
    assert_eq!(waiting(&daemon).await.word(), "Error_Misconfigured");
    // Nothing but the wish for TLS was said to it.
    assert!(!other.seen()[0].received.contains("<auth"));
}

/// Two servers that send us to each other.
#[tokio::test]
async fn see_other_host_is_followed_at_most_three_times_in_a_row() {
    let here = Arc::new(OnceLock::new());
    let told: Arc<OnceLock<u16>> = Arc::clone(&here);
    let script = Script::start("a.test", move |_, mut peer| {
        let here = told.get().copied().unwrap_or_default();
        async move { ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{here}"))).await }
    })
    .await;
    here.set(script.port()).unwrap();
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["redirected more than 3 times in a row"], LIMIT).await;
    let wait = wait_after(&daemon, &["stream lost", "see-other-host"]).await;
    assert!(wait > 0.0);
    script.wait_played(3, LIMIT).await;
    assert_eq!(connections(&script), 4);
    assert_eq!(daemon.log().since(0, &["the server redirects to"]).len(), 3);
}

/// A host that is away is tried once; then it is the turn of the connection's own servers again.
#[tokio::test]
async fn see_other_host_that_is_away_does_not_keep_us_from_our_own() {
    let nobody = ports::free();
    let script = Script::start("a.test", move |number, mut peer| async move {
        if number == 0 {
            ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{nobody}"))).await
        } else {
            stays(&mut peer).await
        }
    })
    .await;
    let daemon = daemon(&script, &[], &[]);
    wait_online(&script, 1).await;
    let failed = daemon.log().since(0, &["attempt failed at", &nobody.to_string(), "Connection refused"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(daemon.log().since(0, &["attempt failed"]), failed, "nobody else was tried in between");
}

/// An address that makes no sense is none: the stream is lost, no more.
#[tokio::test]
async fn see_other_host_without_a_host_is_a_lost_stream() {
    let script = Script::start("a.test", |_, mut peer| async move {
        ends_with(&mut peer, &error("see-other-host", "not a host:x")).await
    })
    .await;
    let daemon = daemon(&script, &[], &LONG);
    wait_after(&daemon, &["stream lost", "see-other-host"]).await;
    assert_eq!(waiting(&daemon).await.word(), "Dormant");
    assert_eq!(connections(&script), 1);
}

/// It counts as a failed attempt at this server: the next one is tried, without a wait.
#[tokio::test]
async fn conditions_that_are_a_failed_attempt() {
    for condition in ["not-authorized", "host-unknown", "host-gone", "policy-violation"] {
        let first =
            Script::start(
                "a.test",
                move |_, mut peer| async move { ends_with(&mut peer, &error(condition, "")).await },
            )
            .await;
        let second = Script::start("a.test", |_, mut peer| async move { stays(&mut peer).await }).await;
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

/// Where there is no other server, a new pass begins after a wait of the schedule.
#[tokio::test]
async fn a_failed_attempt_at_the_last_server_ends_the_pass() {
    let script =
        Script::start("a.test", |_, mut peer| async move { ends_with(&mut peer, &error("host-gone", "")).await }).await;
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["stream lost", "the server ends the stream: host-gone"], LIMIT).await;
    let status = waiting(&daemon).await;
    assert_eq!(status.word(), "Error");
    assert!(status.get("error").unwrap().contains("host-gone"), "{status:?}");
}

/// At once, once, and with a full handshake.
#[tokio::test]
async fn reset_connects_again_at_once_but_only_once() {
    let script =
        Script::start("a.test", |_, mut peer| async move { ends_with(&mut peer, &error("reset", "")).await }).await;
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["resets the stream; connecting again at once"], LIMIT).await;
    wait_after(&daemon, &["stream lost", "the server ends the stream: reset"]).await;
    assert_eq!(waiting(&daemon).await.word(), "Dormant");
    assert_eq!(connections(&script), 2);
    let online = daemon.log().since(0, &["online as"]);
    assert_eq!(online.len(), 2);
    assert!(online.iter().all(|line| !line.contains("session resumed")), "{online:?}");
}

/// All the others, and none: a first retry wait.
#[tokio::test]
async fn everything_else_is_a_lost_stream() {
    let others = [
        ("system-shutdown", error("system-shutdown", ""), "the server ends the stream: system-shutdown"),
        ("internal-server-error", error("internal-server-error", ""), "internal-server-error"),
        ("a new one", error("something-new", ""), "something-new"),
        ("no condition", "<stream:error/></stream:stream>".to_owned(), "the server ends the stream"),
        ("no error", "</stream:stream>".to_owned(), "the server closed the stream"),
        ("no footer", String::new(), "the server closed the connection"),
    ];
    for (what, last, words) in others {
        let script = Script::start("a.test", move |_, mut peer| {
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
        assert!(wait <= 1000.0, "{what}: {wait}");
        assert_eq!(connections(&script), 1, "{what}");
    }
}

/// A new pass follows the loss, after a wait.
#[tokio::test]
async fn a_lost_stream_comes_back_after_its_wait() {
    let script = Script::start("a.test", |number, mut peer| async move {
        if number == 0 { ends_with(&mut peer, &error("system-shutdown", "")).await } else { stays(&mut peer).await }
    })
    .await;
    let daemon = daemon(&script, &[], &[]);
    let wait = wait_after(&daemon, &["stream lost", "system-shutdown"]).await;
    let start = Instant::now();
    wait_online(&script, 1).await;
    // The log rounds, and was read a moment after it was written.
    assert!(start.elapsed() + Duration::from_millis(250) > Duration::from_secs_f64(wait), "{wait}");
}
