//! Several files, one after the other, as a daemon reads them: what is done about each leads from what ran to what the
//! file says, and a section that is refused changes nothing.
//!
//! The files of an input are separated by lines that say `%%%`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use xmppd::config::model::{Connection, ConnectionId, Server, ServerAlgorithm, Settings};
use xmppd::config::{Changes, Loaded, Severity, diff, load, merge};

const SEPARATOR: &[u8] = b"%%%\n";

/// The connections that run, and with what.
type Running = BTreeMap<ConnectionId, Connection>;

/// One input.
pub fn run(input: &[u8]) {
    let mut settings = Settings::default();
    let mut running = Running::new();
    for text in files(input) {
        // A file that is not UCI changes nothing.
        let Ok(loaded) = load(Path::new("f"), text) else { continue };
        let next = merge(&settings, &loaded);
        merged(&settings, &loaded, &next);
        let changes = diff(&running, &settings.general, &next);
        told_apart(&settings, &next, &changes);
        apply(&mut running, changes);
        assert!(running == should_run(&next), "what runs is not what is to run");
        assert!(diff(&should_run(&next), &next.general, &next).is_empty());
        let again = merge(&next, &loaded);
        assert!(
            diff(&should_run(&next), &next.general, &again).is_empty(),
            "the same file, read again, changes something"
        );
        settings = next;
    }
}

fn files(input: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut start = 0;
    let mut line = 0;
    for piece in input.split_inclusive(|&byte| byte == b'\n') {
        if piece == SEPARATOR {
            files.push(&input[start..line]);
            start = line + piece.len();
        }
        line += piece.len();
    }
    files.push(&input[start..]);
    files
}

fn should_run(settings: &Settings) -> Running {
    let all = settings.connections.clone().into_iter();
    all.filter(|(_, connection)| settings.general.enable && connection.enable).collect()
}

/// Does what is to be done; to do anything needlessly is an error.
fn apply(running: &mut Running, changes: Changes) {
    for id in changes.stop {
        assert!(running.remove(&id).is_some(), "{id} is stopped and does not run");
    }
    for connection in changes.restart {
        let before = running.insert(connection.id, connection.clone()).expect("what is restarted runs");
        assert!(stream(&before) != stream(&connection), "{} is restarted for nothing", connection.id);
    }
    for connection in changes.update {
        let before = running.insert(connection.id, connection.clone()).expect("what is updated runs");
        assert!(before != connection, "{} is updated for nothing", connection.id);
        assert!(stream(&before) == stream(&connection), "{} has to be restarted", connection.id);
    }
    for connection in changes.spawn {
        let id = connection.id;
        assert!(running.insert(id, connection).is_none(), "{id} is started and runs");
    }
}

/// All that a stream stands on.
fn stream(connection: &Connection) -> impl PartialEq + use<> {
    let mut rows: Vec<Server> = connection.servers.iter().filter(|row| row.enable).cloned().collect();
    if connection.algorithm != ServerAlgorithm::ServerTable {
        rows.clear();
    }
    rows.sort_by_key(|row| (row.priority, row.instance));
    let rows: Vec<_> = rows.into_iter().map(|row| (row.address, row.port, row.priority, row.weight)).collect();
    let Connection { username, password, domain, resource, use_tls, tls_ca, tls_verify, algorithm, .. } =
        connection.clone();
    (username, password, domain, resource, use_tls, tls_ca, tls_verify, algorithm as u8, rows)
}

/// What else changes than connections.
fn told_apart(before: &Settings, after: &Settings, changes: &Changes) {
    let (mut old, new) = (before.general.clone(), &after.general);
    assert_eq!(changes.log_level, (old.log_level != new.log_level).then_some(new.log_level));
    old.log_level = new.log_level;
    assert_eq!(changes.general, old != *new);
    let nothing = before.general == after.general && should_run(before) == should_run(after);
    assert_eq!(changes.is_empty(), nothing);
}

/// What a file says takes effect, and what is refused changes nothing.
fn merged(before: &Settings, loaded: &Loaded, after: &Settings) {
    let wrong = |kinds: &[&str]| {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.filter(|problem| kinds.contains(&problem.kind.as_str())).count() > 0
    };
    if !loaded.has_errors() {
        assert!(*after == loaded.settings, "a file without errors is not what is to run");
    }
    if wrong(&["xmpp"]) {
        assert!(after.general == before.general || after.general == loaded.settings.general);
    } else {
        assert!(after.general == loaded.settings.general);
    }
    let (ran, refused) = (should_run(before), loaded.refused_connections().collect::<BTreeSet<_>>());
    for id in &refused {
        assert!(after.connections.get(id) == ran.get(id), "the section of {id} is refused and changes it");
    }
    for (id, connection) in &loaded.settings.connections {
        let now = after.connections.get(id).expect("a section that is valid is there");
        if !wrong(&["connection_server", "xmpp_connection_server"]) && !wrong(&["connection", "xmpp_connection"]) {
            assert!(now == connection, "what is valid does not take effect");
        }
        // Whatever happens to its rows, the section itself counts.
        let servers = connection.servers.clone();
        assert!(Connection { servers, ..now.clone() } == *connection, "what is valid does not take effect");
    }
    for (id, connection) in &after.connections {
        let kept = ran.get(id) == Some(connection);
        assert!(kept || loaded.settings.connections.contains_key(id), "{id} comes from nowhere");
    }
}
