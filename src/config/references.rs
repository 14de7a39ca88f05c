//! References to connections, by number or by section name.

use std::collections::{BTreeMap, BTreeSet};

use super::model::ConnectionId;
use super::problem::presentable;
use super::values::digits;

/// Connections that a message lists at most.
const LISTED: usize = 10;

/// The connections of a file that others of its sections can refer to.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    numbers: BTreeSet<ConnectionId>,
    /// By section name; none where the section's own number is wrong, or is another section's.
    names: BTreeMap<String, Option<ConnectionId>>,
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Referent {
    /// This connection.
    Connection(ConnectionId),
    /// A section whose number cannot be told, which is reported at that section.
    Unclear,
    /// No connection has this number.
    UnknownNumber(ConnectionId),
    /// No connection's section has this name.
    UnknownName,
    /// Neither a number from 1 to 4294967295 nor a section name.
    Malformed,
}

impl Connections {
    /// Adds a connection.
    pub(crate) fn add(&mut self, section: Option<&str>, id: Option<ConnectionId>) {
        self.numbers.extend(id);
        if let Some(name) = section {
            self.names.insert(name.to_owned(), id);
        }
    }

    /// Adds a section whose number is another section's.
    pub(crate) fn add_duplicate(&mut self, section: Option<&str>) {
        self.add(section, None);
    }

    /// Whether the number is a connection's.
    pub(crate) fn has(&self, id: ConnectionId) -> bool {
        self.numbers.contains(&id)
    }

    /// Looks a reference up. A section name may consist of digits: then `names_first` decides.
    pub(crate) fn find(&self, text: &str, names_first: bool) -> Referent {
        let number = digits(text).filter(|number| *number > 0).map(ConnectionId);
        let by_number = number.filter(|id| self.has(*id)).map(Referent::Connection);
        let by_name = self.names.get(text).map(|id| id.map_or(Referent::Unclear, Referent::Connection));
        let (first, second) = if names_first { (by_name, by_number) } else { (by_number, by_name) };
        let is_name = || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_digits = || text.bytes().all(|byte| byte.is_ascii_digit());
        first.or(second).unwrap_or_else(|| match number {
            Some(id) => Referent::UnknownNumber(id),
            None if is_name() && !is_digits() => Referent::UnknownName,
            None => Referent::Malformed,
        })
    }

    /// The end of a message about a wrong reference: the connections that there are.
    pub(crate) fn list(&self) -> String {
        let name_of = |id: &ConnectionId| self.names.iter().find(|(_, named)| **named == Some(*id));
        let shown = |id: &ConnectionId| match name_of(id) {
            Some((name, _)) => format!("{id} ('{}')", presentable(name)),
            None => id.to_string(),
        };
        let mut listed: Vec<String> = self.numbers.iter().take(LISTED).map(shown).collect();
        if listed.is_empty() {
            return "the file has no connection".to_owned();
        }
        if self.numbers.len() > LISTED {
            listed.push("...".to_owned());
        }
        format!("the file has {}", listed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        let mut connections = Connections::default();
        assert_eq!(connections.list(), "the file has no connection");
        connections.add(Some("wan"), Some(ConnectionId(1)));
        connections.add(Some("1"), Some(ConnectionId(2)));
        connections.add(None, Some(ConnectionId(7)));
        connections.add(Some("bad"), None);
        for (text, names_first, expected) in [
            ("1", false, Referent::Connection(ConnectionId(1))),
            ("1", true, Referent::Connection(ConnectionId(2))),
            ("7", true, Referent::Connection(ConnectionId(7))),
            ("wan", false, Referent::Connection(ConnectionId(1))),
            ("bad", false, Referent::Unclear),
            ("3", false, Referent::UnknownNumber(ConnectionId(3))),
            ("Wan", false, Referent::UnknownName),
            ("0", false, Referent::Malformed),
            ("4294967296", false, Referent::Malformed),
            ("a-b", true, Referent::Malformed),
        ] {
            assert_eq!(connections.find(text, names_first), expected, "{text}");
        }
        assert_eq!(connections.list(), "the file has 1 ('wan'), 2 ('1'), 7");
        (10..20).for_each(|id| connections.add(None, Some(ConnectionId(id))));
        assert!(connections.list().ends_with("16, ..."), "{}", connections.list());
    }
}
