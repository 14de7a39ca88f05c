//! The `config connection` sections of a file, whether they are valid or not.

use super::model::ConnectionId;
use super::problem::{Problem, Severity};
use super::uci::Section;
use super::values::from_text::FromText;

/// A `config connection` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionSection {
    /// The section as `uci show` names it: its name, or `@connection[0]`.
    pub name: String,
    /// Its `con_inst`; none if that is malformed, or another section's.
    pub connection: Option<ConnectionId>,
    /// Its `enable`; false if that is malformed.
    pub enable: bool,
    /// Why it is refused, if it is: its first error.
    pub refused: Option<String>,
}

impl ConnectionSection {
    /// A section and what is wrong with it.
    pub(super) fn new(section: &Section, label: &str, connection: Option<ConnectionId>, problems: &[Problem]) -> Self {
        let enable =
            section.option("enable").and_then(|entry| bool::from_text(std::str::from_utf8(entry.text()?).ok()?));
        let error = problems.iter().find(|problem| problem.severity == Severity::Error);
        Self {
            name: label.to_owned(),
            connection,
            enable: enable.unwrap_or(false),
            refused: error.map(ToString::to_string),
        }
    }
}
