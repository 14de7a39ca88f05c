//! `xmppd check FILE`: what the daemon would say of a file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::generation::{OlderName, describe};
use super::load::load;
use super::permissions::InsecurePermissions;
use super::problem::{Problem, Severity};
use super::uci::SyntaxError;
use crate::file::Contents;

/// What is wrong with a file. Its text is one line for each problem, and `FILE: no problems` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    file: PathBuf,
    permissions: Option<InsecurePermissions>,
    older_names: BTreeSet<OlderName>,
    /// What is wrong in it, or why it is no UCI file.
    problems: Result<Vec<Problem>, SyntaxError>,
}

impl Report {
    /// Whether the daemon would take all of it: warnings do not matter.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_warning = |problem: &Problem| problem.severity == Severity::Warning;
        self.problems.as_ref().is_ok_and(|problems| problems.iter().all(is_warning))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if let Some(permissions) = self.permissions {
            writeln!(f, "warning: {file}: {permissions}")?;
        }
        describe(&self.older_names, f, &file.to_string())?;
        match &self.problems {
            Err(error) => writeln!(f, "error: {error}"),
            Ok(problems) if problems.is_empty() && self.permissions.is_none() => writeln!(f, "{file}: no problems"),
            Ok(problems) => problems.iter().try_for_each(|problem| match problem.severity {
                Severity::Error => writeln!(f, "error: {problem}"),
                Severity::Warning => writeln!(f, "warning: {problem}"),
            }),
        }
    }
}

/// Checks what `file` holds; the name is for the report only.
#[must_use]
pub fn check(file: &Path, contents: &Contents) -> Report {
    let loaded = load(file, &contents.text).map(|loaded| (loaded.older_names, loaded.problems));
    let (older_names, problems) = match loaded {
        Ok((older_names, problems)) => (older_names, Ok(problems)),
        Err(error) => (BTreeSet::new(), Err(error)),
    };
    Report { file: file.to_owned(), permissions: InsecurePermissions::of(contents.mode), older_names, problems }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::file::read;

    fn checked(text: &str) -> (bool, String) {
        let contents = Contents { text: Zeroizing::new(text.into()), mode: 0o600, modified: std::time::UNIX_EPOCH };
        let report = check(Path::new("f"), &contents);
        (report.is_good(), report.to_string())
    }

    #[test]
    fn reports() {
        assert_eq!(checked(""), (true, "f: no problems\n".to_owned()));
        assert_eq!(checked("x\n"), (false, "error: f:1:1: invalid command\n".to_owned()));
        let warning = "warning: f:1: section 'a' (wine): unknown section type, ignored; \
            expected xmpp, connection or connection_server\n";
        assert_eq!(checked("config wine a\n"), (true, warning.to_owned()));
        let (good, text) = checked("config wine a\nconfig xmpp 'xmpp'\noption id a-b\n");
        assert!(!good && text.starts_with(warning) && text.contains("\nerror: f:3: "), "{text}");
    }

    #[test]
    fn older_generations_are_named() {
        let second = "config cwmp 'xmpp'\noption id 1\nconfig xmpp_connection\noption connection_instance 1\n";
        let note = "note: f: second generation (cwmp_xmpp), read as it is; present names: \
            connection_instance -> con_inst, cwmp -> xmpp, xmpp_connection -> connection\nf: no problems\n";
        assert_eq!(checked(second), (true, note.to_owned()));
        let third = "config xmpp 'xmpp'\noption conn_req_connection a\nconfig connection 'a'\n";
        let note = "note: f: third generation (connections by section name), read as it is; present names: \
            conn_req_connection -> id\nf: no problems\n";
        assert_eq!(checked(third), (true, note.to_owned()));
    }

    /// The files that are installed or shown as examples.
    #[test]
    fn the_files_that_come_with_the_project_are_good() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let mut files = vec![directory.join("xmpp")];
        files.extend(std::fs::read_dir(directory.join("samples")).unwrap().map(|entry| entry.unwrap().path()));
        assert!(files.len() >= 4);
        for file in files {
            // The permissions are those of the checkout.
            let contents = Contents { mode: 0o600, ..read(&file).unwrap() };
            assert_eq!(check(&file, &contents).to_string(), format!("{}: no problems\n", file.display()));
        }
    }

    #[test]
    fn the_installed_file_starts_nothing() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/xmpp");
        let loaded = load(&file, &std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(loaded.settings, crate::config::model::Settings::default());
    }
}
