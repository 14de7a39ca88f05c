//! Actors that panic: the process lives, the right ones are restarted, requests are answered again.

use std::collections::BTreeMap;

use crate::harness::fleet::{accepted, jid, refused, session, wait_back};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, End, Fleet, LIMIT, Prosody, Section, Session, uci};

/// What the test hook's panic says.
const WORDS: &str = "panicked: a test told this actor to panic";

/// Makes an actor panic and waits until its supervisor has seen that; the mark in the log from before.
async fn crash(daemon: &Daemon, who: &str) -> usize {
    let mark = daemon.log().mark();
    daemon.crash(who).await;
    let child = format!("child={} ", who.trim_start_matches("connection "));
    daemon.log().wait(mark, &["child crashed", &child], LIMIT).await;
    mark
}

/// The children that the root's supervisor has started since then.
fn started_by_root(daemon: &Daemon, mark: usize) -> Vec<String> {
    let lines = daemon.log().since(mark, &["child started", "supervisor=root"]);
    let child = |line: &String| line.split("child=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    lines.iter().map(child).collect()
}

/// One line at level ERROR names who crashed and why, and no line holds a secret.
fn is_logged_once(daemon: &Daemon, mark: usize, who: &str) {
    let child = format!("child={} ", who.trim_start_matches("connection "));
    let lines = daemon.log().since(mark, &["xmppd: ERROR", &child]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(WORDS), "{lines:?}");
    no_secrets(daemon);
}

fn no_secrets(daemon: &Daemon) {
    for secret in [PASSWORD, "cpe-secret"] {
        assert_eq!(daemon.log().since(0, &[secret]), Vec::<String>::new());
    }
}

fn untouched(prosody: &Prosody, sessions: &BTreeMap<u32, Session>, ids: &[u32]) {
    for id in ids {
        assert_eq!(session(prosody, *id).as_ref(), Some(&sessions[id]), "connection {id}");
    }
}

#[tokio::test]
async fn a_connection_comes_back_and_the_others_stay() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, before) = Fleet::new(3, &[1, 2, 3], &prosody).start(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    accepted(&mut acs, 1).await;
    let (pid, mark) = (daemon.pid(), crash(&daemon, "connection 1").await);
    wait_back(&prosody, 1, &before[&1]).await;
    for id in 1..=3 {
        accepted(&mut acs, id).await;
    }
    untouched(&prosody, &before, &[2, 3]);
    assert_eq!(daemon.wait_for_value(1, "status", "Enabled").await.get("error"), None);
    assert_eq!(daemon.pid(), pid);
    assert_eq!(started_by_root(&daemon, mark), Vec::<String>::new());
    is_logged_once(&daemon, mark, "connection 1");
}

#[tokio::test]
async fn a_connection_that_waits_for_its_server_comes_back_too() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let (daemon, before) = Fleet::new(2, &[1, 2], &prosody).start(&prosody).await;
    prosody.kill().await;
    daemon.wait_for_status(1, "lost", |status| status.word() != "Enabled").await;
    crash(&daemon, "connection 1").await;
    prosody.start_again().await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    for (id, before) in &before {
        wait_back(&prosody, *id, before).await;
        accepted(&mut acs, *id).await;
    }
}

/// Each connection crashes more than once; a crash of one is none of the others' budget.
#[tokio::test]
async fn all_connections_crash_several_times() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, mut sessions) = Fleet::new(4, &[1, 2, 3, 4], &prosody).start(&prosody).await;
    for _ in 0..3 {
        for id in 1..=4 {
            crash(&daemon, &format!("connection {id}")).await;
        }
        for (id, session) in &mut sessions {
            *session = wait_back(&prosody, *id, session).await;
        }
    }
    let mut acs = prosody.requester("acs@a.test/r").await;
    for id in 1..=4 {
        accepted(&mut acs, id).await;
    }
}

