//! Crashes that repeat: a connection is given up, the process ends.

use super::fixture::{PANICKED, assert_no_secrets, assert_untouched, crash, started_by_root};
use crate::harness::fleet::{accepted, jid, session, wait_reconnected};
use crate::harness::{Daemon, LIMIT, Prosody, Section, Server, SessionEnd, Settings};

/// Crashes connection 1 until it is given up: it is restarted five times within a minute; the sixth crash is too many.
async fn crash_until_given_up(daemon: &Daemon) {
    for n in 1..=6 {
        let mark = crash(daemon, "connection 1").await;
        let follows = if n <= 5 { "follows=restarted" } else { "follows=given up" };
        let lines = daemon.log().since(mark, &["child crashed", follows]);
        assert_eq!(lines.len(), 1, "crash {n}: {:?}", daemon.log().since(mark, &["child crashed"]));
    }
    let status = daemon.wait_for_status(1, "given up", |status| status.word() == "Error").await;
    let error = status.get("error").expect("why");
    assert!(error.contains("given up") && error.contains(PANICKED), "{error}");
    assert_eq!((status.get("tls"), status.next_attempt()), (Some("false"), None), "{status:?}");
}

#[tokio::test]
async fn a_connection_that_keeps_crashing_is_given_up_until_its_section_changes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(3, &[1, 2, 3], &prosody);
    let (mut daemon, before) = fleet.start(&prosody).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    crash_until_given_up(&daemon).await;
    prosody.wait_gone(&jid(1), LIMIT).await;

    // Only a change of its own section brings it back.
    assert_eq!(daemon.ask("reconnect").await, "ok\n");
    fleet.set("allowed_jid", "acs@a.test");
    fleet.set_connection(2, "interval", "100");
    let mark = daemon.log().mark();
    daemon.xmpp().commit(&fleet.text());
    daemon.log().wait(mark, &["connection 2", "applied in place"], LIMIT).await;
    crash(&daemon, "config").await;
    for id in [2, 3] {
        accepted(&mut acs, id).await;
    }
    assert_eq!((daemon.statuses().await[&1].word(), session(&prosody, 1)), ("Error", None));

    fleet.set_connection(1, "interval", "100");
    daemon.xmpp().commit(&fleet.text());
    let back = prosody.wait_online(&jid(1), LIMIT).await;
    let status = daemon.wait_for_value(1, "status", "Enabled").await;
    assert_eq!(status.get("error"), None);
    accepted(&mut acs, 1).await;
    // The earlier crashes no longer count.
    crash(&daemon, "connection 1").await;
    wait_reconnected(&prosody, 1, &back).await;

    assert_untouched(&prosody, &before, &[2, 3]);
    assert!(daemon.running());
    assert_no_secrets(&daemon);
}

#[tokio::test]
async fn a_connection_that_was_given_up_can_be_disabled_and_enabled() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(1, &[1], &prosody);
    let (daemon, _) = fleet.start(&prosody).await;
    crash_until_given_up(&daemon).await;
    fleet.set_connection(1, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    daemon.wait_for_value(1, "status", "Disabled").await;
    fleet.set_connection(1, "enable", "1");
    daemon.xmpp().commit(&fleet.text());
    prosody.wait_online(&jid(1), LIMIT).await;
    accepted(&mut prosody.acs("acs@a.test/r").await, 1).await;
}

/// Fails unless the last line of the log says why the process ended.
fn assert_last_line(daemon: &Daemon, who: &str) {
    let last = daemon.log().lines().pop().unwrap();
    let why = format!("xmppd: CRITIC xmppd ends: restart intensity reached by {who} ({PANICKED}, at src/");
    assert!(last.starts_with(&why), "{last}");
}

/// It is restarted ten times within a minute; at the next crash the process ends, for procd to start it anew.
#[tokio::test]
async fn too_many_crashes_at_the_root_end_the_process() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Settings::fleet(2, &[1], &prosody).start(&prosody).await;
    for _ in 0..10 {
        crash(&daemon, "config").await;
        assert_eq!(daemon.statuses().await.len(), 2);
    }
    assert_untouched(&prosody, &before, &[1, 2]);
    crash(&daemon, "config").await;
    let status = daemon.wait(LIMIT).await;
    assert_eq!(status.code(), Some(3), "{status:?}");
    assert_last_line(&daemon, "config");
    for id in [1, 2] {
        assert_eq!(prosody.wait_gone(&jid(id), LIMIT).await, Some(SessionEnd::ByClient));
    }
    assert!(!daemon.socket().exists(), "the control socket is left behind");
    assert_no_secrets(&daemon);
}

/// Starts that fail count like crashes, and do not affect other connections.
#[tokio::test]
async fn a_connection_that_cannot_be_started_is_given_up_until_its_section_changes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Settings::fleet(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mark = daemon.log().mark();
    daemon.crash("connection 1 start 5, connection 1").await;
    daemon.log().wait(mark, &["child crashed", "child=1 ", "follows=given up"], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["xmppd: ERROR", "follows=restarted"]).len(), 5);
    assert_eq!(daemon.log().since(mark, &["xmppd: ALERT", "follows=given up"]).len(), 1);
    daemon.wait_for_status(1, "given up", |status| status.word() == "Error").await;
    fleet.set_connection(1, "interval", "100");
    daemon.xmpp().commit(&fleet.text());
    wait_reconnected(&prosody, 1, &before[&1]).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    for id in [1, 2] {
        accepted(&mut acs, id).await;
    }
    assert_untouched(&prosody, &before, &[2]);
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
}

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
    assert_last_line(&daemon, "router");
}

#[tokio::test]
async fn an_actor_at_the_root_that_cannot_be_started_ends_the_process() {
    for who in ["notifier", "router", "connections", "config", "control"] {
        let mut daemon = Daemon::start([&Section::general(&[])]);
        daemon.crash(&format!("{who} start 10, {who}")).await;
        let status = daemon.wait(LIMIT).await;
        assert_eq!(status.code(), Some(3), "{who}: {status:?}");
        let crashes = daemon.log().since(0, &["child crashed", &format!("child={who} ")]);
        assert_eq!(crashes.len(), 11, "{crashes:?}");
        assert_last_line(&daemon, who);
        assert!(!daemon.socket().exists(), "{who}: the control socket is left behind");
    }
}
