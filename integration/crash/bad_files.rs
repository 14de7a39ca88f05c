//! A crash and a file that is not accepted, in both orders: what runs goes on, and the status agrees with that.

use std::collections::BTreeMap;

use super::{child, crash, untouched};
use crate::harness::fleet::{accepted, wait_back};
use crate::harness::{Daemon, Fleet, LIMIT, Prosody, Session};

/// Kinds of file that are not accepted, or not as a whole.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Syntax,
    RefusedSection,
    Missing,
    Unreadable,
}

impl Bad {
    const ALL: [Self; 4] = [Self::Syntax, Self::RefusedSection, Self::Missing, Self::Unreadable];

    fn put(self, daemon: &Daemon, fleet: &Fleet) {
        match self {
            Self::Syntax => daemon.xmpp().commit("config xmpp 'xmpp\n"),
            Self::RefusedSection => {
                let mut refused = fleet.clone();
                refused.change(1, "username", "a@b");
                daemon.xmpp().commit(&refused.text());
            }
            Self::Missing => daemon.xmpp().remove(),
            Self::Unreadable => daemon.xmpp().replace_with_directory(),
        }
    }

    /// What the log says of it.
    fn log(self) -> &'static str {
        match self {
            Self::RefusedSection => "this section is refused",
            Self::Syntax | Self::Missing | Self::Unreadable => "what runs goes on unchanged",
        }
    }
}

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

    async fn put(&self, bad: Bad) {
        let mark = self.daemon.log().mark();
        bad.put(&self.daemon, &self.fleet);
        self.daemon.log().wait(mark, &["xmppd: ERROR", bad.log()], LIMIT).await;
    }

    /// These connections come back, the others keep their streams; all are online for the server and in the status.
    async fn goes_on(&mut self, back: &[u32]) {
        for id in back {
            let session = wait_back(&self.prosody, *id, &self.sessions[id]).await;
            self.sessions.insert(*id, session);
        }
        let mut acs = self.prosody.requester("acs@a.test/r").await;
        let ids: Vec<u32> = self.fleet.ids().collect();
        for id in &ids {
            self.daemon.wait_for_value(*id, "status", "Enabled").await;
            accepted(&mut acs, *id).await;
        }
        untouched(&self.prosody, &self.sessions, &ids);
    }

    async fn restore(&mut self, bad: Bad) {
        let mark = self.daemon.log().mark();
        if matches!(bad, Bad::Unreadable) {
            self.daemon.xmpp().remove_directory();
        }
        self.daemon.xmpp().commit(&self.fleet.text());
        if !matches!(bad, Bad::RefusedSection) {
            self.daemon.log().wait(mark, &["good again, and taken up"], LIMIT).await;
        }
        self.goes_on(&[]).await;
    }
}

async fn crash_beside_bad_files(who: &str, back: &[u32]) {
    let mut scene = Scene::start().await;
    for bad in Bad::ALL {
        crash(&scene.daemon, who).await;
        scene.put(bad).await;
        scene.goes_on(back).await;
        scene.restore(bad).await;
    }
    // Another process, so that the crashes do not add up to too many.
    let mut scene = Scene::start().await;
    for bad in Bad::ALL {
        scene.put(bad).await;
        let mark = crash(&scene.daemon, who).await;
        if who == "config" {
            scene.daemon.log().wait(mark, &["xmppd: ERROR", bad.log()], LIMIT).await;
        }
        scene.goes_on(back).await;
        assert!(scene.daemon.log().since(mark, &["child crashed"]).iter().all(|line| line.contains(child(who))));
        scene.restore(bad).await;
    }
}

#[tokio::test]
async fn the_notifier() {
    crash_beside_bad_files("notifier", &[]).await;
}

#[tokio::test]
async fn the_router() {
    crash_beside_bad_files("router", &[]).await;
}

#[tokio::test]
async fn the_config_actor() {
    crash_beside_bad_files("config", &[]).await;
}

#[tokio::test]
async fn the_control_socket() {
    crash_beside_bad_files("control", &[]).await;
}

#[tokio::test]
async fn the_supervisor_of_the_connections() {
    crash_beside_bad_files("connections", &[1, 2]).await;
}

#[tokio::test]
async fn a_connection() {
    crash_beside_bad_files("connection 1", &[1]).await;
}

/// A crash of two actors at once beside a broken file: the supervisor that starts anew and the config actor that cannot
/// tell it anything.
#[tokio::test]
async fn the_supervisor_of_the_connections_and_the_config_actor() {
    let mut scene = Scene::start().await;
    scene.put(Bad::Syntax).await;
    let mark = scene.daemon.log().mark();
    scene.daemon.crash("connections, config").await;
    scene.daemon.log().wait(mark, &["xmppd: ERROR", Bad::Syntax.log()], LIMIT).await;
    scene.goes_on(&[1, 2]).await;
}
