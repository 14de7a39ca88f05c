//! A crash and a rejected file, in both orders: the connections keep running, and the status agrees.

use super::fixture::{Fixture, child, crash};
use crate::harness::{Daemon, LIMIT, Settings};

/// Files that are rejected as a whole or in part.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Syntax,
    RefusedSection,
    Missing,
    Unreadable,
}

impl Bad {
    const ALL: [Self; 4] = [Self::Syntax, Self::RefusedSection, Self::Missing, Self::Unreadable];

    fn put(self, daemon: &Daemon, fleet: &Settings) {
        match self {
            Self::Syntax => daemon.xmpp().commit("config xmpp 'xmpp\n"),
            Self::RefusedSection => {
                let mut refused = fleet.clone();
                refused.set_connection(1, "username", "a@b");
                daemon.xmpp().commit(&refused.text());
            }
            Self::Missing => daemon.xmpp().remove(),
            Self::Unreadable => daemon.xmpp().replace_with_directory(),
        }
    }

    /// Its log line.
    fn log(self) -> &'static str {
        match self {
            Self::RefusedSection => "this section is refused",
            Self::Syntax | Self::Missing | Self::Unreadable => "keeping the current settings",
        }
    }
}

async fn put(fixture: &Fixture, bad: Bad) {
    let mark = fixture.daemon.log().mark();
    bad.put(&fixture.daemon, &fixture.fleet);
    fixture.daemon.log().wait(mark, &["xmppd: ERROR", bad.log()], LIMIT).await;
}

async fn restore(fixture: &mut Fixture, bad: Bad) {
    let mark = fixture.daemon.log().mark();
    if matches!(bad, Bad::Unreadable) {
        fixture.daemon.xmpp().remove_directory();
    }
    fixture.daemon.xmpp().commit(&fixture.fleet.text());
    if !matches!(bad, Bad::RefusedSection) {
        fixture.daemon.log().wait(mark, &["valid again"], LIMIT).await;
    }
    fixture.assert_online(&[]).await;
}

async fn crash_beside_bad_files(who: &str, back: &[u32]) {
    let mut fixture = Fixture::start().await;
    for bad in Bad::ALL {
        crash(&fixture.daemon, who).await;
        put(&fixture, bad).await;
        fixture.assert_online(back).await;
        restore(&mut fixture, bad).await;
    }
    // In a new process, so that the crashes do not add up to too many.
    let mut fixture = Fixture::start().await;
    for bad in Bad::ALL {
        put(&fixture, bad).await;
        let mark = crash(&fixture.daemon, who).await;
        if who == "config" {
            fixture.daemon.log().wait(mark, &["xmppd: ERROR", bad.log()], LIMIT).await;
        }
        fixture.assert_online(back).await;
        assert!(fixture.daemon.log().since(mark, &["child crashed"]).iter().all(|line| line.contains(child(who))));
        restore(&mut fixture, bad).await;
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

/// The supervisor of the connections starts them without the help of the config actor, which has only a broken file.
#[tokio::test]
async fn the_supervisor_of_the_connections_and_the_config_actor() {
    let mut fixture = Fixture::start().await;
    put(&fixture, Bad::Syntax).await;
    let mark = fixture.daemon.log().mark();
    fixture.daemon.crash("connections, config").await;
    fixture.daemon.log().wait(mark, &["xmppd: ERROR", Bad::Syntax.log()], LIMIT).await;
    fixture.assert_online(&[1, 2]).await;
}
