use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Changes, diff};
use crate::config::load;
use crate::config::model::{Connection, ConnectionId, KeepAlive, LogLevel, Password, Retry, ServerAlgorithm, Settings};

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

/// The changes from settings that run to others.
pub(in crate::config) fn changes(before: &Settings, after: &Settings) -> Changes {
    diff(&running(before), &before.general, after)
}

/// The changes from `BASE` to `BASE` with one edit, in short: who is stopped, restarted, updated, spawned.
fn edited(from: &str, to: &str) -> (Changes, String) {
    assert!(BASE.contains(from), "{from}");
    let changes = changes(&settings(BASE), &settings(&BASE.replacen(from, to, 1)));
    let ids = |word: &str, ids: Vec<u32>| ids.iter().map(|id| format!("{word} {id}")).collect::<Vec<_>>();
    let of = |connections: &[Connection]| connections.iter().map(|connection| connection.id.0).collect();
    let mut words = ids("stop", changes.stop.iter().map(|id| id.0).collect());
    words.extend(ids("restart", of(&changes.restart)));
    words.extend(ids("update", of(&changes.update)));
    words.extend(ids("spawn", of(&changes.spawn)));
    words.extend(changes.general.then(|| "general".to_owned()));
    words.extend(changes.log_level.map(|level| format!("{level:?}")));
    (changes, words.join(", "))
}

