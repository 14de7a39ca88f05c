//! A daemon with connections to a server, and what is checked after a crash.

use std::collections::BTreeMap;

use crate::harness::fleet::{accepted, session, wait_reconnected};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Prosody, Server, Session, Settings};

/// The exit reason of an actor that a test told to panic.
pub(super) const PANICKED: &str = "panicked: a test told this actor to panic";

/// A server, a daemon with two connections to it, and the server's view of them.
pub(super) struct Fixture {
    pub(super) prosody: Prosody,
    pub(super) fleet: Settings,
    pub(super) daemon: Daemon,
    pub(super) sessions: BTreeMap<u32, Session>,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        let prosody = Prosody::start(&["a.test"]).await;
        let fleet = Settings::fleet(2, &[1, 2], &prosody);
        let (daemon, sessions) = fleet.start(&prosody).await;
        Self { prosody, fleet, daemon, sessions }
    }

    /// Waits until the connections in `back` are online on new streams. Fails if the others do not have their old ones, or if
    /// any of them is not online in the status or does not accept a request.
    pub(super) async fn assert_online(&mut self, back: &[u32]) {
        for id in back {
            let session = wait_reconnected(&self.prosody, *id, &self.sessions[id]).await;
            self.sessions.insert(*id, session);
        }
        let mut acs = self.prosody.acs("acs@a.test/r").await;
        let ids: Vec<u32> = self.fleet.ids().collect();
        for id in &ids {
            self.daemon.wait_for_value(*id, "status", "Enabled").await;
            accepted(&mut acs, *id).await;
        }
        assert_untouched(&self.prosody, &self.sessions, &ids);
    }

    /// The configuration without connection 1.
    pub(super) fn without_first(&self) -> String {
        without_first(&self.fleet)
    }
}

/// The configuration without connection 1.
pub(super) fn without_first(fleet: &Settings) -> String {
    let mut without = fleet.clone();
    without.remove(1);
    without.text()
}

/// The name of an actor in the log of its supervisor.
pub(super) fn child(actor: &str) -> &str {
    actor.trim_start_matches("connection ")
}

/// Makes an actor panic and waits until its supervisor logged that. Returns the mark in the log from before.
pub(super) async fn crash(daemon: &Daemon, actor: &str) -> usize {
    let mark = daemon.log().mark();
    daemon.crash(actor).await;
    daemon.log().wait(mark, &["child crashed", &format!("child={} ", child(actor))], LIMIT).await;
    mark
}

/// The children that the supervisor at the root started since then.
pub(super) fn started_by_root(daemon: &Daemon, mark: usize) -> Vec<String> {
    let lines = daemon.log().since(mark, &["child started", "supervisor=root"]);
    let child = |line: &String| line.split("child=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    lines.iter().map(child).collect()
}

/// Fails unless one line at level ERROR says which actor crashed, why, where and what follows.
pub(super) fn assert_logged_once(daemon: &Daemon, mark: usize, actor: &str) {
    let lines = daemon.log().since(mark, &["xmppd: ERROR"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let reason = format!("reason={PANICKED}, at src/actors/fault_injection/enabled.rs:");
    for part in [&format!("child={} ", child(actor)), &reason, "follows=restarted"] {
        assert!(lines[0].contains(part), "{part} in {lines:?}");
    }
    assert_no_secrets(daemon);
}

pub(super) fn assert_no_secrets(daemon: &Daemon) {
    daemon.log().assert_without(&[PASSWORD, "cpe-secret"]);
}

/// Fails if one of these connections has another stream than in `sessions`.
pub(super) fn assert_untouched(prosody: &Prosody, sessions: &BTreeMap<u32, Session>, ids: &[u32]) {
    for id in ids {
        assert_eq!(session(prosody, *id).as_ref(), Some(&sessions[id]), "connection {id}");
    }
}
