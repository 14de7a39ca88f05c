//! References to connections, by number or by section name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::model::ConnectionId;
use super::suggestion::did_you_mean;
use super::values::numbers::digits;
use crate::text::presentable;

/// Maximum number of connections that a message lists.
const MAX_LISTED: usize = 10;

/// The connections of a file. Displayed, it is the end of a message about a wrong reference: a list of them.
#[derive(Debug, Default)]
pub(crate) struct ConnectionIndex {
    numbers: BTreeSet<ConnectionId>,
    /// By section name; none if the section's number is wrong, or used by an earlier section.
    names: BTreeMap<String, Option<ConnectionId>>,
}

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// This connection.
    Connection(ConnectionId),
    /// A section whose number is wrong, or used by an earlier section. The error is reported for that section.
    InvalidSection,
    /// No connection has this number.
    UnknownNumber(ConnectionId),
    /// No connection's section has this name.
    UnknownName,
    /// Neither a number from 1 to 4294967295 nor a section name.
    Malformed,
}

impl ConnectionIndex {
    /// Adds the section of a connection. `id` is none if its number is wrong, or used by an earlier section.
    pub(crate) fn add(&mut self, section: Option<&str>, id: Option<ConnectionId>) {
        self.numbers.extend(id);
        if let Some(name) = section {
            self.names.insert(name.to_owned(), id);
        }
    }

    /// Whether a connection has this number.
    pub(crate) fn contains(&self, id: ConnectionId) -> bool {
        self.numbers.contains(&id)
    }

    /// Resolves a reference. If it is both a number and a section name, `names_first` decides.
    pub(crate) fn resolve(&self, text: &str, names_first: bool) -> Reference {
        let number = digits(text).filter(|number| *number > 0).map(ConnectionId);
        let by_number = number.filter(|id| self.contains(*id)).map(Reference::Connection);
        let by_name = self.names.get(text).map(|id| id.map_or(Reference::InvalidSection, Reference::Connection));
        let (first, second) = if names_first { (by_name, by_number) } else { (by_number, by_name) };
        let is_name = || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_digits = || text.bytes().all(|byte| byte.is_ascii_digit());
        first.or(second).unwrap_or_else(|| match number {
            Some(id) => Reference::UnknownNumber(id),
            None if is_name() && !is_digits() => Reference::UnknownName,
            None => Reference::Malformed,
        })
    }
}

impl ConnectionIndex {
    /// `; did you mean 'NAME'?` for a reference to no connection that is close to a section's name, or nothing.
    pub(crate) fn suggestion(&self, text: &str) -> String {
        did_you_mean(text, self.names.keys().map(String::as_str))
    }
}

impl fmt::Display for ConnectionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.numbers.is_empty() {
            return f.write_str("the file has no connections");
        }
        f.write_str("connections in the file: ")?;
        for (at, id) in self.numbers.iter().take(MAX_LISTED).enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            write!(f, "{separator}{id}")?;
            if let Some((name, _)) = self.names.iter().find(|(_, named)| **named == Some(*id)) {
                write!(f, " ('{}')", presentable(name))?;
            }
        }
        f.write_str(if self.numbers.len() > MAX_LISTED { ", ..." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionId, ConnectionIndex, Reference};

    #[test]
    fn references_are_resolved_by_number_and_by_name() {
        let mut connections = ConnectionIndex::default();
        assert_eq!(connections.to_string(), "the file has no connections");
        connections.add(Some("wan"), Some(ConnectionId(1)));
        connections.add(Some("1"), Some(ConnectionId(2)));
        connections.add(None, Some(ConnectionId(7)));
        connections.add(Some("bad"), None);
        for (text, names_first, expected) in [
            ("1", false, Reference::Connection(ConnectionId(1))),
            ("1", true, Reference::Connection(ConnectionId(2))),
            ("7", true, Reference::Connection(ConnectionId(7))),
            ("wan", false, Reference::Connection(ConnectionId(1))),
            ("bad", false, Reference::InvalidSection),
            ("3", false, Reference::UnknownNumber(ConnectionId(3))),
            ("Wan", false, Reference::UnknownName),
            ("0", false, Reference::Malformed),
            ("4294967296", false, Reference::Malformed),
            ("a-b", true, Reference::Malformed),
        ] {
            assert_eq!(connections.resolve(text, names_first), expected, "{text}");
        }
        assert_eq!(connections.to_string(), "connections in the file: 1 ('wan'), 2 ('1'), 7");
        (10..20).for_each(|id| connections.add(None, Some(ConnectionId(id))));
        assert!(connections.to_string().ends_with("16, ..."), "{connections}");
    }
}
