//! The status document and TR-181's parameters, and their description in `docs/status.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::super::daemon::{ConfigReport, DaemonReport};
use super::super::{Crash, Report, Status, View, document, tr181};
use super::{at, dates, full};
use crate::config::load::load;
use crate::config::loaded::Loaded;
use crate::config::merge::merge;
use crate::config::model::{ConnectionId, Settings};
use crate::config::outline::ConnectionSection;
use crate::document::{Table, Value};
use crate::ubus::BusState;

const FILE: &str = "\
config xmpp 'xmpp'
\toption enable 1
\toption id '3 2'
\tlist allowed_jid 'acs@a.test/5%'
\tlist allowed_jid b.test
config connection 'template'
\toption con_inst 3
\toption enable 0
config connection 'wan'
\toption con_inst 3
\toption enable 1
\toption username cpe
\toption password hunter2
\toption domain a.test
config connection
\toption enable 1
\toption username 'c p e'
\toption domain a.test
\toption con_inst 2
config connection 'again'
\toption con_inst 3
\toption enable 1
\toption username cpe
\toption domain a.test
config connection 'off'
\toption username cpe
\toption domain a.test
config connection_server
\toption con_id 3
\toption enable 1
\toption server_address one.a.test
\toption weight 7
config connection_server
\toption con_id 3
\toption con_srv_inst 1
\toption enable 1
\toption server_address two.a.test
";

fn loaded() -> Loaded {
    load(Path::new("f"), FILE.as_bytes()).unwrap()
}

/// A daemon of which everything is known that the document can hold.
fn daemon(now: Instant) -> DaemonReport {
    let at = |seconds| at(now, seconds);
    DaemonReport {
        started: now - Duration::from_secs(7),
        config: ConfigReport {
            taken_up: Some(at(101)),
            refused: Some((at(102), "f:1:1: why".to_owned())),
            in_effect: false,
        },
        starts: BTreeMap::from([("notifier", 3), ("router", 1)]),
        crashes: BTreeMap::from([(
            "notifier",
            Crash { time: at(1_700_006_300), reason: "no answer to a heartbeat".to_owned() },
        )]),
        bus: BusState::Lost("closed by the peer".to_owned()),
        bus_since: at(103),
    }
}