/// Whoever is started after it is restarted with it (`rest_for_one`); the streams are closed cleanly and come back.
async fn takes_the_rest_with_it(who: &str, restarted: &[&str]) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, before) = Fleet::new(2, &[1, 2], &prosody).start(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    accepted(&mut acs, 1).await;
    let (pid, mark) = (daemon.pid(), crash(&daemon, who).await);
    for (id, before) in &before {
        wait_back(&prosody, *id, before).await;
        let ends: Vec<_> = prosody.events().into_iter().filter(|event| event.jid == jid(*id)).collect();
        let clean = crate::harness::Kind::Unbind(End::ByClient);
        assert!(ends.iter().any(|event| event.port == before.port && event.kind == clean), "{ends:?}");
        accepted(&mut acs, *id).await;
    }
    assert!(daemon.running());
    assert_eq!(daemon.pid(), pid);
    assert_eq!(daemon.statuses().await.len(), 2);
    assert_eq!(started_by_root(&daemon, mark), restarted);
    is_logged_once(&daemon, mark, who);
    assert_eq!(daemon.ubus().calls().len(), 3);
}

#[tokio::test]
async fn the_notifier_takes_the_rest_with_it() {
    takes_the_rest_with_it("notifier", &["notifier", "router", "connections", "config", "control"]).await;
}

#[tokio::test]
async fn the_router_takes_the_rest_with_it() {
    takes_the_rest_with_it("router", &["router", "connections", "config", "control"]).await;
}

#[tokio::test]
async fn the_config_actor_touches_no_stream_and_takes_later_edits_up() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(3, &[1, 2, 3], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let (pid, mark) = (daemon.pid(), crash(&daemon, "config").await);
    assert_eq!(daemon.statuses().await.len(), 3);
    assert_eq!(started_by_root(&daemon, mark), ["config", "control"]);
    is_logged_once(&daemon, mark, "config");
    for id in fleet.ids() {
        accepted(&mut acs, id).await;
    }
    untouched(&prosody, &before, &[1, 2, 3]);

    fleet.change(3, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    assert_eq!(prosody.wait_gone(&jid(3), LIMIT).await, Some(End::ByClient));
    let mark = daemon.log().mark();
    daemon.cwmp().commit(&uci::text([&Section::cpe("cpe-user", "another")]));
    daemon.log().wait(mark, &["credentials taken over"], LIMIT).await;
    refused(&mut acs, 1, "not-authorized").await;
    untouched(&prosody, &before, &[1, 2]);
    assert_eq!(daemon.pid(), pid);
}

/// What is edited while nobody watches is not missed, and an edit that can't be read does no harm then either.
#[tokio::test]
async fn an_edit_while_the_config_actor_is_away() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut fleet = Fleet::new(2, &[1, 2], &prosody);
    let (daemon, before) = fleet.start(&prosody).await;
    daemon.xmpp().write_in_place("config xmpp 'xmpp\n");
    crash(&daemon, "config").await;
    assert_eq!(daemon.statuses().await.len(), 2);
    daemon.wait_for_log(&["ERROR", "what runs goes on unchanged"], LIMIT).await;
    untouched(&prosody, &before, &[1, 2]);

    fleet.change(2, "enable", "0");
    daemon.xmpp().commit(&fleet.text());
    crash(&daemon, "config").await;
    assert_eq!(prosody.wait_gone(&jid(2), LIMIT).await, Some(End::ByClient));
    untouched(&prosody, &before, &[1]);
}

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
    let last = daemon.log().lines().pop().unwrap();
    assert_eq!(last, format!("xmppd: ERROR xmppd ends: restart intensity reached by config ({WORDS})"));
    for id in [1, 2] {
        assert_eq!(prosody.wait_gone(&jid(id), LIMIT).await, Some(End::ByClient));
    }
    assert!(!daemon.socket().exists(), "the control socket is left behind");
    no_secrets(&daemon);
}
