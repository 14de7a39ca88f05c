//! A panic is seen wherever it happens: in a handler, in the future that a handler returned, in another thread, at the
//! start, while stopping.

use std::collections::BTreeMap;

use super::{WORDS, child, is_logged_once, no_secrets, started_by_root, untouched};
use crate::harness::fleet::{accepted, jid, wait_back};
use crate::harness::{Daemon, Fleet, LIMIT, Prosody, Session};

/// A server, a daemon with two connections to it, and the server's view of them.
struct Scene {
    prosody: Prosody,
    fleet: Fleet,
    daemon: Daemon,
    sessions: BTreeMap<u32, Session>,
}

impl Scene {
    async fn start() -> Self {
        let prosody = Prosody::start(&["a.test"]).await;
        let fleet = Fleet::new(2, &[1, 2], &prosody);
        let (daemon, sessions) = fleet.start(&prosody).await;
        Self { prosody, fleet, daemon, sessions }
    }

    /// These connections come back on streams of their own, the others are on theirs still; all answer.
    async fn all_is_well(&mut self, back: &[u32]) {
        for id in back {
            let session = wait_back(&self.prosody, *id, &self.sessions[id]).await;
            self.sessions.insert(*id, session);
        }
        let mut acs = self.prosody.requester("acs@a.test/r").await;
        for id in self.fleet.ids() {
            self.daemon.wait_for_value(id, "status", "Enabled").await;
            accepted(&mut acs, id).await;
        }
        let ids: Vec<u32> = self.fleet.ids().collect();
        untouched(&self.prosody, &self.sessions, &ids);
    }
}

/// Whoever it is, and wherever it panics: one line says so, the root starts these again, and these connections come back.
async fn panics_everywhere(who: &str, restarted: &[&str], back: &[u32]) {
    let mut scene = Scene::start().await;
    let pid = scene.daemon.pid();
    let crashed = format!("child={} ", child(who));
    for place in ["handler", "future", "task"] {
        let mark = scene.daemon.log().mark();
        scene.daemon.crash(&format!("{who} {place}")).await;
        scene.daemon.log().wait(mark, &["child crashed", &crashed], LIMIT).await;
        scene.all_is_well(back).await;
        assert_eq!(started_by_root(&scene.daemon, mark), restarted, "{place}");
        if place == "task" {
            // The thread that has it tells of it too: its owner may be gone by then.
            for words in ["internal error at src/actors/fault_injection/enabled.rs:", WORDS] {
                let lines = scene.daemon.log().since(mark, &["xmppd: ERROR", words]);
                assert_eq!(lines.len(), 1, "{words}: {lines:?}");
            }
        } else {
            is_logged_once(&scene.daemon, mark, who);
        }
    }
    // It crashes, and the next start does as well.
    let mark = scene.daemon.log().mark();
    scene.daemon.crash(&format!("{who} started 1, {who}")).await;
    scene.all_is_well(back).await;
    let lines = scene.daemon.log().since(mark, &["xmppd: ERROR"]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert!(line.contains(&crashed) && line.contains("follows=restarted"), "{line}");
    }
    assert!(scene.daemon.running());
    assert_eq!(scene.daemon.pid(), pid);
    no_secrets(&scene.daemon);
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

/// Whoever panics while it is asked to stop has stopped: that is a warning, no crash, and what was to follow does.
#[tokio::test]
async fn a_connection_panics_while_it_is_removed() {
    for place in ["stop", "closing"] {
        let mut scene = Scene::start().await;
        let mut without = scene.fleet.clone();
        without.connections.remove(0);
        without.servers.remove(0);
        let mark = scene.daemon.log().mark();
        scene.daemon.crash(&format!("connection 1 {place}")).await;
        scene.daemon.xmpp().commit(&without.text());
        scene.daemon.log().wait(mark, &["WARNING", "child did not stop cleanly", "child=1 ", WORDS], LIMIT).await;
        scene.prosody.wait_gone(&jid(1), LIMIT).await;
        scene.daemon.wait_forgotten(1).await;
        untouched(&scene.prosody, &scene.sessions, &[2]);
        scene.daemon.xmpp().commit(&scene.fleet.text());
        scene.all_is_well(&[1]).await;
        assert_eq!(scene.daemon.log().since(mark, &["xmppd: ERROR"]), Vec::<String>::new(), "{place}");
    }
}

#[tokio::test]
async fn everybody_panics_while_the_process_ends() {
    let mut scene = Scene::start().await;
    let everybody = ["notifier", "router", "config", "control", "connection 1", "connection 2"];
    scene.daemon.crash(&everybody.map(|who| format!("{who} stop")).join(",")).await;
    let (status, _) = scene.daemon.stop().await;
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert_eq!(scene.daemon.log().since(0, &["WARNING", "child did not stop cleanly", WORDS]).len(), everybody.len());
    assert_eq!(scene.daemon.log().lines().last().map(String::as_str), Some("xmppd: INFO stopped"));
    assert!(!scene.daemon.socket().exists(), "the control socket is left behind");
}