/// What `look` gives of `FILE`, while connection 3 is as the tests of the text have it and connection 9 runs without a
/// section.
pub(super) fn seen(look: impl FnOnce(&View<'_>) -> Table) -> Table {
    let now = Instant::now();
    let loaded = loaded();
    let settings = merge(&Settings::default(), &loaded);
    let reports = BTreeMap::from([
        (ConnectionId(3), full(now)),
        (ConnectionId(5), Report { alias: "cpe-5".to_owned(), ..Report::default() }),
        (ConnectionId(9), full(now)),
    ]);
    look(&View {
        daemon: &daemon(now),
        reports: &reports,
        settings: &settings,
        sections: &loaded.connections,
        file: Path::new("/etc/config/xmpp"),
        now,
        dates: dates(now),
    })
}

pub(super) fn shown(only: Option<u32>) -> Table {
    seen(|view| {
        assert!([2, 3, 5, 9].iter().all(|id| view.has(ConnectionId(*id))) && !view.has(ConnectionId(1)));
        document(view, only.map(ConnectionId))
    })
}

/// A connection of the document that accepts requests, online or not.
pub(super) fn connection(status: &str) -> Table {
    Table::new()
        .with("connection", 1u32)
        .with("alias", "wan")
        .with("enabled", true)
        .with("accepts_requests", true)
        .with("status", status)
        .with("since", 1_700_000_000u64)
        .with("jid", "cpe@a.test/wan")
        .with("address", "10.0.0.1:5222")
}

fn connections(document: &Table) -> Vec<Table> {
    let Some(Value::Array(connections)) = document.get("connections") else { panic!("{document}") };
    let table = |value: &Value| match value {
        Value::Table(table) => table.clone(),
        _ => panic!("{document}"),
    };
    connections.iter().map(table).collect()
}

#[test]
fn connections_are_in_the_order_of_the_file_whether_they_are_valid_or_not() {
    let document = shown(None);
    let expected = [
        ("template", 0, "Disabled", false, None),
        ("wan", 3, "Error_AuthenticationFailure", true, None),
        (
            "@connection[2]",
            2,
            "Error_Misconfigured",
            true,
            Some("f:17: section '@connection[2]' (connection), option 'username'"),
        ),
        ("again", 0, "Error_Misconfigured", true, Some("f:21: section 'again' (connection)")),
        ("off", 5, "Disabled", false, None),
        ("", 9, "Error_AuthenticationFailure", false, None),
    ];
    let connections = connections(&document);
    assert_eq!(connections.len(), expected.len());
    for (connection, (section, number, status, enabled, refused)) in connections.iter().zip(expected) {
        let text = |name| connection.get(name).and_then(Value::text);
        assert_eq!(text("section"), Some(section));
        assert_eq!(connection.get("connection").and_then(Value::integer), Some(number), "{section}");
        assert_eq!(
            (text("status"), connection.get("enabled")),
            (Some(status), Some(&Value::Bool(enabled))),
            "{section}"
        );
        assert_eq!(text("refused").is_some(), refused.is_some(), "{section}");
        assert!(text("refused").unwrap_or_default().starts_with(refused.unwrap_or_default()), "{:?}", text("refused"));
    }
}

#[test]
fn a_connection_can_be_shown_alone() {
    let document = shown(Some(3));
    let connections = connections(&document);
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].get("section"), Some(&Value::from("wan")));
}

#[test]
fn the_whole_document() {
    let mut document = shown(Some(3)).to_string();
    document = document.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_eq!(document, include_str!("document.json").trim_end());
    assert!(!document.contains("hunter2"));
}

/// Path and type of each value in a table, `connections[].alias string`.
fn fields(table: &Table, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, value) in table.entries() {
        let path = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => fields(inner, &format!("{path}."), found),
            Value::Array(items) => items.iter().for_each(|item| match item {
                Value::Table(inner) => fields(inner, &format!("{path}[]."), found),
                _ => panic!("an array of something else: {path}"),
            }),
            Value::Text(_) => _ = found.insert(format!("{path} string")),
            Value::Bool(_) => _ = found.insert(format!("{path} bool")),
            Value::Double(_) => _ = found.insert(format!("{path} number")),
            Value::Int64(_) | Value::Int32(_) | Value::Int16(_) => _ = found.insert(format!("{path} integer")),
        }
    }
}

/// The rows `| `path` | type | ...` of the page.
fn described() -> BTreeSet<String> {
    let page = include_str!("../../../docs/status.md");
    let (page, _) = page.split_once("\n## TR-181").unwrap_or((page, ""));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        format!("{} {}", cells.next().unwrap(), cells.next().unwrap())
    })
    .collect()
}

