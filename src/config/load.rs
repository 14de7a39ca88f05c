//! A file's text to settings: the sections that are valid, and what is wrong with the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::generation::{Generation, OlderName, older_names, schema_of};
use super::model::{ConnectionId, General, Server, Settings};
use super::problem::{Problem, Severity, presentable};
use super::references::Connections;
use super::schema::{self, Schema};
use super::section_reader::SectionReader;
use super::uci::{self, Section, SyntaxError};
use super::validate::{self, Outcome};

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The sections that are valid. A daemon runs what [`merge`](super::merge()) makes of them.
    pub settings: Settings,
    /// What is wrong with the others, and what is worth a warning, in the order of their lines.
    pub problems: Vec<Problem>,
    /// The names in the file that only older generations of it have.
    pub older_names: BTreeSet<OlderName>,
    /// What is to be kept of the settings before.
    pub(super) refused: Refused,
}

/// The sections that were refused, as far as can be told which they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The section `xmpp`.
    pub(super) general: bool,
    /// The connections whose sections were refused.
    pub(super) connections: BTreeSet<ConnectionId>,
    /// There is a refused section of which it cannot be told which connection it is.
    pub(super) any_connection: bool,
    /// All connections that the file has a section for.
    pub(super) named: BTreeSet<ConnectionId>,
    /// By connection, its rows that were refused.
    pub(super) rows: BTreeMap<ConnectionId, RefusedRows>,
    /// There is a refused row of which it cannot be told which connection it belongs to.
    pub(super) any_row: bool,
}

/// The refused rows of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RefusedRows {
    pub(super) instances: BTreeSet<u32>,
    /// There is one whose instance number cannot be told.
    pub(super) any: bool,
    /// One of the connection's rows, valid or not, has its instance number from its position.
    pub(super) positional: bool,
}

impl Loaded {
    /// Whether any section is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The connections whose sections are refused, as far as can be told which they are.
    pub fn refused_connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.refused.connections.iter().copied()
    }
}

/// Reads the text of `file`; the name is for messages only.
///
/// # Errors
/// The text is not UCI: nothing of it can be used.
pub fn load(file: &Path, text: &[u8]) -> Result<Loaded, SyntaxError> {
    let package = uci::parse(file, text)?;
    let labels = uci::labels(&package);
    let sections = || package.sections.iter().zip(&labels).map(|(section, label)| (section, label.as_str()));
    let of = |schema: &'static Schema| {
        sections().filter(move |(section, _)| schema_of(section).is_some_and(|of| std::ptr::eq(of, schema)))
    };
    let older_names = older_names(&package);
    let mut loader =
        Loader { file, loaded: Loaded { older_names, ..Loaded::default() }, references: Connections::default() };
    loader.connections(of(&schema::CONNECTION));
    let is_named = |(section, _): &(&Section, &str)| section.name.as_deref() == Some("xmpp");
    let (named, others): (Vec<_>, Vec<_>) = of(&schema::GENERAL).partition(is_named);
    loader.general(named.into_iter().chain(others));
    loader.servers(of(&schema::SERVER));
    sections()
        .filter(|(section, _)| schema_of(section).is_none())
        .for_each(|(section, label)| loader.unknown(section, label));
    loader.loaded.problems.sort_by_key(|problem| problem.line);
    Ok(loader.loaded)
}

struct Loader<'a> {
    file: &'a Path,
    loaded: Loaded,
    references: Connections,
}

impl<'a> Loader<'a> {
    fn general(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        for (at, (section, label)) in sections.enumerate() {
            let mut reader = SectionReader::new(self.file, section, label, &schema::GENERAL);
            if at > 0 {
                reader.refuse_section("a second section of this type, which there can be one of");
            } else {
                if section.name.as_deref() != Some("xmpp") {
                    reader.warn(None, "the name of this section is to be 'xmpp'");
                }
                let enable = self.is_enabled_by_default(&reader);
                match validate::general(&mut reader, enable, &self.references) {
                    Some(general) => {
                        self.warn_unknown_ids(&mut reader, &general);
                        self.loaded.settings.general = general;
                    }
                    None => self.loaded.refused.general = true,
                }
            }
            self.loaded.problems.extend(reader.into_problems());
        }
    }

