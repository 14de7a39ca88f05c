//! `xmppd check FILE`: what the daemon would say of a file.

use std::fmt;
use std::path::Path;

use super::load::load;
use super::problem::{Problem, Severity};
use super::uci::SyntaxError;

/// What is wrong with a file. Its text is one line for each problem, and `FILE: no problems` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It cannot be read at all.
    Unreadable(SyntaxError),
    /// It can be read: this is wrong in it.
    Problems(std::path::PathBuf, Vec<Problem>),
}

impl Report {
    /// Whether the daemon would take all of it: warnings do not matter.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match self {
            Self::Unreadable(_) => false,
            Self::Problems(_, problems) => problems.iter().all(|problem| problem.severity == Severity::Warning),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => writeln!(f, "error: {error}"),
            Self::Problems(file, problems) if problems.is_empty() => {
                writeln!(f, "{}: no problems", file.display())
            }
            Self::Problems(_, problems) => problems.iter().try_for_each(|problem| match problem.severity {
                Severity::Error => writeln!(f, "error: {problem}"),
                Severity::Warning => writeln!(f, "warning: {problem}"),
            }),
        }
    }
}

/// Checks the text of `file`; the name is for the report only.
#[must_use]
pub fn check(file: &Path, text: &[u8]) -> Report {
    match load(file, text) {
        Ok(loaded) => Report::Problems(file.to_owned(), loaded.problems),
        Err(error) => Report::Unreadable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (bool, String) {
        let report = check(Path::new("f"), text.as_bytes());
        (report.is_good(), report.to_string())
    }

    #[test]
    fn reports() {
        assert_eq!(checked(""), (true, "f: no problems\n".to_owned()));
        assert_eq!(checked("x\n"), (false, "error: f:1:1: invalid command\n".to_owned()));
        let warning = "warning: f:1: section 'a' (wine): unknown section type, ignored\n";
        assert_eq!(checked("config wine a\n"), (true, warning.to_owned()));
        let (good, text) = checked("config wine a\nconfig xmpp 'xmpp'\noption id x\n");
        assert!(!good && text.starts_with(warning) && text.contains("\nerror: f:3: "), "{text}");
    }

    /// The files that are installed or shown as examples.
    #[test]
    fn the_files_that_come_with_the_project_are_good() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let mut files = vec![directory.join("xmpp")];
        files.extend(std::fs::read_dir(directory.join("samples")).unwrap().map(|entry| entry.unwrap().path()));
        assert!(files.len() >= 4);
        for file in files {
            let report = check(&file, &std::fs::read(&file).unwrap());
            assert_eq!(report, Report::Problems(file.clone(), Vec::new()), "{report}");
        }
    }

    #[test]
    fn the_installed_file_starts_nothing() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/xmpp");
        let loaded = load(&file, &std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(loaded.settings, crate::config::model::Settings::default());
    }
}
