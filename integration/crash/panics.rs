//! Panics in a handler, in the future that a handler returned, on another thread, at the start and while stopping.

use rustix::process::Signal;

use super::fixture::{
    Fixture, PANICKED, assert_logged_once, assert_no_secrets, assert_untouched, child, started_by_root,
};
use crate::harness::LIMIT;
use crate::harness::fleet::jid;

/// Wherever the actor panics, one line says so; the root restarts `restarted`, and the connections in `back` reconnect.
async fn panics_everywhere(who: &str, restarted: &[&str], back: &[u32]) {
    let mut fixture = Fixture::start().await;
    let pid = fixture.daemon.pid();
    let crashed = format!("child={} ", child(who));
    for place in ["handler", "future", "task"] {
        let mark = fixture.daemon.log().mark();
        fixture.daemon.crash(&format!("{who} {place}")).await;
        fixture.daemon.log().wait(mark, &["child crashed", &crashed], LIMIT).await;
        fixture.assert_online(back).await;
        assert_eq!(started_by_root(&fixture.daemon, mark), restarted, "{place}");
        if place == "task" {
            // The thread logs the panic as well: the actor may be gone by then.
            for words in ["internal error at src/actors/fault_injection/enabled.rs:", PANICKED] {
                let lines = fixture.daemon.log().since(mark, &["xmppd: ERROR", words]);
                assert_eq!(lines.len(), 1, "{words}: {lines:?}");
            }
        } else {
            assert_logged_once(&fixture.daemon, mark, who);
        }
    }
    // The actor crashes, and so does its next start.
    let mark = fixture.daemon.log().mark();
    fixture.daemon.crash(&format!("{who} start 1, {who}")).await;
    fixture.assert_online(back).await;
    let lines = fixture.daemon.log().since(mark, &["xmppd: ERROR"]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert!(line.contains(&crashed) && line.contains("follows=restarted"), "{line}");
    }
    let crash = last_crash(&fixture.daemon.ask("status json").await, who);
    assert!(crash.starts_with(PANICKED), "{crash}");
    assert!(fixture.daemon.running());
    assert_eq!(fixture.daemon.pid(), pid);
    assert_no_secrets(&fixture.daemon);
}

/// What the status document says about the last crash of an actor.
fn last_crash(document: &str, who: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let crash = match who.strip_prefix("connection ") {
        Some(number) => {
            let number: u64 = number.parse().unwrap();
            let connections = document["connections"].as_array().unwrap();
            let connection = connections.iter().find(|connection| connection["connection"] == number).unwrap();
            assert!(connection["crashed"].as_u64() > Some(0), "{connection}");
            connection["crash"].clone()
        }
        None => document["daemon"]["crashes"][who]["reason"].clone(),
    };
    crash.as_str().unwrap_or_else(|| panic!("no crash of {who} in {document}")).to_owned()
}

#[tokio::test]
async fn the_notifier_panics_everywhere() {
    panics_everywhere("notifier", &["notifier"], &[]).await;
}

#[tokio::test]
async fn the_router_panics_everywhere() {
    panics_everywhere("router", &["router"], &[]).await;
}

#[tokio::test]
async fn the_supervisor_of_the_connections_panics_everywhere() {
    panics_everywhere("connections", &["connections"], &[1, 2]).await;
}

#[tokio::test]
async fn the_config_actor_panics_everywhere() {
    panics_everywhere("config", &["config"], &[]).await;
}

#[tokio::test]
async fn the_control_socket_panics_everywhere() {
    panics_everywhere("control", &["control"], &[]).await;
}

#[tokio::test]
async fn a_connection_panics_everywhere() {
    panics_everywhere("connection 1", &[], &[1]).await;
}

/// An actor that panics while it stops has stopped: that is a warning and no crash.
#[tokio::test]
async fn a_connection_panics_while_it_is_removed() {
    for place in ["stop", "closing"] {
        let mut fixture = Fixture::start().await;
        let mark = fixture.daemon.log().mark();
        fixture.daemon.crash(&format!("connection 1 {place}")).await;
        fixture.daemon.xmpp().commit(&fixture.without_first());
        fixture.daemon.log().wait(mark, &["WARNING", "child did not stop cleanly", "child=1 ", PANICKED], LIMIT).await;
        fixture.prosody.wait_gone(&jid(1), LIMIT).await;
        fixture.daemon.wait_removed(1).await;
        assert_untouched(&fixture.prosody, &fixture.sessions, &[2]);
        fixture.daemon.xmpp().commit(&fixture.fleet.text());
        fixture.assert_online(&[1]).await;
        assert_eq!(fixture.daemon.log().since(mark, &["xmppd: ERROR"]), Vec::<String>::new(), "{place}");
    }
}

#[tokio::test]
async fn all_actors_panic_while_the_process_ends() {
    let mut fixture = Fixture::start().await;
    let all = ["notifier", "router", "config", "control", "connection 1", "connection 2"];
    fixture.daemon.crash(&all.map(|who| format!("{who} stop")).join(",")).await;
    fixture.daemon.assert_stops(Signal::TERM).await;
    assert_eq!(fixture.daemon.log().since(0, &["WARNING", "child did not stop cleanly", PANICKED]).len(), all.len());
}
