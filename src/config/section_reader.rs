//! One section, option by option: what is wrong is gathered, not thrown, so that a person sees all of it at once.

use std::path::Path;

use figment::error::{Actual, Kind};
use figment::value::Dict;
use figment::{Profile, Provider};
use serde::de::DeserializeOwned;

use super::model::Password;
use super::problem::{Problem, Severity, presentable};
use super::provider::{Layer, SECRET};
use super::schema::Schema;
use super::uci::{Entry, Section, Value};
use super::values::{FromText, Text};

/// What is wrong with an option that is given as a list.
const A_LIST: &str = "a list, expected one value";

/// A section that is being read. Without `Debug`: figment shows what it holds, and that may be a password.
pub(crate) struct SectionReader<'a> {
    file: &'a Path,
    section: &'a Section,
    label: &'a str,
    layer: Layer<'a>,
    /// The options over their defaults. Merged once: asking figment for each option would do it each time.
    values: Dict,
    problems: Vec<Problem>,
}

impl<'a> SectionReader<'a> {
    /// Looks at what can be said without knowing what an option means.
    pub(crate) fn new(file: &'a Path, section: &'a Section, label: &'a str, schema: &'static Schema) -> Self {
        let layer = Layer::new(file, section, label, schema);
        let merged = layer.over_defaults().data();
        let values = merged.ok().and_then(|mut profiles| profiles.remove(&Profile::Default)).unwrap_or_default();
        let mut reader = Self { file, section, label, layer, values, problems: Vec::new() };
        reader.warn_unknown_options(schema);
        for entry in section.options.iter().filter(|entry| !is_utf8(entry)) {
            reader.report(Severity::Error, Some(entry), None, "not UTF-8".to_owned());
        }
        reader
    }

    fn warn_unknown_options(&mut self, schema: &'static Schema) {
        for entry in &self.section.options {
            let Some(spec) = schema.options.iter().find(|spec| spec.names().any(|name| name == entry.name)) else {
                let names: Vec<&str> = schema.options.iter().map(|spec| spec.name).collect();
                let message = format!("unknown option, ignored; there are {}", names.join(", "));
                self.report(Severity::Warning, Some(entry), None, message);
                continue;
            };
            if let Some(winner) = self.layer.given(spec.name).filter(|winner| winner.name != entry.name) {
                let message = format!("ignored, since '{}', another name for it, is set too", winner.name);
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

    /// The password. It does not pass through figment, whose copies are not wiped.
    pub(crate) fn password(&mut self) -> Option<Password> {
        let entry = self.layer.given(SECRET)?;
        let Some(bytes) = entry.text() else {
            self.report(Severity::Error, Some(entry), None, A_LIST.to_owned());
            return None;
        };
        // What is not UTF-8 is reported already.
        std::str::from_utf8(bytes).ok().map(Password::from)
    }

    /// The option's value or its default; none if there is neither, or the value is wrong, which is then noted.
    pub(crate) fn get<T: FromText>(&mut self, option: &str) -> Option<T> {
        self.extract::<Text<T>>(option).map(|Text(value)| value)
    }

    /// As [`SectionReader::get`], for what is not one string.
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
            Kind::InvalidType(Actual::Seq, _) => (None, A_LIST.to_owned()),
            kind => (None, kind.to_string()),
        };
        self.report(Severity::Error, entry, value, message);
        None
    }

    /// Notes an error of an option; its value is shown if one is given.
    pub(crate) fn refuse(&mut self, option: &str, value: Option<&str>, message: impl Into<String>) {
        let entry = self.layer.given(option);
        self.report(Severity::Error, entry, value.map(str::to_owned), message.into());
        if entry.is_none()
            && let Some(problem) = self.problems.last_mut()
        {
            problem.option = Some(option.to_owned());
        }
    }

    /// Notes an error of the section as a whole.
    pub(crate) fn refuse_section(&mut self, message: impl Into<String>) {
        self.report(Severity::Error, None, None, message.into());
    }

    /// Notes a warning about the section, or one of its options.
    pub(crate) fn warn(&mut self, option: Option<&str>, message: impl Into<String>) {
        let entry = option.and_then(|option| self.layer.given(option));
        self.report(Severity::Warning, entry, None, message.into());
    }

    fn report(&mut self, severity: Severity, entry: Option<&Entry>, value: Option<String>, message: String) {
        let value = value.filter(|_| entry.is_none_or(|entry| entry.name != SECRET));
        self.problems.push(Problem {
            severity,
            file: self.file.to_owned(),
            line: entry.map_or(self.section.line, Entry::line),
            section: presentable(self.label),
            kind: presentable(&self.section.kind),
            option: entry.map(|entry| presentable(&entry.name)),
            value: value.as_deref().map(presentable),
            message,
        });
    }

    /// Whether anything that was noted refuses the section.
    pub(crate) fn is_refused(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// What was noted.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

fn is_utf8(entry: &Entry) -> bool {
    match &entry.value {
        Value::Text(item) => std::str::from_utf8(&item.bytes).is_ok(),
        Value::List(items) => items.iter().all(|item| std::str::from_utf8(&item.bytes).is_ok()),
    }
}
