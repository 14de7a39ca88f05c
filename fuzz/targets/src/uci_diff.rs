//! A sequence of configuration files: applying the changes for each leads to its settings, without needless restarts,
//! and a refused section changes nothing.
//!
//! Lines of `%%%` separate the files of an input.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use xmppd::config::diff::{Changes, diff};
use xmppd::config::load::load;
use xmppd::config::loaded::Loaded;
use xmppd::config::merge::merge;
use xmppd::config::model::{ConnectionId, ConnectionSettings, Server, ServerAlgorithm, Settings};
use xmppd::config::problem::Severity;

const SEPARATOR: &[u8] = b"%%%\n";

/// The running connections, with their settings.
type Running = BTreeMap<ConnectionId, ConnectionSettings>;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut settings = Settings::default();
    let mut running = Running::new();
    for text in files(input) {
        // A file that is not UCI changes nothing.
        let Ok(loaded) = load(Path::new("f"), text) else { continue };
        let next = merge(&settings, &loaded);
        check_merge(&settings, &loaded, &next);
        let changes = diff(&running, &settings.general, &next);
        check_changes(&settings, &next, &changes);
        apply(&mut running, changes);
        assert!(running == should_run(&next), "the running connections differ from the desired ones");
        assert!(diff(&should_run(&next), &next.general, &next).is_empty());
        let again = merge(&next, &loaded);
        assert!(
            diff(&should_run(&next), &next.general, &again).is_empty(),
            "reading the same file again changes something"
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

/// Applies the changes. Needless ones are findings.
fn apply(running: &mut Running, changes: Changes) {
    for id in changes.stop {
        assert!(running.remove(&id).is_some(), "{id} is stopped but does not run");
    }
    for connection in changes.restart {
        let before = running.insert(connection.id, connection.clone()).expect("a restarted connection runs");
        assert!(stream(&before) != stream(&connection), "{} is restarted needlessly", connection.id);
    }
    for connection in changes.update {
        let before = running.insert(connection.id, connection.clone()).expect("an updated connection runs");
        assert!(before != connection, "{} is updated needlessly", connection.id);
        assert!(stream(&before) == stream(&connection), "{} needs a restart", connection.id);
    }
    for connection in changes.start {
        let id = connection.id;
        assert!(running.insert(id, connection).is_none(), "{id} is started but runs already");
    }
}

/// The settings whose change requires a new stream.
fn stream(connection: &ConnectionSettings) -> impl PartialEq + use<> {
    let mut rows: Vec<Server> = connection.servers.iter().filter(|row| row.enable).cloned().collect();
    if connection.algorithm != ServerAlgorithm::ServerTable {
        rows.clear();
    }
    rows.sort_by_key(|row| (row.priority, row.instance));
    let rows: Vec<_> = rows.into_iter().map(|row| (row.address, row.port, row.priority, row.weight)).collect();
    let ConnectionSettings { username, password, domain, resource, use_tls, tls_ca, tls_verify, algorithm, .. } =
        connection.clone();
    (username, password, domain, resource, use_tls, tls_ca, tls_verify, algorithm as u8, rows)
}

/// Checks the changes other than those of connections.
fn check_changes(before: &Settings, after: &Settings, changes: &Changes) {
    let (mut old, new) = (before.general.clone(), &after.general);
    assert_eq!(changes.log_level, (old.log_level != new.log_level).then_some(new.log_level));
    old.log_level = new.log_level;
    assert_eq!(changes.general, old != *new);
    let nothing = before.general == after.general && should_run(before) == should_run(after);
    assert_eq!(changes.is_empty(), nothing);
}

/// Checks that valid sections take effect, and refused ones change nothing.
fn check_merge(before: &Settings, loaded: &Loaded, after: &Settings) {
    let has_errors = |kinds: &[&str]| {
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        errors.filter(|problem| kinds.contains(&problem.kind.as_str())).count() > 0
    };
    if !loaded.has_errors() {
        assert!(*after == loaded.settings, "a file without errors does not take effect");
    }
    if has_errors(&["xmpp"]) {
        assert!(after.general == before.general || after.general == loaded.settings.general);
    } else {
        assert!(after.general == loaded.settings.general);
    }
    let (ran, refused) = (should_run(before), loaded.refused_connections().collect::<BTreeSet<_>>());
    for id in &refused {
        assert!(after.connections.get(id) == ran.get(id), "the refused section of {id} changes it");
    }
    for (id, connection) in &loaded.settings.connections {
        let now = after.connections.get(id).expect("a valid section takes effect");
        if !has_errors(&["connection_server", "xmpp_connection_server"])
            && !has_errors(&["connection", "xmpp_connection"])
        {
            assert!(now == connection, "a valid section does not take effect");
        }
        // Refused server rows do not affect the section itself.
        let servers = connection.servers.clone();
        assert!(ConnectionSettings { servers, ..now.clone() } == *connection, "a valid section does not take effect");
    }
    for (id, connection) in &after.connections {
        let kept = ran.get(id) == Some(connection);
        assert!(kept || loaded.settings.connections.contains_key(id), "{id} is in no file");
    }
}