#[test]
fn the_page_describes_each_field_with_its_type_and_no_other() {
    let mut document = BTreeSet::new();
    fields(&shown(None), "", &mut document);
    // One row for all actors.
    let actor = |field: String| field.replace("s.notifier", "s.ACTOR").replace("s.router", "s.ACTOR");
    let document: BTreeSet<String> = document.into_iter().map(actor).collect();
    let described = described();
    assert!(described.len() > 30, "{described:?}");
    assert_eq!(document.symmetric_difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_section_that_is_not_known_any_more_does_not_hide_its_connection() {
    let now = Instant::now();
    let (settings, reports) = (Settings::default(), BTreeMap::from([(ConnectionId(1), full(now))]));
    let section =
        ConnectionSection { name: "x".to_owned(), connection: None, enable: true, refused: Some("why".to_owned()) };
    let daemon = daemon(now);
    let view = View {
        daemon: &daemon,
        reports: &reports,
        settings: &settings,
        sections: &[section],
        file: Path::new("f"),
        now,
        dates: dates(now),
    };
    let document = document(&view, None);
    let numbers: Vec<_> = connections(&document).iter().map(|table| table.get("connection").cloned()).collect();
    assert_eq!(numbers, [Some(Value::Int32(0)), Some(Value::Int32(1))]);
    assert_eq!(connections(&document)[0].get("status"), Some(&Value::from(Status::ErrorMisconfigured.to_string())));
}

#[test]
fn all_parameters_of_tr181() {
    let parameters = seen(tr181).to_string();
    assert_eq!(parameters, include_str!("tr181.json").trim_end(), "{parameters}");
    assert!(!parameters.contains("hunter2"));
}

/// Names of the parameters with `{i}` in place of numbers.
pub(super) fn generic(path: &str) -> String {
    let parts = path.split('.').map(|part| if part.bytes().all(|byte| byte.is_ascii_digit()) { "{i}" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

#[test]
fn the_pages_list_each_parameter_of_tr181_and_no_other() {
    let parameters: BTreeSet<String> = seen(tr181).entries().map(|(path, _)| generic(path)).collect();
    for page in [include_str!("../../../docs/status.md"), include_str!("../../../docs/conformance.md")] {
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `Device."));
        let described: BTreeSet<String> =
            rows.map(|row| format!("Device.{}", row.split('`').next().unwrap())).collect();
        assert_eq!(parameters.symmetric_difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

/// `ConnReqXMPPConnection` and `ConnReqJabberID` with this `id` and these changes of the file.
fn reachable_by(ids: &str, edits: &[(&str, &str)]) -> (String, String) {
    let mut text = FILE.replace("option id '3 2'", &format!("option id '{ids}'"));
    for (from, to) in edits {
        text = text.replacen(from, to, 1);
    }
    let loaded = load(Path::new("f"), text.as_bytes()).unwrap();
    let settings = merge(&Settings::default(), &loaded);
    let now = Instant::now();
    let with_jid = |jid: &str| Report { jid: Some(jid.to_owned()), ..full(now) };
    let reports = BTreeMap::from([(ConnectionId(3), with_jid("three")), (ConnectionId(5), with_jid("five"))]);
    let (daemon, sections, file) = (daemon(now), &loaded.connections[..], Path::new("f"));
    let view = View { daemon: &daemon, reports: &reports, settings: &settings, sections, file, now, dates: dates(now) };
    let parameters = tr181(&view);
    let text = |name: &str| {
        parameters.get(&format!("Device.ManagementServer.{name}")).and_then(Value::text).unwrap().to_owned()
    };
    (text("ConnReqXMPPConnection"), text("ConnReqJabberID"))
}

#[test]
fn the_jid_for_connection_requests_is_that_of_an_enabled_connection_that_accepts_them() {
    let five = "config connection 'off'";
    let on = ("config connection 'off'", "config connection 'off'\n\toption enable 1");
    let all_off = ("option enable 1", "option enable 0");
    let expected = |path: &str, jid: &str| (path.to_owned(), jid.to_owned());
    assert!(FILE.contains(five));
    assert_eq!(reachable_by("3", &[]), expected("Device.XMPP.Connection.3", "three"));
    assert_eq!(reachable_by("5", &[]), expected("Device.XMPP.Connection.5", ""), "it is disabled");
    assert_eq!(reachable_by("5", &[on]), expected("Device.XMPP.Connection.5", "five"));
    assert_eq!(reachable_by("2 5", &[on]), expected("Device.XMPP.Connection.5", "five"), "2 is refused");
    assert_eq!(reachable_by("7", &[]), expected("", ""), "there is none");
    assert_eq!(reachable_by("0", &[]), expected("", ""));
    assert_eq!(reachable_by("3", &[all_off]), expected("Device.XMPP.Connection.3", ""));
}
