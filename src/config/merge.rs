//! Merges a loaded file into the current settings: a refused section keeps its previous value.

use std::collections::BTreeSet;

use super::loaded::{ConnectionRows, Loaded};
use super::model::{ConnectionSettings, Server, Settings};

/// Returns the new desired settings.
///
/// - If the section `xmpp` is refused, its previous value stays.
/// - If the section of a connection is refused, an enabled connection keeps its settings and servers; a disabled one is not
///   started. If the section could be of any connection, all enabled connections without a section in the file are kept.
/// - If `id` names a section whose `con_inst` is refused, the connections that are kept for it answer requests as before.
/// - If the section of a server is refused, the row stays as it was, by the same rules.
///
/// At start-up `previous` is `Settings::default()`.
#[must_use]
pub fn merge(previous: &Settings, loaded: &Loaded) -> Settings {
    let refused = &loaded.refused;
    let mut settings = loaded.settings.clone();
    if refused.general {
        settings.general = previous.general.clone();
    } else if loaded.id_names_refused {
        let kept = previous.general.accepts_requests.iter().filter(|id| !loaded.has_section(**id));
        settings.general.accepts_requests.extend(kept);
    }
    for (id, before) in &previous.connections {
        let may_be_refused = refused.any_connection && !loaded.has_section(*id);
        if may_be_refused || refused.connections.contains(id) {
            if previous.enabled_connection(*id).is_some() {
                settings.connections.insert(*id, before.clone());
            }
        } else if let Some(connection) = settings.connections.get_mut(id) {
            keep_refused_rows(before, connection, loaded.rows.get(id), refused.any_row);
        }
    }
    settings
}

/// Restores the rows that are refused, or may be.
fn keep_refused_rows(
    before: &ConnectionSettings,
    connection: &mut ConnectionSettings,
    rows: Option<&ConnectionRows>,
    any_row: bool,
) {
    let is_refused = |row: &Server| rows.is_some_and(|rows| rows.refused.contains(&row.instance));
    let present: BTreeSet<u32> = connection.servers.iter().map(|row| row.instance).collect();
    let missing: Vec<&Server> = before.servers.iter().filter(|row| !present.contains(&row.instance)).collect();
    let any_refused = any_row || rows.is_some_and(|rows| rows.any_refused);
    let is_ambiguous = any_refused && missing.iter().any(|row| !is_refused(row));
    if is_ambiguous && rows.is_some_and(|rows| rows.has_positional) {
        // The missing row has shifted the numbers of those after it.
        connection.servers.clone_from(&before.servers);
        return;
    }
    let kept: Vec<Server> = missing.into_iter().filter(|row| any_refused || is_refused(row)).cloned().collect();
    connection.servers.extend(kept);
    connection.servers.sort_by_key(|row| row.instance);
}

#[cfg(test)]
mod tests;
