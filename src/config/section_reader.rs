//! Reads a section option by option and collects its problems, so that all of them are reported at once.

use std::path::Path;

use figment::error::{Actual, Kind};
use figment::value::Dict;
use figment::{Profile, Provider};
use serde::de::DeserializeOwned;

use super::model::Password;
use super::problem::{Problem, Severity};
use super::schema::{DM_PARENT, Schema};
use super::section_layer::{SECRET, SectionLayer};
use super::suggestion::closest;
use super::uci::{OptionEntry, Section};
use super::values::from_text::{FromText, Text};
use crate::text::presentable;

/// The message for an option that is given as a list but has one value.
const IS_A_LIST: &str = "a list, expected one value";

/// A section that is being read. It has no `Debug`: figment would show values, which may be passwords.
pub(crate) struct SectionReader<'a> {
    file: &'a Path,
    section: &'a Section,
    label: &'a str,
    layer: SectionLayer<'a>,
    /// The options over their defaults. Merged once, because figment merges anew for each option that it is asked for.
    values: Dict,
    problems: Vec<Problem>,
}

impl<'a> SectionReader<'a> {
    /// Starts to read a section; reports unknown options, options that are given twice, and invalid UTF-8.
    pub(crate) fn new(file: &'a Path, section: &'a Section, label: &'a str, schema: &'static Schema) -> Self {
        let layer = SectionLayer::new(file, section, label, schema);
        let merged = layer.over_defaults().data();
        let values = merged.ok().and_then(|mut profiles| profiles.remove(&Profile::Default)).unwrap_or_default();
        let mut reader = Self { file, section, label, layer, values, problems: Vec::new() };
        reader.warn_ignored_options(schema);
        for entry in section.options.iter().filter(|entry| !is_utf8(entry)) {
            reader.report(Severity::Error, Some(entry), None, "not UTF-8".to_owned());
        }
        reader
    }

    fn warn_ignored_options(&mut self, schema: &'static Schema) {
        for entry in &self.section.options {
            let Some(option) = schema.option(&entry.name) else {
                let names: Vec<&str> = schema.options.iter().map(|option| option.name).collect();
                let message = match closest(&entry.name, names.iter().copied()) {
                    Some(name) => format!("unknown option, ignored; did you mean '{name}'?"),
                    None => format!("unknown option, ignored; expected one of {}", names.join(", ")),
                };
                self.report(Severity::Warning, Some(entry), None, message);
                continue;
            };
            // bbfdm needs its own name along with the other one.
            let winner = self.layer.given(option.name).filter(|_| entry.name != DM_PARENT);
            if let Some(winner) = winner.filter(|winner| winner.name != entry.name) {
                let message = format!("ignored, because '{}', another name of this option, is set too", winner.name);
                self.report(Severity::Warning, Some(entry), None, message);
            }
        }
    }

    /// Whether the option is set, under any of its names.
    pub(crate) fn is_given(&self, option: &str) -> bool {
        self.layer.given(option).is_some()
    }

    /// The name under which the option is set.
    pub(crate) fn given_as(&self, option: &str) -> Option<&'a str> {
        self.layer.given(option).map(|entry| entry.name.as_str())
    }

    /// The password. It bypasses figment, which does not wipe its copies.
    pub(crate) fn password(&mut self) -> Option<Password> {
        let entry = self.layer.given(SECRET)?;
        let Some(bytes) = entry.text() else {
            self.report(Severity::Error, Some(entry), None, IS_A_LIST.to_owned());
            return None;
        };
        // Invalid UTF-8 is already reported.
        std::str::from_utf8(bytes).ok().map(Password::from)
    }

    /// The option's value, or its default. None if it has neither, or if the value is wrong, which is reported.
    pub(crate) fn get<T: FromText>(&mut self, option: &str) -> Option<T> {
        self.extract::<Text<T>>(option).map(|Text(value)| value)
    }

    /// As [`SectionReader::get`], for values that are not written as one string.
    pub(crate) fn extract<T: DeserializeOwned>(&mut self, option: &str) -> Option<T> {
        let entry = self.layer.given(option);
        if entry.is_some_and(|entry| !is_utf8(entry)) {
            return None;
        }
        let error = match self.values.get(option)?.deserialize() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let (value, message) = match error.kind {
            Kind::InvalidValue(Actual::Str(value), expected) => (Some(value), format!("expected {expected}")),
            Kind::InvalidType(Actual::Seq, _) => (None, IS_A_LIST.to_owned()),
            kind => (None, kind.to_string()),
        };
        self.report(Severity::Error, entry, value, message);
        None
    }

    /// Reports an error of an option, with its value if one is given.
    pub(crate) fn refuse(&mut self, option: &str, value: Option<&str>, message: impl Into<String>) {
        let entry = self.layer.given(option);
        self.report(Severity::Error, entry, value.map(str::to_owned), message.into());
        if entry.is_none()
            && let Some(problem) = self.problems.last_mut()
        {
            problem.option = Some(option.to_owned());
        }
    }

    /// Reports an error of the section as a whole.
    pub(crate) fn refuse_section(&mut self, message: impl Into<String>) {
        self.report(Severity::Error, None, None, message.into());
    }

    /// Reports a warning about the section, or about one of its options.
    pub(crate) fn warn(&mut self, option: Option<&str>, message: impl Into<String>) {
        let entry = option.and_then(|option| self.layer.given(option));
        self.report(Severity::Warning, entry, None, message.into());
    }

    fn report(&mut self, severity: Severity, entry: Option<&OptionEntry>, value: Option<String>, message: String) {
        let value = value.filter(|_| entry.is_none_or(|entry| entry.name != SECRET));
        self.problems.push(Problem {
            line: entry.map_or(self.section.line, OptionEntry::line),
            option: entry.map(|entry| presentable(&entry.name)),
            value: value.as_deref().map(presentable),
            ..Problem::new(severity, self.file, self.section, self.label, message)
        });
    }

    /// Whether an error was reported.
    pub(crate) fn is_refused(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The problems that were reported.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

fn is_utf8(entry: &OptionEntry) -> bool {
    entry.value.items().iter().all(|item| std::str::from_utf8(&item.bytes).is_ok())
}