    /// The third generation has no `enable` in this section.
    fn is_enabled_by_default(&self, reader: &SectionReader<'_>) -> bool {
        let is_third = self.loaded.older_names.iter().any(|name| name.generation == Generation::Third);
        let has_enabled = || self.loaded.settings.connections.values().any(|connection| connection.enable);
        reader.given_as("id") == Some("conn_req_connection") || (is_third && has_enabled())
    }

    /// Warns of an `id` that no connection has: it may be added later, but a slip is more likely.
    fn warn_unknown_ids(&self, reader: &mut SectionReader<'_>, general: &General) {
        let unknown = general.accepting.iter().filter(|id| !self.references.has(**id));
        for id in unknown.filter(|_| general.enable && !self.loaded.refused.any_connection) {
            reader.warn(Some("id"), format!("there is no connection with con_inst {id}; {}", self.references.list()));
        }
    }

    fn connections(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        let mut lines: BTreeMap<ConnectionId, usize> = BTreeMap::new();
        for ((section, label), position) in sections.zip(1..) {
            let mut reader = SectionReader::new(self.file, section, label, &schema::CONNECTION);
            let (id, outcome) = validate::connection(&mut reader, position);
            let refused = &mut self.loaded.refused;
            refused.named.extend(id);
            let name = section.name.as_deref();
            if id.is_some_and(|id| lines.contains_key(&id)) {
                self.references.add_duplicate(name);
            } else {
                self.references.add(name, id);
            }
            match (id, outcome) {
                (None, _) => refused.any_connection = true,
                (Some(_), Outcome::Blank) => {}
                (Some(id), outcome) => {
                    if let Some(line) = lines.get(&id) {
                        reader.refuse(
                            "con_inst",
                            None,
                            format!("{id} is the con_inst of the section in line {line} too"),
                        );
                        // Either of the two may be the one that has the wrong number.
                        refused.any_connection = true;
                    } else {
                        lines.insert(id, section.line);
                        if let Outcome::Valid(connection) = outcome {
                            self.loaded.settings.connections.insert(id, *connection);
                        } else {
                            refused.connections.insert(id);
                        }
                    }
                }
            }
            self.loaded.problems.extend(reader.into_problems());
        }
    }

    fn servers(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        let mut positions: BTreeMap<ConnectionId, u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (section, label) in sections {
            let mut reader = SectionReader::new(self.file, section, label, &schema::SERVER);
            let id = validate::parent(&mut reader, &self.references, self.loaded.refused.any_connection);
            let position = id.map_or(1, |id| {
                let count = positions.entry(id).or_default();
                *count += 1;
                *count
            });
            let positional = !reader.is_given("con_srv_inst");
            let (instance, row) = validate::server(&mut reader, position);
            match id {
                Some(id) => {
                    if !instance.is_none_or(|instance| seen.insert((id, instance))) {
                        let message = format!("another server of connection {id} has the same instance number");
                        reader.warn(Some("con_srv_inst"), message);
                    }
                    self.row(id, instance, row);
                    self.loaded.refused.rows.entry(id).or_default().positional |= positional;
                }
                None => self.loaded.refused.any_row = true,
            }
            self.loaded.problems.extend(reader.into_problems());
        }
        for connection in self.loaded.settings.connections.values_mut() {
            connection.servers.sort_by_key(|row| row.instance);
        }
    }

    fn row(&mut self, id: ConnectionId, instance: Option<u32>, row: Option<Server>) {
        let rows = self.loaded.refused.rows.entry(id).or_default();
        match (instance, row) {
            (_, Some(row)) => {
                if let Some(connection) = self.loaded.settings.connections.get_mut(&id) {
                    connection.servers.push(row);
                }
            }
            (Some(instance), None) => {
                rows.instances.insert(instance);
            }
            (None, None) => rows.any = true,
        }
    }

    fn unknown(&mut self, section: &Section, label: &str) {
        self.loaded.problems.push(Problem {
            severity: Severity::Warning,
            file: self.file.to_owned(),
            line: section.line,
            section: presentable(label),
            kind: presentable(&section.kind),
            option: None,
            value: None,
            message: "unknown section type, ignored; expected xmpp, connection or connection_server".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
