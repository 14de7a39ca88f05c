//! A UCI section as a figment layer, whose errors name file, section and line.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value as FigmentValue};
use figment::{Error, Figment, Metadata, Profile, Provider, providers::Serialized};

use super::schema::Schema;
use super::uci::{Item, OptionEntry, OptionValue, Section};

/// The option that holds a password. It is never shown, and not given to figment, which does not wipe it.
pub(crate) const SECRET: &str = "password";

/// The options of a section except [`SECRET`], by their present names; values are strings and lists of strings.
#[derive(Debug)]
pub(crate) struct SectionLayer<'a> {
    file: &'a Path,
    section: &'a Section,
    label: &'a str,
    schema: &'static Schema,
}

impl<'a> SectionLayer<'a> {
    pub(crate) fn new(file: &'a Path, section: &'a Section, label: &'a str, schema: &'static Schema) -> Self {
        Self { file, section, label, schema }
    }

    /// This section over the defaults of the schema.
    pub(crate) fn over_defaults(&self) -> Figment {
        let options = self.schema.options.iter();
        let defaults: BTreeMap<_, _> = options.filter_map(|option| Some((option.name, option.default?))).collect();
        Figment::from(Serialized::defaults(defaults)).merge(self)
    }

    /// The entry that sets an option: the one with its present name, else with the first of its older names.
    pub(crate) fn given(&self, option: &str) -> Option<&'a OptionEntry> {
        let option = self.schema.options.iter().find(|spec| spec.name == option)?;
        option.names().find_map(|name| self.section.option(name))
    }
}

impl Provider for SectionLayer<'_> {
    fn metadata(&self) -> Metadata {
        let lines: BTreeMap<String, usize> =
            self.section.options.iter().map(|entry| (entry.name.clone(), entry.line())).collect();
        Metadata::named(format!("section '{}' ({})", self.label, self.section.kind))
            .source(format!("{}:{}", self.file.display(), self.section.line).as_str())
            .interpolater(move |_, keys| match keys.first().and_then(|option| lines.get(*option)) {
                Some(line) => format!("{} (line {line})", keys.join(".")),
                None => keys.join("."),
            })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut options = Dict::new();
        for option in self.schema.options.iter().filter(|option| option.name != SECRET) {
            if let Some(entry) = self.given(option.name) {
                let value = match &entry.value {
                    OptionValue::Text(item) => FigmentValue::from(text(item)),
                    OptionValue::List(items) => FigmentValue::from(items.iter().map(text).collect::<Vec<_>>()),
                };
                options.insert(option.name.to_owned(), value);
            }
        }
        Ok(Profile::Default.collect(options))
    }
}

/// Invalid UTF-8 is reported by the section reader.
fn text(item: &Item) -> String {
    String::from_utf8_lossy(&item.bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::SectionLayer;
    use crate::config::{schema, uci};

    #[test]
    fn figment_errors_name_file_section_and_line() {
        let file = Path::new("/etc/config/xmpp");
        let package =
            uci::parse(file, b"\nconfig connection 'wan'\n\n\toption xmpp_id 'x'\n\toption port 1\n").unwrap();
        let layer = SectionLayer::new(file, &package.sections[0], "wan", &schema::CONNECTION);
        let figment = layer.over_defaults();
        assert_eq!(figment.extract_inner::<String>("con_inst").unwrap(), "x");
        assert_eq!(figment.extract_inner::<String>("attempt").unwrap(), "16");
        assert!(figment.extract_inner::<String>("port").unwrap_err().missing());

        let package = uci::parse(file, b"\nconfig connection 'wan'\n\n\tlist interval 'x'\n").unwrap();
        let layer = SectionLayer::new(file, &package.sections[0], "wan", &schema::CONNECTION);
        let error = layer.over_defaults().extract_inner::<String>("interval").unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid type: found sequence, expected a string for key \"interval (line 4)\" \
             in /etc/config/xmpp:2 section 'wan' (connection)"
        );
    }
}
