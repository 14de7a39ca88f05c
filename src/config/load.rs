//! A file's text to settings: the sections that are valid, and what is wrong with the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::model::{ConnectionId, General, Server, Settings};
use super::problem::{Problem, Severity, presentable};
use super::reader::Reader;
use super::schema::{self, Schema};
use super::uci::{self, Section, SyntaxError};
use super::validate::{self, Outcome};

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The sections that are valid. A daemon runs what [`adopt`](super::adopt()) makes of them.
    pub settings: Settings,
    /// What is wrong with the others, and what is worth a warning, in the order of their lines.
    pub problems: Vec<Problem>,
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
    let of = |schema: &Schema| {
        let kinds = schema.kinds;
        sections().filter(move |(section, _)| kinds.contains(&section.kind.as_str()))
    };
    let mut loader = Loader { file, loaded: Loaded::default() };
    loader.connections(of(&schema::CONNECTION));
    loader.general(of(&schema::GENERAL));
    loader.servers(of(&schema::SERVER));
    let known = [&schema::GENERAL, &schema::CONNECTION, &schema::SERVER];
    for (section, label) in sections() {
        if !known.iter().any(|schema| schema.kinds.contains(&section.kind.as_str())) {
            loader.unknown(section, label);
        }
    }
    loader.loaded.problems.sort_by_key(|problem| problem.line);
    Ok(loader.loaded)
}

struct Loader<'a> {
    file: &'a Path,
    loaded: Loaded,
}

impl<'a> Loader<'a> {
    fn general(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        for (at, (section, label)) in sections.enumerate() {
            let mut reader = Reader::new(self.file, section, label, &schema::GENERAL);
            if at > 0 {
                reader.refuse_section("a second section of this type, which there can be one of");
            } else {
                if section.name.as_deref() != Some("xmpp") {
                    reader.warn(None, "the name of this section is to be 'xmpp'");
                }
                match validate::general(&mut reader) {
                    Some(general) => {
                        self.look_for_strangers(&mut reader, &general);
                        self.loaded.settings.general = general;
                    }
                    None => self.loaded.refused.general = true,
                }
            }
            self.loaded.problems.extend(reader.into_problems());
        }
    }

    /// `id` may name a connection that is still to come, but more likely it is a slip.
    fn look_for_strangers(&self, reader: &mut Reader<'_>, general: &General) {
        let refused = &self.loaded.refused;
        for id in general.accepting.difference(&refused.named) {
            if general.enable && !refused.any_connection {
                reader.warn(Some("id"), format!("there is no connection with con_inst {id}"));
            }
        }
    }

    fn connections(&mut self, sections: impl Iterator<Item = (&'a Section, &'a str)>) {
        let mut lines: BTreeMap<ConnectionId, usize> = BTreeMap::new();
        for ((section, label), position) in sections.zip(1..) {
            let mut reader = Reader::new(self.file, section, label, &schema::CONNECTION);
            let (id, outcome) = validate::connection(&mut reader, position);
            let refused = &mut self.loaded.refused;
            refused.named.extend(id);
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
            let mut reader = Reader::new(self.file, section, label, &schema::SERVER);
            let id = validate::parent(&mut reader);
            let position = id.map_or(1, |id| {
                let count = positions.entry(id).or_default();
                *count += 1;
                *count
            });
            let positional = !reader.is_given("con_srv_inst");
            let (instance, row) = validate::server(&mut reader, position);
            match id {
                Some(id) if self.loaded.refused.named.contains(&id) => {
                    if !instance.is_none_or(|instance| seen.insert((id, instance))) {
                        let message = format!("another server of connection {id} has the same instance number");
                        reader.warn(Some("con_srv_inst"), message);
                    }
                    self.row(id, instance, row);
                    self.loaded.refused.rows.entry(id).or_default().positional |= positional;
                }
                _ => {
                    self.loaded.refused.any_row = true;
                    // It may belong to a connection whose own number is wrong: that is reported already.
                    if let Some(id) = id.filter(|_| !self.loaded.refused.any_connection) {
                        reader.refuse("con_id", Some(&id.to_string()), "there is no connection with this con_inst");
                    }
                }
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
            message: "unknown section type, ignored".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
