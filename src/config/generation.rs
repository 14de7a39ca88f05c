//! The older generations of `/etc/config/xmpp`. Their names are accepted along with the present ones.
//!
//! The present names are those of the first generation. The second one is `/etc/config/cwmp_xmpp`. The third one refers to
//! connections by section name.

use std::collections::BTreeSet;
use std::fmt;

use super::schema::{DM_PARENT, SectionKind};
use super::uci::Package;
use crate::document::Table;

/// A generation of the file whose names differ from the present ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// `cwmp_xmpp`, with sections `xmpp_connection` and `xmpp_connection_server`.
    Second,
    /// With `conn_req_connection` and `con_name`, and without `enable` in section `xmpp`.
    Third,
}

/// An older name in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OlderName {
    /// The generation that uses the name.
    pub generation: Generation,
    /// The name in the file.
    pub name: String,
    /// The present name.
    pub present: &'static str,
}

impl OlderName {
    /// The name as an entry of a document.
    pub(super) fn document(&self) -> Table {
        let generation: u32 = match self.generation {
            Generation::Second => 2,
            Generation::Third => 3,
        };
        Table::new().with("generation", generation).with("name", self.name.as_str()).with("present_name", self.present)
    }
}

/// The options that only the third generation has.
const THIRD: [&str; 2] = ["conn_req_connection", "con_name"];

/// The older names in a file, without duplicates.
pub(super) fn older_names(package: &Package) -> BTreeSet<OlderName> {
    let mut older = BTreeSet::new();
    for section in &package.sections {
        let Some(schema) = SectionKind::of(section).map(SectionKind::schema) else { continue };
        if let Some(present) = schema.kinds.first().filter(|present| **present != section.kind) {
            older.insert(OlderName { generation: Generation::Second, name: section.kind.clone(), present });
        }
        for entry in section.options.iter().filter(|entry| entry.name != DM_PARENT) {
            if let Some(option) = schema.options.iter().find(|option| option.aliases.contains(&entry.name.as_str())) {
                let is_third = THIRD.contains(&entry.name.as_str());
                let generation = if is_third { Generation::Third } else { Generation::Second };
                older.insert(OlderName { generation, name: entry.name.clone(), present: option.name });
            }
        }
    }
    older
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second generation (cwmp_xmpp)",
            Self::Third => "third generation (connections by section name)",
        })
    }
}

/// Writes the notes of `xmppd check`: each older generation, with the present form of its names.
pub(super) fn write_notes(older: &BTreeSet<OlderName>, f: &mut fmt::Formatter<'_>, file: &str) -> fmt::Result {
    for generation in [Generation::Second, Generation::Third] {
        let names = older.iter().filter(|name| name.generation == generation);
        let renamed: Vec<String> =
            names.map(|OlderName { name, present, .. }| format!("{name} -> {present}")).collect();
        if !renamed.is_empty() {
            writeln!(f, "note: {file}: {generation}, accepted as it is; present names: {}", renamed.join(", "))?;
        }
    }
    Ok(())
}
