//! Actors that panic or do not stop: the process goes on, the actor that crashed is restarted and no other, and requests
//! are answered.

mod at_once;
mod bad_files;
mod given_up;
mod ignores_stop;
mod places;
mod restarts;

use std::collections::BTreeMap;

use crate::harness::fleet::session;
use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Prosody, Session};

/// What the test hook's panic says.
const WORDS: &str = "panicked: a test told this actor to panic";

/// Makes an actor panic and waits until its supervisor has seen that; the mark in the log from before.
async fn crash(daemon: &Daemon, who: &str) -> usize {
    let mark = daemon.log().mark();
    daemon.crash(who).await;
    daemon.log().wait(mark, &["child crashed", &format!("child={} ", child(who))], LIMIT).await;
    mark
}

/// The children that the root's supervisor has started since then.
fn started_by_root(daemon: &Daemon, mark: usize) -> Vec<String> {
    let lines = daemon.log().since(mark, &["child started", "supervisor=root"]);
    let child = |line: &String| line.split("child=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    lines.iter().map(child).collect()
}

/// One line at level ERROR names who crashed, why and where; and no line holds a secret.
fn is_logged_once(daemon: &Daemon, mark: usize, who: &str) {
    let lines = daemon.log().since(mark, &["xmppd: ERROR"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let place = format!("reason={WORDS}, at src/actors/fault_injection/enabled.rs:");
    for part in [&format!("child={} ", child(who)), &place, "follows=restarted"] {
        assert!(lines[0].contains(part), "{part} in {lines:?}");
    }
    no_secrets(daemon);
}

/// What its supervisor calls it.
fn child(who: &str) -> &str {
    who.trim_start_matches("connection ")
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
