//! Loads the text of a file: parses it, and validates each section.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::generation::{Generation, older_names};
use super::loaded::Loaded;
use super::model::{ConnectionId, General, Server};
use super::outline::ConnectionSection;
use super::problem::{Problem, Severity};
use super::references::ConnectionIndex;
use super::schema::{self, SectionKind};
use super::section_reader::SectionReader;
use super::suggestion::did_you_mean;
use super::uci::{self, Package, Section, SyntaxError};
use super::validate::connection::{Validation, connection};
use super::validate::general::general;
use super::validate::server::{parent, server};

/// Loads the text of `file`; the name is for messages only.
///
/// # Errors
/// The text is not UCI: nothing of it is used.
pub fn load(file: &Path, text: &[u8]) -> Result<Loaded, SyntaxError> {
    Ok(load_package(file, &uci::parse(file, text)?))
}

/// Loads what was parsed of `file`.
pub(super) fn load_package(file: &Path, package: &Package) -> Loaded {
    let labels = uci::labels(package);
    let sections = || package.sections.iter().zip(&labels).map(|(section, label)| (section, label.as_str()));
    let of_kind = |kind: Option<SectionKind>| sections().filter(move |(section, _)| SectionKind::of(section) == kind);
    let mut loader = Loader {
        file,
        loaded: Loaded { older_names: older_names(package), ..Loaded::default() },
        index: ConnectionIndex::default(),
    };
    // The other sections refer to the connections.
    loader.connections(of_kind(Some(SectionKind::Connection)));
    // The section with the right name comes first.
    let is_named = |(section, _): &(&Section, &str)| section.name.as_deref() == Some("xmpp");
    let (named, others): (Vec<_>, Vec<_>) = of_kind(Some(SectionKind::General)).partition(is_named);
    loader.general(named.into_iter().chain(others));
    loader.servers(of_kind(Some(SectionKind::Server)));
    of_kind(None).for_each(|(section, label)| loader.warn_unknown_type(section, label));
    loader.loaded.problems.sort_by_key(|problem| problem.line);
    loader.loaded
}

struct Loader<'a> {
    file: &'a Path,
    loaded: Loaded,
    index: ConnectionIndex,
}

impl<'a> Loader<'a> {
    /// Takes the first of these sections; the others are refused.
    fn general(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        for (at, (section, label)) in sections.enumerate() {
            let mut reader = SectionReader::new(self.file, section, label, &schema::GENERAL);
            if at > 0 {
                reader.refuse_section("expected only one section of this type");
            } else {
                if section.name.as_deref() != Some("xmpp") {
                    reader.warn(None, "expected the section name 'xmpp'");
                }
                let default_enable = self.default_enable(&reader);
                match general(&mut reader, default_enable, &self.index) {
                    Some((general, names_refused)) => {
                        self.warn_unknown_ids(&mut reader, &general);
                        self.loaded.settings.general = general;
                        self.loaded.id_names_refused = names_refused;
                    }
                    None => self.loaded.refused.general = true,
                }
            }
            self.loaded.problems.extend(reader.into_problems());
        }
    }

    /// The default of `enable`. The third generation does not have the option: it is on if something is configured. A refused
    /// section counts, as it may be what runs now.
    fn default_enable(&self, reader: &SectionReader<'_>) -> bool {
        let is_third = self.loaded.older_names.iter().any(|name| name.generation == Generation::Third);
        let has_enabled = || self.loaded.connections.iter().any(|section| section.enable || section.refused.is_some());
        reader.given_as("id") == Some("conn_req_connection") || (is_third && has_enabled())
    }

    /// Warns of each `id` that no connection has. It may be added later, but a typo is more likely.
    fn warn_unknown_ids(&self, reader: &mut SectionReader<'_>, general: &General) {
        let unknown = general.accepts_requests.iter().filter(|id| !self.index.contains(**id));
        for id in unknown.filter(|_| general.enable && !self.loaded.refused.any_connection) {
            reader.warn(Some("id"), format!("there is no connection with con_inst {id}; {}", self.index));
        }
    }

