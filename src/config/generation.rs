//! The older forms of `/etc/config/xmpp` that devices bring along. They are read as they are.
//!
//! The present names are those of the first generation. The second one is `/etc/config/cwmp_xmpp`, the third one names
//! connections by their sections.

use std::collections::BTreeSet;
use std::fmt;

use super::schema::{self, Schema};
use super::uci::{Package, Section};

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
    /// The generation that has the name.
    pub generation: Generation,
    /// The name, as it is in the file.
    pub name: String,
    /// Its present form.
    pub present: &'static str,
}

/// The options of the third generation that the others do not have.
const THIRD: [&str; 2] = ["conn_req_connection", "con_name"];

/// The schema of a section. The general section goes by its name, whatever its type.
pub(super) fn schema_of(section: &Section) -> Option<&'static Schema> {
    let of_kind = |schema: &&Schema| schema.kinds.contains(&section.kind.as_str());
    let by_name = (section.name.as_deref() == Some("xmpp")).then_some(&schema::GENERAL);
    [&schema::CONNECTION, &schema::SERVER, &schema::GENERAL].into_iter().find(of_kind).or(by_name)
}

/// The older names in a file, each of them once.
pub(super) fn older_names(package: &Package) -> BTreeSet<OlderName> {
    let mut older = BTreeSet::new();
    for section in &package.sections {
        let Some(schema) = schema_of(section) else { continue };
        if let Some(present) = schema.kinds.first().filter(|present| **present != section.kind) {
            older.insert(OlderName { generation: Generation::Second, name: section.kind.clone(), present });
        }
        for entry in &section.options {
            if let Some(spec) = schema.options.iter().find(|spec| spec.aliases.contains(&entry.name.as_str())) {
                let is_third = THIRD.contains(&entry.name.as_str());
                let generation = if is_third { Generation::Third } else { Generation::Second };
                older.insert(OlderName { generation, name: entry.name.clone(), present: spec.name });
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

/// What `xmppd check` says: the generation, and the present form of each name.
pub(super) fn describe(older: &BTreeSet<OlderName>, f: &mut fmt::Formatter<'_>, file: &str) -> fmt::Result {
    for generation in [Generation::Second, Generation::Third] {
        let names = older.iter().filter(|name| name.generation == generation);
        let renamed: Vec<String> =
            names.map(|OlderName { name, present, .. }| format!("{name} -> {present}")).collect();
        if !renamed.is_empty() {
            writeln!(f, "note: {file}: {generation}, read as it is; present names: {}", renamed.join(", "))?;
        }
    }
    Ok(())
}
