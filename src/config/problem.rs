//! What is wrong with a section, said to a person.

use std::fmt;
use std::path::PathBuf;

/// Whether a section is refused for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The section is refused.
    Error,
    /// The section takes effect all the same.
    Warning,
}

/// One thing that is wrong in one section.
///
/// `FILE:12: section 'wan' (connection), option 'interval' is 'ten': expected -1, 0 or a number of seconds`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file that was read.
    pub file: PathBuf,
    /// The line of the option, or of the section where no option is at fault, from 1.
    pub line: usize,
    /// The section as `uci show` names it: its name, or `@connection[0]`; cut if it is long, as all that follows.
    pub section: String,
    /// The section's type.
    pub kind: String,
    /// The option, as it is called in the file.
    pub option: Option<String>,
    /// What the option is set to, fit for one line of a log; never a password.
    pub value: Option<String>,
    /// What is wrong, or what was expected.
    pub message: String,
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

/// Longer values and names are cut in messages, characters.
const SHOWN: usize = 80;

/// A value as it can stand in a line: without control characters and not too long.
pub(crate) fn presentable(value: &str) -> String {
    let mut shown: String = value
        .chars()
        .take(SHOWN)
        .flat_map(|char| {
            let escaped = char.is_control().then(|| char.escape_default());
            let plain = escaped.is_none().then_some(char);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if value.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_its_line() {
        assert_eq!(presentable("a\nb\u{1b}[1m\u{e4}'"), "a\\nb\\u{1b}[1m\u{e4}'");
        assert_eq!(presentable(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(presentable(&"x".repeat(81)), "x".repeat(80) + "...");
    }

    #[test]
    fn a_problem_says_where_and_what() {
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
