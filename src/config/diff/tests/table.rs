//! What each edit of the file leads to.

use super::{BASE, Changes, changes, settings};
use crate::config::model::ConnectionSettings;

/// The changes that an edit of `BASE` makes, and a summary: the connections that are stopped, restarted, updated, started.
fn edited(from: &str, to: &str) -> (Changes, String) {
    assert!(BASE.contains(from), "{from}");
    let changes = changes(&settings(BASE), &settings(&BASE.replacen(from, to, 1)));
    let ids = |verb: &str, ids: Vec<u32>| ids.iter().map(|id| format!("{verb} {id}")).collect::<Vec<_>>();
    let of = |connections: &[ConnectionSettings]| connections.iter().map(|connection| connection.id.0).collect();
    let mut summary = ids("stop", changes.stop.iter().map(|id| id.0).collect());
    summary.extend(ids("restart", of(&changes.restart)));
    summary.extend(ids("update", of(&changes.update)));
    summary.extend(ids("start", of(&changes.start)));
    summary.extend(changes.general.then(|| "general".to_owned()));
    summary.extend(changes.log_level.map(|level| format!("{level:?}")));
    (changes, summary.join(", "))
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn each_edit_leads_to_its_changes() {
    let wan = "option domain 'a.test'";
    let with = |option: &str| format!("{wan}\n\toption {option}");
    let added = "config connection 'new'\n\toption con_inst '3'\n\toption enable '1'\n\toption username 'u'\n\toption domain 'c.test'\n";
    for (from, to, expected) in [
        // Added, enabled, removed, disabled.
        ("config connection_server", &*format!("{added}\nconfig connection_server"), "start 3"),
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
        // Options that need a new stream.
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
        // Options that are applied to the present stream.
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
        // Rows that are not used.
        ("two.a.test", "three.a.test", "update 1"),
        ("'b.test'\n\nconfig connection_server", "'b.test'\n\nconfig connection_server 'x'", ""),
        ("option server_address 'b.test'", "option server_address 'c.test'", "update 2"),
        (
            "option server_address 'one.a.test'",
            "option server_address 'one.a.test'\n\toption con_srv_inst '7'",
            "update 1",
        ),
        // Options of the router.
        ("option id '1'", "option id '1'\n\toption allowed_jid 'acs@a.test'", "general"),
        ("option id '1'", "option id '1 2'", "general"),
        ("option id '1'", "option id '1'\n\toption notify 'command'\n\toption notify_command 'x'", "general"),
        ("option id '1'", "option id '1'\n\toption notify_timeout_ms '500'", "general"),
        ("option id '1'", "option id '1'\n\toption connreq_limit '0'", "general"),
        ("option id '1'", "option id '1'\n\toption connreq_period '1'", "general"),
        ("'INFO'", "'DEBUG'", "Debug"),
        // No change.
        ("'INFO'", "3 # INFO", ""),
        ("option id '1'", "list id \"1\"", ""),
        (wan, &with("con_inst '1'"), ""),
        (wan, "option domain 'A.test.'", ""),
        ("config connection 'wan'", "# a comment\n\n\nconfig connection 'wan'", ""),
        ("option username 'cpe'\n\toption password 'secret'", "option password 'secret'\n\toption username cpe", ""),
        (wan, &with("interval '-1'"), ""),
    ] {
        let (changes, summary) = edited(from, to);
        assert_eq!(summary, expected, "{from} -> {to}");
        assert_eq!(changes.is_empty(), expected.is_empty(), "{from} -> {to}");
    }
}
