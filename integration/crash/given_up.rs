//! Crashes that repeat: a connection is given up, the process ends.

use super::{WORDS, crash, no_secrets, started_by_root, untouched};
use crate::harness::fleet::{accepted, jid, session, wait_back};
use crate::harness::{Daemon, End, Fleet, LIMIT, Prosody, Section};

/// Crashes connection 1 until it is given up: five times it is restarted, the sixth within a minute is too many.
async fn crash_until_given_up(daemon: &Daemon) {
    for n in 1..=6 {
        let mark = crash(daemon, "connection 1").await;
        let follows = if n <= 5 { "follows=restarted" } else { "follows=given up" };
        let lines = daemon.log().since(mark, &["child crashed", follows]);
        assert_eq!(lines.len(), 1, "crash {n}: {:?}", daemon.log().since(mark, &["child crashed"]));
    }
    let status = daemon.wait_for_status(1, "given up", |status| status.word() == "Error").await;
    let error = status.get("error").expect("why");
    assert!(error.contains("given up") && error.contains(WORDS), "{error}");
    assert_eq!((status.get("tls"), status.next_attempt()), (Some("false"), None), "{status:?}");
}

#[tokio::test]
async fn a_connection_that_keeps_crashing_is_given_up_until_its_section_changes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    crash_until_given_up(&daemon).await;
    prosody.wait_gone(&jid(1), LIMIT).await;

    // Nothing but its own section brings it back.
    assert_eq!(daemon.ask("reconnect").await, "ok\n");
    fleet.general = fleet.general.option("allowed_jid", "acs@a.test");
    fleet.change(2, "interval", "100");
    let mark = daemon.log().mark();
    daemon.xmpp().commit(&fleet.text());
    daemon.log().wait(mark, &["connection 2", "taken over in place"], LIMIT).await;
    crash(&daemon, "config").await;
    for id in [2, 3] {
        accepted(&mut acs, id).await;
    }
    assert_eq!((daemon.statuses().await[&1].word(), session(&prosody, 1)), ("Error", None));

    fleet.change(1, "interval", "100");
    daemon.xmpp().commit(&fleet.text());
    let back = prosody.wait_online(&jid(1), LIMIT).await;
    let status = daemon.wait_for_value(1, "status", "Enabled").await;
    assert_eq!(status.get("error"), None);
    accepted(&mut acs, 1).await;
    // Its budget is a new one.
    crash(&daemon, "connection 1").await;
    wait_back(&prosody, 1, &back).await;

    untouched(&prosody, &before, &[2, 3]);
    assert!(daemon.running());
    no_secrets(&daemon);
}

#[tokio::test]
async fn a_connection_that_was_given_up_can_be_disabled_and_enabled() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(1, &[1], &prosody);
    let (daemon, _) = fleet.start(&prosody).await;
    crash_until_given_up(&daemon).await;
    fleet.change(1, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    daemon.wait_for_value(1, "status", "Disabled").await;
    fleet.change(1, "enable", "1");
    daemon.xmpp().commit(&fleet.text());
    prosody.wait_online(&jid(1), LIMIT).await;
    accepted(&mut prosody.requester("acs@a.test/r").await, 1).await;
}

/// The last line of the log.
fn says_why(daemon: &Daemon, who: &str) {
    let last = daemon.log().lines().pop().unwrap();
    let why = format!("xmppd: ERROR xmppd ends: restart intensity reached by {who} ({WORDS}, at src/");
    assert!(last.starts_with(&why), "{last}");
}

/// Ten times within a minute it is restarted; once more, and the process ends for procd to start it anew.
#[tokio::test]
async fn too_many_crashes_at_the_root_end_the_process() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Fleet::new(2, &[1], &prosody).start(&prosody).await;
    for _ in 0..10 {
        crash(&daemon, "config").await;
        assert_eq!(daemon.statuses().await.len(), 2);
    }
    untouched(&prosody, &before, &[1, 2]);
    crash(&daemon, "config").await;
    let status = daemon.wait(LIMIT).await;
    assert_eq!(status.code(), Some(3), "{status:?}");
    says_why(&daemon, "config");
    for id in [1, 2] {
        assert_eq!(prosody.wait_gone(&jid(id), LIMIT).await, Some(End::ByClient));
    }
    assert!(!daemon.socket().exists(), "the control socket is left behind");
    no_secrets(&daemon);
}

/// Six exits without a moment of life in between are enough as well, and cost nobody else anything.
#[tokio::test]
async fn a_connection_that_cannot_be_started_is_given_up_until_its_section_changes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 started 5, connection 1").await;
    daemon.log().wait(mark, &["child crashed", "child=1 ", "follows=given up"], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["xmppd: ERROR"]).len(), 6);
    daemon.wait_for_status(1, "given up", |status| status.word() == "Error").await;
    fleet.change(1, "interval", "100");
    daemon.xmpp().commit(&fleet.text());
    wait_back(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for id in [1, 2] {
        accepted(&mut acs, id).await;
    }
    untouched(&prosody, &before, &[2]);
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
}

/// It is the root's crashes that are counted, whosever they are.
#[tokio::test]
async fn crashes_of_different_actors_at_the_root_add_up() {
    let mut daemon = Daemon::start([&Section::general(&[])]);
    for _ in 0..2 {
        for who in ["notifier", "router", "connections", "config", "control"] {
            crash(&daemon, who).await;
            assert!(daemon.statuses().await.is_empty());
        }
    }
    crash(&daemon, "router").await;
    let status = daemon.wait(LIMIT).await;
    assert_eq!(status.code(), Some(3), "{status:?}");
    says_why(&daemon, "router");
}

#[tokio::test]
async fn whoever_cannot_be_started_at_the_root_ends_the_process() {
    for who in ["notifier", "router", "connections", "config", "control"] {
        let mut daemon = Daemon::start([&Section::general(&[])]);
        daemon.crash(&format!("{who} started 10, {who}")).await;
        let status = daemon.wait(LIMIT).await;
        assert_eq!(status.code(), Some(3), "{who}: {status:?}");
        let crashes = daemon.log().since(0, &["child crashed", &format!("child={who} ")]);
        assert_eq!(crashes.len(), 11, "{crashes:?}");
        says_why(&daemon, who);
        assert!(!daemon.socket().exists(), "{who}: the control socket is left behind");
    }
}