/// Rows of different priorities are tried in the same order whatever their instance numbers are.
#[test]
fn instance_numbers_do_not_count_between_priorities() {
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
#[allow(clippy::too_many_lines, reason = "it is one table")]
fn the_reload_table() {
    let wan = "option domain 'a.test'";
    let with = |option: &str| format!("{wan}\n\toption {option}");
    let added = "config connection 'new'\n\toption con_inst '3'\n\toption enable '1'\n\toption username 'u'\n\toption domain 'c.test'\n";
    for (from, to, expected) in [
        // Added, enabled, removed, disabled.
        ("config connection_server", &*format!("{added}\nconfig connection_server"), "spawn 3"),
        (
            "option enable '1'\n\toption username 'cpe'\n\toption domain",
            "option username 'cpe'\n\toption domain",
            "stop 2",
        ),
        (
            "option enable '1'\n\toption username 'cpe'\n\toption password",
            "option enable 'off'\n\toption username 'cpe'\n\toption password",
            "stop 1",
        ),
        ("option enable '1'\n\toption id", "option enable '0'\n\toption id", "stop 1, stop 2, general"),
        // What a stream stands on.
        ("'secret'", "'Secret'", "restart 1"),
        ("option username 'cpe'\n\toption password", "option username 'cpe2'\n\toption password", "restart 1"),
        (wan, "option domain 'c.test'", "restart 1"),
        (wan, &with("resource 'r'"), "restart 1"),
        (wan, &with("usetls '0'"), "restart 1"),
        (wan, &with("tls_ca '/etc/ca.pem'"), "restart 1"),
        (wan, &with("tls_verify '0'"), "restart 1"),
        ("ServerTable", "DNS-SRV", "restart 1"),
        ("ServerTable", "DNS", "restart 1"),
        ("one.a.test", "three.a.test", "restart 1"),
        ("option server_address 'one.a.test'", "option server_address 'one.a.test'\n\toption port '5223'", "restart 1"),
        (
            "option server_address 'one.a.test'",
            "option server_address 'one.a.test'\n\toption priority '1'",
            "restart 1",
        ),
        ("option server_address 'one.a.test'", "option server_address 'one.a.test'\n\toption weight '1'", "restart 1"),
        ("option server_address 'two.a.test'", "option server_address 'two.a.test'\n\toption enable '1'", "restart 1"),
        (
            "option enable '1'\n\toption server_address 'one",
            "option enable '0'\n\toption server_address 'one",
            "restart 1",
        ),
        // Taken over in place.
        (wan, &with("interval '30'"), "update 1"),
        (wan, &with("attempt '3'"), "update 1"),
        (wan, &with("initial_retry_interval '5'"), "update 1"),
        (wan, &with("retry_interval_multiplier '1500'"), "update 1"),
        (wan, &with("retry_max_interval '600'"), "update 1"),
        (wan, &with("con_alias 'home'"), "update 1"),
        (
            "option server_address 'one.a.test'",
            "option server_address 'one.a.test'\n\toption con_srv_alias 'x'",
            "update 1",
        ),
        // Rows that no server is chosen by.
        ("two.a.test", "three.a.test", "update 1"),
        ("'b.test'\n\nconfig connection_server", "'b.test'\n\nconfig connection_server 'x'", ""),
        ("option server_address 'b.test'", "option server_address 'c.test'", "update 2"),
        (
            "option server_address 'one.a.test'",
            "option server_address 'one.a.test'\n\toption con_srv_inst '7'",
            "update 1",
        ),
        // The router's.
        ("option id '1'", "option id '1'\n\toption allowed_jid 'acs@a.test'", "general"),
        ("option id '1'", "option id '1 2'", "general"),
        ("option id '1'", "option id '1'\n\toption notify 'command'\n\toption notify_command 'x'", "general"),
        ("option id '1'", "option id '1'\n\toption notify_timeout_ms '500'", "general"),
        ("option id '1'", "option id '1'\n\toption connreq_limit '0'", "general"),
        ("option id '1'", "option id '1'\n\toption connreq_period '1'", "general"),
        ("'INFO'", "'DEBUG'", "Debug"),
        // Nothing.
        ("'INFO'", "3 # as before", ""),
        ("option id '1'", "list id \"1\"", ""),
        (wan, &with("con_inst '1'"), ""),
        (wan, "option domain 'A.test.'", ""),
        ("config connection 'wan'", "# the line to the ACS\n\n\nconfig connection 'wan'", ""),
        ("option username 'cpe'\n\toption password 'secret'", "option password 'secret'\n\toption username cpe", ""),
        (wan, &with("interval '-1'"), ""),
    ] {
        let (changes, words) = edited(from, to);
        assert_eq!(words, expected, "{from} -> {to}");
        assert_eq!(changes.is_empty(), expected.is_empty(), "{from} -> {to}");
    }
}

#[test]
fn the_order_of_sections_is_nothing() {
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
fn boot_is_a_diff_from_nothing() {
    let changes = changes(&Settings::default(), &settings(BASE));
    assert_eq!(changes.spawn.len(), 2);
    assert!(changes.general && changes.log_level.is_none() && changes.stop.is_empty());
}

fn any_connection() -> impl Strategy<Value = Connection> {
    let server = (0..3_u32, any::<bool>(), 0..2_u16, 0..2_u16, prop::option::of(0..2_u16)).prop_map(
        |(instance, enable, port, priority, weight)| crate::config::model::Server {
            instance,
            enable,
            alias: format!("a{port}"),
            address: Some("h".to_owned()),
            port: port + 1,
            priority,
            weight,
        },
    );
    let algorithm =
        prop::sample::select(vec![ServerAlgorithm::DnsSrv, ServerAlgorithm::Dns, ServerAlgorithm::ServerTable]);
    let parts = (1..4_u32, any::<bool>(), any::<[bool; 7]>(), algorithm, prop::collection::vec(server, 0..3));
    parts.prop_map(|(id, enable, flip, algorithm, servers)| Connection {
        id: ConnectionId(id),
        enable,
        alias: if flip[0] { "a" } else { "b" }.to_owned(),
        username: if flip[1] { "a" } else { "b" }.to_owned(),
        password: Password::from(if flip[2] { "a" } else { "b" }.to_owned()),
        domain: "d".to_owned(),
        resource: flip[3].then(|| "r".to_owned()),
        use_tls: flip[4],
        tls_ca: None,
        tls_verify: true,
        keepalive: if flip[5] { KeepAlive::Off } else { KeepAlive::Automatic },
        retry: Retry {
            attempts: u32::from(flip[6]),
            initial: Duration::from_secs(1),
            multiplier: 2000,
            max: Duration::from_secs(9),
        },
        algorithm,
        servers,
    })
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (any::<bool>(), any::<bool>(), prop::collection::vec(any_connection(), 0..4)).prop_map(|(enable, debug, all)| {
        let mut settings = Settings::default();
        settings.general.enable = enable;
        settings.general.log_level = if debug { LogLevel::Debug } else { LogLevel::Info };
        settings.connections = all.into_iter().map(|connection| (connection.id, connection)).collect();
        settings
    })
}

fn running(settings: &Settings) -> BTreeMap<ConnectionId, Connection> {
    let mut running = settings.connections.clone();
    running.retain(|_, connection| settings.general.enable && connection.enable);
    running
}

proptest! {
    #[test]
    fn changes_lead_from_one_to_the_other(a in any_settings(), b in any_settings()) {
        let Changes { stop, restart, update, spawn, log_level, .. } = changes(&a, &b);
        let mut now = running(&a);
        for id in stop {
            prop_assert!(now.remove(&id).is_some(), "stopped what did not run");
        }
        for connection in restart.into_iter().chain(update) {
            let id = connection.id;
            let before = now.insert(id, connection);
            prop_assert!(before.is_some() && before != now.get(&id).cloned(), "touched needlessly");
        }
        for connection in spawn {
            prop_assert!(now.insert(connection.id, connection).is_none(), "spawned twice");
        }
        prop_assert_eq!(now, running(&b));
        prop_assert_eq!(log_level.unwrap_or(a.general.log_level), b.general.log_level);
    }

    #[test]
    fn no_change_is_no_change(a in any_settings()) {
        prop_assert!(changes(&a, &a).is_empty());
    }
}

#[test]
fn a_change_of_many_connections_stays_a_line() {
    let stop = |count: u32| {
        let changes = Changes { stop: (1..=count).map(ConnectionId).collect(), general: true, ..Changes::default() };
        changes.to_string()
    };
    assert_eq!(stop(3), "stop connection 1, 2, 3; general settings taken over");
    assert!(stop(50).starts_with("stop connection 1, 2, ") && stop(50).contains(", 49, 50; "));
    assert!(stop(10_000).contains(", 49, 50 and 9950 more; "));
}
