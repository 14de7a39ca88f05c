//! A problem in a section, and its message.

use std::fmt;
use std::path::{Path, PathBuf};

use super::uci::Section;
use crate::document::Table;
use crate::text::presentable;

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The section is refused.
    Error,
    /// The section takes effect.
    Warning,
    /// The section takes effect as it is meant, and that is unwise. Found by `xmppd check` alone, and not logged.
    Advice,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        })
    }
}

/// A problem in a section.
///
/// `FILE:12: section 'wan' (connection), option 'interval' is 'ten': expected -1, 0 or a number of seconds`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line of the option, or of the section if no option is concerned, from 1.
    pub line: usize,
    /// The section as `uci show` names it: its name, or `@connection[0]`. Long names and values are cut.
    pub section: String,
    /// The section's type.
    pub kind: String,
    /// The option, by its name in the file.
    pub option: Option<String>,
    /// The option's value; never a password.
    pub value: Option<String>,
    /// What is wrong, or what was expected.
    pub message: String,
}

impl Problem {
    /// A problem of a section as a whole.
    pub(super) fn new(severity: Severity, file: &Path, section: &Section, label: &str, message: String) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            line: section.line,
            section: presentable(label),
            kind: presentable(&section.kind),
            option: None,
            value: None,
            message,
        }
    }

    /// The problem as an entry of a document, without the file.
    #[must_use]
    pub fn document(&self) -> Table {
        let mut table = Table::new()
            .with("severity", self.severity.to_string())
            .with("line", self.line as u64)
            .with("section", self.section.as_str())
            .with("type", self.kind.as_str());
        for (name, text) in [("option", &self.option), ("value", &self.value)] {
            if let Some(text) = text {
                table = table.with(name, text.as_str());
            }
        }
        table.with("message", self.message.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: section '{}' ({})", self.file.display(), self.line, self.section, self.kind)?;
        if let Some(option) = &self.option {
            write!(f, ", option '{option}'")?;
        }
        if let Some(value) = &self.value {
            write!(f, " is '{value}'")?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, Severity};

    #[test]
    fn a_message_says_where_and_what() {
        let problem = Problem {
            severity: Severity::Error,
            file: "/etc/config/xmpp".into(),
            line: 12,
            section: "wan".into(),
            kind: "connection".into(),
            option: Some("interval".into()),
            value: Some("ten".into()),
            message: "expected -1, 0 or a number of seconds".into(),
        };
        assert_eq!(
            problem.to_string(),
            "/etc/config/xmpp:12: section 'wan' (connection), option 'interval' is 'ten': \
             expected -1, 0 or a number of seconds"
        );
    }
}
