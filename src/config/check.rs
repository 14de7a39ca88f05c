//! `xmppd check FILE`: what the daemon would say of a file.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::generation::{OlderName, describe};
use super::load::{Loaded, load};
use super::model::Connection;
use super::permissions::InsecurePermissions;
use super::problem::{Problem, Severity, presentable};
use super::schema;
use super::uci::{self, SyntaxError};
use crate::file::Contents;
use crate::xmpp::tls::{Finding, examine};

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

/// Checks what `file` holds; the name is for the report only. The files that it names are left alone.
#[must_use]
pub fn check(file: &Path, contents: &Contents) -> Report {
    let loaded = load(file, &contents.text).map(|loaded| (loaded.older_names, loaded.problems));
    let (older_names, problems) = match loaded {
        Ok((older_names, problems)) => (older_names, Ok(problems)),
        Err(error) => (BTreeSet::new(), Err(error)),
    };
    Report { file: file.to_owned(), permissions: InsecurePermissions::of(contents.mode), older_names, problems }
}

/// As [`check`], with the files of `tls_ca` that it names, as they are on this system.
#[must_use]
pub fn check_with_trust(file: &Path, contents: &Contents) -> Report {
    let mut report = check(file, contents);
    if let (Ok(problems), Ok(loaded)) = (&mut report.problems, load(file, &contents.text)) {
        problems.extend(trust_problems(file, &contents.text, &loaded));
        problems.sort_by_key(|problem| problem.line);
    }
    report
}

/// What is wrong with the files of `tls_ca`. An error where a connection cannot come up with what is there.
fn trust_problems(file: &Path, text: &[u8], loaded: &Loaded) -> Vec<Problem> {
    let Ok(package) = uci::parse(file, text) else { return Vec::new() };
    let labels = uci::labels(&package);
    let mut problems = Vec::new();
    for (section, label) in package.sections.iter().zip(labels) {
        let Some((option, path)) = section
            .option("tls_ca")
            .and_then(|option| Some((option, Path::new(std::str::from_utf8(option.text()?).ok()?))))
        else {
            continue;
        };
        let trusts_it = |connection: &&Connection| connection.tls_verify && connection.tls_ca.as_deref() == Some(path);
        let mut users = loaded.settings.connections.values().filter(trusts_it).peekable();
        if users.peek().is_none() || !schema::CONNECTION.kinds.contains(&section.kind.as_str()) {
            continue;
        }
        let needed = users.any(|connection| connection.enable && connection.use_tls);
        for finding in examine(path) {
            let (severity, message) = match finding {
                Finding::Unusable(why) if needed => (Severity::Error, why),
                Finding::Unusable(why) | Finding::Skipped(why) => (Severity::Warning, why),
            };
            problems.push(Problem {
                severity,
                file: file.to_owned(),
                line: option.line(),
                section: presentable(&label),
                kind: section.kind.clone(),
                option: Some("tls_ca".to_owned()),
                value: Some(presentable(&path.to_string_lossy())),
                message,
            });
        }
    }
    problems
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
