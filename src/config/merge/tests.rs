use std::path::Path;

use crate::config::diff::tests::changes;
use crate::config::load::load;
use crate::config::loaded::Loaded;
use crate::config::merge::merge;
use crate::config::model::Settings;

const BEFORE: &str = "\
config xmpp 'xmpp'
\toption enable 1
config connection 'a'
\toption enable 1
\toption username a
\toption domain a.test
\toption serveralgorithm ServerTable
config connection 'b'
\toption enable 1
\toption username b
\toption domain b.test
config connection_server 'one'
\toption con_id 1
\toption enable 1
\toption server_address one.test
config connection_server 'two'
\toption con_id 1
\toption enable 1
\toption server_address two.test
";

fn loaded(text: &str) -> Loaded {
    load(Path::new("x"), text.as_bytes()).unwrap()
}

fn before() -> Settings {
    merge(&Settings::default(), &loaded(BEFORE))
}

/// The desired settings after these edits of `BEFORE`, which leave errors in the file.
fn after(edits: &[(&str, &str)]) -> Settings {
    let mut text = BEFORE.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let loaded = loaded(&text);
    assert!(loaded.has_errors());
    merge(&before(), &loaded)
}

#[test]
fn an_error_in_any_section_changes_nothing() {
    for (from, to) in [
        ("option enable 1", "option enable x"),
        ("option username a", "option username a@b"),
        ("option username a\n", ""),
        ("'a'", "'a'\n\toption con_inst x"),
        ("'b'", "'b'\n\toption con_inst 1"),
        ("'b'", "'b'\n\toption con_inst 0"),
        ("option con_id 1", "option con_id x"),
        ("option con_id 1", "option con_id 3"),
        ("option con_id 1\n", ""),
        ("option server_address one.test", "option server_address 'o n e'"),
        ("option server_address two.test\n", ""),
        ("'one'", "'one'\n\toption con_srv_inst x"),
        ("'two'", "'two'\n\toption con_srv_inst x"),
    ] {
        assert_eq!(after(&[(from, to)]), before(), "{from} -> {to}");
    }
}

#[test]
fn a_refused_section_that_id_names_keeps_answering_requests() {
    let text = BEFORE.replacen("enable 1", "enable 1\n\toption id 'a b'", 1);
    let before = merge(&Settings::default(), &loaded(&text));
    let accepting = |settings: &Settings| settings.general.accepts_requests.iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(accepting(&before), [1, 2]);
    let refused = text.replacen("'a'\n", "'a'\n\toption con_inst l\n", 1);
    assert_eq!(merge(&before, &loaded(&refused)), before);
    // A section that `id` no longer names does not answer.
    let only_a = refused.replacen("'a b'", "'a'", 1);
    assert_eq!(accepting(&merge(&before, &loaded(&only_a))), [1]);
    let only_b = refused.replacen("'a b'", "'b'", 1);
    assert_eq!(accepting(&merge(&before, &loaded(&only_b))), [2]);
}

/// The third generation has no `enable` for all: it follows from the connections, of which the only one is refused.
#[test]
fn a_refused_section_of_the_third_generation_keeps_running() {
    const THIRD: &str = "config xmpp 'xmpp'\nconfig connection 'a'\n\toption enable 1\n\toption username a\n\toption \
                         domain a.test\nconfig connection_server 's'\n\toption con_name a\n";
    let before = merge(&Settings::default(), &loaded(THIRD));
    assert!(before.general.enable);
    for (from, to) in [("username a", "username a@b"), ("enable 1", "enable x"), ("domain a.test", "domain 'a test'")] {
        let text = THIRD.replacen(from, to, 1);
        assert_ne!(text, THIRD);
        assert_eq!(merge(&before, &loaded(&text)), before, "{to}");
    }
}

#[test]
fn valid_sections_take_effect_beside_a_refused_one() {
    let settings = after(&[("option username a", "option username a@b"), ("b.test", "c.test")]);
    let changes = changes(&before(), &settings);
    let restarted: Vec<_> = changes.restart.iter().map(|connection| connection.id.0).collect();
    assert_eq!((restarted, changes.stop.len(), changes.start.len()), (vec![2], 0, 0));

    let settings = after(&[("one.test", "'o n e'"), ("two.test", "three.test")]);
    let rows: Vec<_> = settings.connections.values().flat_map(|connection| &connection.servers).collect();
    let addresses: Vec<_> = rows.iter().filter_map(|row| row.address.as_deref()).collect();
    assert_eq!(addresses, ["one.test", "three.test"]);
}

#[test]
fn a_refused_connection_without_previous_settings_is_not_started() {
    let text = BEFORE.replacen("option domain b.test", "option domain 'b test'", 1);
    let settings = merge(&Settings::default(), &loaded(&text));
    assert_eq!(settings.connections.keys().map(|id| id.0).collect::<Vec<_>>(), [1]);
    let text = BEFORE.replacen("option enable 1", "option enable x", 1);
    assert!(!merge(&Settings::default(), &loaded(&text)).general.enable);
}

#[test]
fn enabling_all_connections_does_not_start_a_refused_one() {
    let off = BEFORE.replacen("option enable 1", "option enable 0", 1);
    let before = merge(&Settings::default(), &loaded(&off));
    let text = BEFORE.replacen("option username a", "option username a@b", 1);
    let changes = changes(&before, &merge(&before, &loaded(&text)));
    let started: Vec<_> = changes.start.iter().map(|connection| connection.id.0).collect();
    assert_eq!(started, [2]);
}

#[test]
fn a_removed_connection_is_removed_although_another_section_is_refused() {
    let (kept, _) = BEFORE.split_once("config connection 'b'").unwrap();
    let text = kept.replacen("option username a", "option username a@b", 1);
    let settings = merge(&before(), &loaded(&text));
    assert_eq!(settings.connections.keys().map(|id| id.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_removed_row_is_removed_unless_a_refused_row_may_be_it() {
    let (without_two, _) = BEFORE.split_once("config connection_server 'two'").unwrap();
    let rows =
        |text: &str| merge(&before(), &loaded(text)).connections.values().map(|c| c.servers.len()).sum::<usize>();
    assert_eq!(rows(without_two), 1);
    assert_eq!(rows(&format!("{without_two}config connection_server\noption con_id x\n")), 2);
}
