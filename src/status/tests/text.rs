//! The status for people.

use std::time::SystemTime;

use super::super::render;
use super::documents::{connection, shown};
use super::{NOW, date};
use crate::document::{Table, Value};

fn now() -> SystemTime {
    date(NOW)
}

/// The lines about one connection.
fn lines(connection: Table) -> String {
    let text = render(&Table::new().with("connections", vec![connection.into()]), now(), false);
    let (connections, _) = text.split_once("\n\n").unwrap();
    connections.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn the_whole_text() {
    let text = render(&shown(None), now(), false).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_eq!(text, include_str!("status.txt"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?}");
    }
}

#[test]
fn a_file_without_connections() {
    let text = render(&Table::new().with("connections", Vec::new()), now(), false);
    assert!(text.contains("\nnone              the file has no section 'connection'\n"), "{text}");
}

#[test]
fn a_connection_that_is_online() {
    let online = connection("Enabled").with("accepted", 12u64).with("refused_sender", 2u64).with("notify_failed", 1u64);
    let expected = "\
1 wan             online for 2 h 5 min
                  cpe@a.test/wan at 10.0.0.1:5222, without TLS
                  requests: 12 accepted, 1 not notified, 2 refused (2 sender)";
    assert_eq!(lines(online), expected);
    let with_tls = connection("Enabled").with("tls", true).with("accepts_requests", false).with("restarts", 1u32);
    let expected = "\
1 wan             online for 2 h 5 min
                  cpe@a.test/wan at 10.0.0.1:5222, with TLS
                  accepts no requests: 'id' of section 'xmpp' does not name it
                  restarted after a crash: 1";
    assert_eq!(lines(with_tls), expected);
}

#[test]
fn each_status_has_its_words() {
    for (status, words) in [
        ("Connecting", "connecting for 2 h 5 min; next try in 42 s"),
        ("Dormant", "waiting before a retry for 2 h 5 min; next try in 42 s"),
        ("Disabled", "disabled"),
        ("ServerNotPresent", "no server reached for 2 h 5 min; next try in 42 s"),
        ("Error_AuthenticationFailure", "login refused by the server for 2 h 5 min; next try in 42 s"),
        ("Error_Misconfigured", "misconfigured for 2 h 5 min; next try in 42 s"),
        ("Error", "failed for 2 h 5 min; next try in 42 s"),
    ] {
        let text = lines(connection(status).with("next_attempt_in", Value::Double(41.2)));
        assert_eq!(text.lines().next(), Some(&*format!("1 wan             {words}")));
        let has_address = text.contains("\n                  was cpe@a.test/wan; last address: 10.0.0.1:5222\n");
        assert_eq!(has_address, status != "Disabled", "{text}");
    }
}

/// A clock that was set back makes no negative durations, and a status that was never entered has none.
#[test]
fn times_that_are_not_known() {
    let later = connection("Enabled").with("since", 1_800_000_000u64);
    assert!(lines(later).starts_with("1 wan             online for 0 s\n"));
    let never = connection("Connecting").with("since", 0u64);
    assert!(lines(never).starts_with("1 wan             connecting\n"));
}

/// Aliases, JIDs and errors come from outside.
#[test]
fn a_value_can_neither_add_a_line_of_its_own_nor_control_the_terminal() {
    let bad = "x\n2 other           online\r\u{1b}[31m\u{85}\u{2028}";
    for name in ["alias", "jid", "address", "error", "refused", "crash"] {
        let text = lines(connection("Enabled").with(name, bad));
        assert!(!text.contains("\n2 other") && !text.contains(['\r', '\u{1b}', '\u{85}', '\u{2028}']), "{text:?}");
    }
}

#[test]
fn a_long_alias_is_cut_and_a_long_error_continues_below() {
    let long = connection("Error").with("alias", "a name of twenty-three").with("error", "word ".repeat(40));
    let text = lines(long);
    assert!(text.starts_with("1 a name of tw... failed"), "{text}");
    assert!(text.lines().count() > 4 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn colours_mark_the_state_and_change_no_text() {
    let document = shown(None);
    let (plain, coloured) = (render(&document, now(), false), render(&document, now(), true));
    let mut stripped = coloured.clone();
    for code in ["0", "1", "31", "32", "33"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, plain);
    assert!(coloured.contains("\u{1b}[31mlogin refused by the server"), "{coloured}");
}
