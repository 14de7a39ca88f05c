mod properties;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Changes, diff};
use crate::config::load::load;
use crate::config::model::{ConnectionId, ConnectionSettings, Settings};

const BASE: &str = "\
config xmpp 'xmpp'
\toption enable '1'
\toption id '1'
\toption loglevel 'INFO'

config connection 'wan'
\toption enable '1'
\toption username 'cpe'
\toption password 'secret'
\toption domain 'a.test'
\toption serveralgorithm 'ServerTable'

config connection 'other'
\toption enable '1'
\toption username 'cpe'
\toption domain 'b.test'

config connection_server
\toption con_id '1'
\toption enable '1'
\toption server_address 'one.a.test'

config connection_server
\toption con_id '1'
\toption server_address 'two.a.test'

config connection_server
\toption con_id '2'
\toption enable '1'
\toption server_address 'b.test'
";

fn settings(text: &str) -> Settings {
    let loaded = load(Path::new("xmpp"), text.as_bytes()).unwrap();
    assert_eq!(loaded.problems, []);
    loaded.settings
}

/// The changes from running settings to others.
pub(in crate::config) fn changes(before: &Settings, after: &Settings) -> Changes {
    diff(&running(before), &before.general, after)
}

fn running(settings: &Settings) -> BTreeMap<ConnectionId, ConnectionSettings> {
    settings.enabled().map(|connection| (connection.id, connection.clone())).collect()
}

#[test]
fn instance_numbers_have_no_effect_between_priorities() {
    let rows = |first: u32, second: u32| {
        settings(&BASE.replacen(
            "server_address 'one.a.test'",
            &format!(
                "server_address 'one.a.test'\n\toption priority '1'\n\toption con_srv_inst '{first}'\n\n\
                 config connection_server\n\toption con_id '1'\n\toption enable '1'\n\
                 \toption server_address 'spare.a.test'\n\toption priority '2'\n\toption con_srv_inst '{second}'"
            ),
            1,
        ))
    };
    let changes = changes(&rows(11, 12), &rows(12, 11));
    assert_eq!(changes.restart, []);
    assert_eq!(changes.update.len(), 1);
}

#[test]
fn the_order_of_sections_has_no_effect() {
    let mut numbered = BASE.to_owned();
    for (section, option) in [
        ("connection 'wan'", "con_inst '1'"),
        ("connection 'other'", "con_inst '2'"),
        ("address 'one.a.test'", "con_srv_inst '1'"),
        ("address 'two.a.test'", "con_srv_inst '2'"),
    ] {
        numbered = numbered.replacen(section, &format!("{section}\n\toption {option}"), 1);
    }
    let mut sections: Vec<&str> = numbered.trim_end().split("\n\n").collect();
    sections.reverse();
    let reversed = sections.join("\n\n");
    assert!(reversed.starts_with("config connection_server"));
    assert_eq!(settings(&numbered), settings(&reversed));
    assert!(changes(&settings(BASE), &settings(&reversed)).is_empty());
}

#[test]
fn all_connections_are_started_at_boot() {
    let changes = changes(&Settings::default(), &settings(BASE));
    assert_eq!(changes.start.len(), 2);
    assert!(changes.general && changes.log_level.is_none() && changes.stop.is_empty());
}

#[test]
fn at_most_50_connections_are_listed() {
    let stop = |count: u32| {
        let changes = Changes { stop: (1..=count).map(ConnectionId).collect(), general: true, ..Changes::default() };
        changes.to_string()
    };
    assert_eq!(stop(3), "stop connection 1, 2, 3; general settings applied");
    assert!(stop(50).starts_with("stop connection 1, 2, ") && stop(50).contains(", 49, 50; "));
    assert!(stop(10_000).contains(", 49, 50 and 9950 more; "));
}
