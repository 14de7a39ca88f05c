//! From what ran and what a new file says to what is to run: a section that is refused changes nothing.

use std::collections::BTreeSet;

use super::load::{Loaded, RefusedRows};
use super::model::{Connection, Server, Settings};

/// The settings to run.
///
/// - The section `xmpp` is refused: the previous one stays.
/// - A connection's section is refused: the connection stays as it was, with its servers; if there was none there is none.
///   If it cannot be told which connection a refused section is, all that the file does not mention stay.
/// - A server's section is refused: the row stays as it was, by the same rules.
///
/// At start-up `previous` is `Settings::default()`.
#[must_use]
pub fn adopt(previous: &Settings, loaded: &Loaded) -> Settings {
    let refused = &loaded.refused;
    let mut settings = loaded.settings.clone();
    if refused.general {
        settings.general = previous.general.clone();
    }
    for (id, before) in &previous.connections {
        let unmentioned = refused.any_connection && !refused.named.contains(id);
        if unmentioned || refused.connections.contains(id) {
            settings.connections.insert(*id, before.clone());
        } else if let Some(connection) = settings.connections.get_mut(id) {
            keep_rows(before, connection, refused.rows.get(id), refused.any_row);
        }
    }
    settings
}

/// Puts the rows that were refused back as they were.
fn keep_rows(
    before: &Connection,
    connection: &mut Connection,
    refused: Option<&RefusedRows>,
    any_row: bool,
) {
    let is_refused =
        |row: &Server| refused.is_some_and(|rows| rows.instances.contains(&row.instance));
    let present: BTreeSet<u32> = connection.servers.iter().map(|row| row.instance).collect();
    let lost: Vec<&Server> = before
        .servers
        .iter()
        .filter(|row| !present.contains(&row.instance))
        .collect();
    let untold = any_row || refused.is_some_and(|rows| rows.any);
    let unexplained = untold && lost.iter().any(|row| !is_refused(row));
    if unexplained && refused.is_some_and(|rows| rows.positional) {
        // A row that is missing has moved up those behind it: none of them is what its number says.
        connection.servers.clone_from(&before.servers);
        return;
    }
    let kept: Vec<Server> = lost
        .into_iter()
        .filter(|row| untold || is_refused(row))
        .cloned()
        .collect();
    connection.servers.extend(kept);
    connection.servers.sort_by_key(|row| row.instance);
}
