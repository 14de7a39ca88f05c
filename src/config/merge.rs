//! Merges a loaded file into the current settings; a rejected section keeps its previous value.

use std::collections::BTreeSet;

use super::load::{Loaded, RefusedRows};
use super::model::{Connection, Server, Settings};

/// The new desired settings.
///
/// - If the section `xmpp` is rejected, the previous one stays.
/// - If the section of a connection is rejected, an enabled connection stays as it was, with its servers; a disabled one is
///   not started. If it is unknown which connection a rejected section belongs to, all connections that the file does not
///   mention stay.
/// - If the section of a server is rejected, the row stays as it was, by the same rules.
///
/// At start-up `previous` is `Settings::default()`.
#[must_use]
pub fn merge(previous: &Settings, loaded: &Loaded) -> Settings {
    let refused = &loaded.refused;
    let mut settings = loaded.settings.clone();
    if refused.general {
        settings.general = previous.general.clone();
    }
    for (id, before) in &previous.connections {
        let unmentioned = refused.any_connection && !refused.named.contains(id);
        if unmentioned || refused.connections.contains(id) {
            if previous.enabled_connection(*id).is_some() {
                settings.connections.insert(*id, before.clone());
            }
        } else if let Some(connection) = settings.connections.get_mut(id) {
            keep_rows(before, connection, refused.rows.get(id), refused.any_row);
        }
    }
    settings
}

/// Puts the rows that were refused back as they were.
fn keep_rows(before: &Connection, connection: &mut Connection, refused: Option<&RefusedRows>, any_row: bool) {
    let is_refused = |row: &Server| refused.is_some_and(|rows| rows.instances.contains(&row.instance));
    let present: BTreeSet<u32> = connection.servers.iter().map(|row| row.instance).collect();
    let lost: Vec<&Server> = before.servers.iter().filter(|row| !present.contains(&row.instance)).collect();
    let untold = any_row || refused.is_some_and(|rows| rows.any);
    let unexplained = untold && lost.iter().any(|row| !is_refused(row));
    if unexplained && refused.is_some_and(|rows| rows.positional) {
        // A row that is missing has moved up those behind it: none of them is what its number says.
        connection.servers.clone_from(&before.servers);
        return;
    }
    let kept: Vec<Server> = lost.into_iter().filter(|row| untold || is_refused(row)).cloned().collect();
    connection.servers.extend(kept);
    connection.servers.sort_by_key(|row| row.instance);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::diff::tests::changes;
    use crate::config::load;

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

    /// What is to run after these edits of `BEFORE`, which leave errors in the file.
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

    fn before() -> Settings {
        merge(&Settings::default(), &loaded(BEFORE))
    }

    #[test]
    fn an_error_in_any_section_leaves_what_runs() {
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
    fn the_other_sections_take_effect() {
        let settings = after(&[("option username a", "option username a@b"), ("b.test", "c.test")]);
        let changes = changes(&before(), &settings);
        let restarted: Vec<_> = changes.restart.iter().map(|connection| connection.id.0).collect();
        assert_eq!((restarted, changes.stop.len(), changes.spawn.len()), (vec![2], 0, 0));

        let settings = after(&[("one.test", "'o n e'"), ("two.test", "three.test")]);
        let rows: Vec<_> = settings.connections.values().flat_map(|connection| &connection.servers).collect();
        let addresses: Vec<_> = rows.iter().filter_map(|row| row.address.as_deref()).collect();
        assert_eq!(addresses, ["one.test", "three.test"]);
    }

    #[test]
    fn a_connection_that_did_not_run_is_not_started() {
        let text = BEFORE.replacen("option domain b.test", "option domain 'b test'", 1);
        let settings = merge(&Settings::default(), &loaded(&text));
        assert_eq!(settings.connections.keys().map(|id| id.0).collect::<Vec<_>>(), [1]);
        let text = BEFORE.replacen("option enable 1", "option enable x", 1);
        assert!(!merge(&Settings::default(), &loaded(&text)).general.enable);
    }

    #[test]
    fn a_refused_connection_is_not_started_by_switching_all_on() {
        let off = BEFORE.replacen("option enable 1", "option enable 0", 1);
        let before = merge(&Settings::default(), &loaded(&off));
        let text = BEFORE.replacen("option username a", "option username a@b", 1);
        let changes = changes(&before, &merge(&before, &loaded(&text)));
        let spawned: Vec<_> = changes.spawn.iter().map(|connection| connection.id.0).collect();
        assert_eq!(spawned, [2]);
    }

    #[test]
    fn a_connection_that_is_removed_goes_although_another_section_is_refused() {
        let (kept, _) = BEFORE.split_once("config connection 'b'").unwrap();
        let text = kept.replacen("option username a", "option username a@b", 1);
        let settings = merge(&before(), &loaded(&text));
        assert_eq!(settings.connections.keys().map(|id| id.0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn rows_that_are_removed_go_unless_a_row_may_be_one_of_them() {
        let (without_two, _) = BEFORE.split_once("config connection_server 'two'").unwrap();
        let rows =
            |text: &str| merge(&before(), &loaded(text)).connections.values().map(|c| c.servers.len()).sum::<usize>();
        assert_eq!(rows(without_two), 1);
        assert_eq!(rows(&format!("{without_two}config connection_server\noption con_id x\n")), 2);
    }
}