    fn connections(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        // The line of the section that has a number; a template leaves it to a later section.
        let mut lines: BTreeMap<ConnectionId, usize> = BTreeMap::new();
        for ((section, label), position) in sections.zip(1..) {
            let mut reader = SectionReader::new(self.file, section, label, &schema::CONNECTION);
            let (number, validation) = connection(&mut reader, position);
            let duplicate = number.and_then(|number| Some((number, *lines.get(&number)?)));
            let unique_id = number.filter(|_| duplicate.is_none());
            self.index.add(section.name.as_deref(), unique_id);
            if !matches!(validation, Validation::Template) {
                lines.extend(unique_id.map(|id| (id, section.line)));
                if let Some((number, line)) = duplicate {
                    let message = format!("{number} is already the con_inst of the section in line {line}");
                    reader.refuse("con_inst", None, message);
                }
            }
            self.add_connection(unique_id, validation);
            let problems = reader.into_problems();
            self.list_connection(ConnectionSection::new(section, label, unique_id, &problems));
            self.loaded.problems.extend(problems);
        }
    }

    /// Adds a connection to the settings if its section is valid, or to the refused ones. `unique_id` is none if its number is
    /// wrong, or used by an earlier section.
    fn add_connection(&mut self, unique_id: Option<ConnectionId>, validation: Validation) {
        let refused = &mut self.loaded.refused;
        match (validation, unique_id) {
            (Validation::Template, _) => {}
            // The section may be of any connection. Of two with one number, either may have the wrong one.
            (_, None) => refused.any_connection = true,
            (Validation::Refused, Some(id)) => _ = refused.connections.insert(id),
            (Validation::Valid(connection), Some(id)) => _ = self.loaded.settings.connections.insert(id, *connection),
        }
    }

    /// Adds a section to the list. A template before it with the same number loses that.
    fn list_connection(&mut self, section: ConnectionSection) {
        if section.connection.is_some() {
            let earlier = self.loaded.connections.iter_mut().filter(|earlier| earlier.connection == section.connection);
            earlier.for_each(|earlier| earlier.connection = None);
        }
        self.loaded.connections.push(section);
    }

    fn servers(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        let mut positions: BTreeMap<ConnectionId, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (section, label) in sections {
            let mut reader = SectionReader::new(self.file, section, label, &schema::SERVER);
            if let Some(id) = parent(&mut reader, &self.index, self.loaded.refused.any_connection) {
                let position = positions.entry(id).or_default();
                *position += 1;
                let (instance, row) = server(&mut reader, *position);
                if instance.is_some_and(|instance| !seen.insert((id, instance))) {
                    let message = format!("another server of connection {id} has the same instance number");
                    reader.warn(Some("con_srv_inst"), message);
                }
                self.loaded.rows.entry(id).or_default().has_positional |= !reader.is_given("con_srv_inst");
                self.add_row(id, instance, row);
            } else {
                // Validated for its problems only.
                server(&mut reader, 1);
                self.loaded.refused.any_row = true;
            }
            self.loaded.problems.extend(reader.into_problems());
        }
        for connection in self.loaded.settings.connections.values_mut() {
            connection.servers.sort_by_key(|row| row.instance);
        }
    }

    /// Adds a row to its connection if the row is valid, or to the refused rows.
    fn add_row(&mut self, id: ConnectionId, instance: Option<u32>, row: Option<Server>) {
        let rows = self.loaded.rows.entry(id).or_default();
        match (instance, row) {
            (_, Some(row)) => {
                if let Some(connection) = self.loaded.settings.connections.get_mut(&id) {
                    connection.servers.push(row);
                }
            }
            (Some(instance), None) => _ = rows.refused.insert(instance),
            (None, None) => rows.any_refused = true,
        }
    }

    fn warn_unknown_type(&mut self, section: &Section, label: &str) {
        let suggestion = did_you_mean(&section.kind, ["xmpp", "connection", "connection_server"]);
        let message =
            format!("unknown section type, ignored; expected xmpp, connection or connection_server{suggestion}");
        self.loaded.problems.push(Problem::new(Severity::Warning, self.file, section, label, message));
    }
}

#[cfg(test)]
mod tests;
