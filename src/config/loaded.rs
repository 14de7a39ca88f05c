//! The result of loading a file.

use std::collections::{BTreeMap, BTreeSet};

use super::generation::OlderName;
use super::model::{ConnectionId, Settings};
use super::outline::ConnectionSection;
use super::problem::{Problem, Severity};

/// What a file says: its valid sections, and the problems of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The valid sections. [`merge`](super::merge::merge) adds what is kept in place of the refused ones.
    pub settings: Settings,
    /// All `config connection` sections, in the order of the file.
    pub connections: Vec<ConnectionSection>,
    /// Errors and warnings, by line.
    pub problems: Vec<Problem>,
    /// The names in the file that only older generations of it have.
    pub older_names: BTreeSet<OlderName>,
    /// The refused sections.
    pub(super) refused: RefusedSections,
    /// `id` names a refused section that could be of any connection.
    pub(super) id_names_refused: bool,
    /// The rows in the file, by connection. Valid rows are also in the settings.
    pub(super) rows: BTreeMap<ConnectionId, ConnectionRows>,
}

/// Identifies the refused sections as far as possible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RefusedSections {
    /// The section `xmpp` is refused.
    pub(super) general: bool,
    /// The connections whose sections are refused.
    pub(super) connections: BTreeSet<ConnectionId>,
    /// A section is refused that could be of any connection.
    pub(super) any_connection: bool,
    /// A row is refused that could be of any connection.
    pub(super) any_row: bool,
}

/// The rows that a file has for one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConnectionRows {
    /// The instance numbers of the refused rows.
    pub(super) refused: BTreeSet<u32>,
    /// A row is refused that could have any instance number.
    pub(super) any_refused: bool,
    /// A row, valid or not, is numbered by its position.
    pub(super) has_positional: bool,
}

impl Loaded {
    /// Whether any section is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether a section of the file, valid or not, is this connection's.
    pub(super) fn has_section(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|section| section.connection == Some(id))
    }

    /// The connections whose sections are refused, as far as their numbers are known.
    pub fn refused_connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.refused.connections.iter().copied()
    }
}
