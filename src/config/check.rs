//! `xmppd check FILE`: reports what the daemon would log about a file.

mod advice;
mod excerpt;
mod line;
mod present_form;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use self::advice::advice;
use self::excerpt::{excerpt, syntax_excerpt};
use self::present_form::{Rename, renames};
use super::generation::{OlderName, write_notes};
use super::load::load_package;
use super::loaded::Loaded;
use super::model::ConnectionSettings;
use super::permissions::InsecurePermissions;
use super::problem::{Problem, Severity};
use super::schema;
use super::uci::{self, Package, SyntaxError};
use crate::document::{Table, Value};
use crate::file::Contents;
use crate::text::presentable;
use crate::xmpp::tls::{Finding, examine};

/// The problems of a file. Displayed, each has a line and, if the file's text is at hand, the place in it; without problems
/// it is `FILE: no problems`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    file: PathBuf,
    permissions: Option<InsecurePermissions>,
    older_names: BTreeSet<OlderName>,
    /// The lines with older names, and their present form.
    renames: Vec<Rename>,
    /// The lines of the problems, in their order.
    excerpts: Vec<Option<String>>,
    /// The problems of the sections, or the syntax error.
    problems: Result<Vec<Problem>, SyntaxError>,
}

impl CheckReport {
    /// Whether the daemon would accept all sections. Warnings and advice are ignored.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        let takes_effect = |problem: &Problem| problem.severity != Severity::Error;
        self.problems.as_ref().is_ok_and(|problems| problems.iter().all(takes_effect))
    }
}

impl CheckReport {
    /// The report as a document.
    #[must_use]
    pub fn document(&self) -> Table {
        let older_names: Vec<Value> = self.older_names.iter().map(|name| name.document().into()).collect();
        let mut problems: Vec<Value> = Vec::new();
        if let Some(permissions) = self.permissions {
            let table = Table::new().with("severity", "warning").with("message", permissions.to_string());
            problems.push(table.into());
        }
        match &self.problems {
            Ok(found) => problems.extend(found.iter().map(|problem| Value::from(problem.document()))),
            Err(error) => {
                let table = Table::new()
                    .with("severity", "error")
                    .with("line", error.line as u64)
                    .with("column", error.column as u64);
                problems.push(table.with("message", error.reason).into());
            }
        }
        Table::new()
            .with("file", self.file.to_string_lossy().into_owned())
            .with("accepted", self.is_accepted())
            .with("older_names", older_names)
            .with("problems", problems)
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if let Some(permissions) = self.permissions {
            writeln!(f, "warning: {file}: {permissions}")?;
        }
        write_notes(&self.older_names, f, &file.to_string())?;
        self.renames.iter().try_for_each(|rename| write!(f, "{rename}"))?;
        let mut excerpts = self.excerpts.iter().map(|excerpt| excerpt.as_deref().unwrap_or_default());
        let mut place = || excerpts.next().unwrap_or_default();
        match &self.problems {
            Err(error) => write!(f, "error: {error}\n{}", place()),
            Ok(problems) if problems.is_empty() && self.permissions.is_none() => writeln!(f, "{file}: no problems"),
            Ok(problems) => {
                problems.iter().try_for_each(|problem| write!(f, "{}: {problem}\n{}", problem.severity, place()))
            }
        }
    }
}

/// Checks the contents of `file`, but not the files of `tls_ca` that it names. The file's name is for the report only.
#[must_use]
pub fn check(file: &Path, contents: &Contents) -> CheckReport {
    report(file, contents, |_, _| Vec::new())
}

/// Checks the contents of `file`, and the files of `tls_ca` that it names, as they are on this system.
#[must_use]
pub fn check_with_trust(file: &Path, contents: &Contents) -> CheckReport {
    report(file, contents, |package, loaded| trust_problems(file, package, loaded))
}

fn report(
    file: &Path,
    contents: &Contents,
    more_problems: impl FnOnce(&Package, &Loaded) -> Vec<Problem>,
) -> CheckReport {
    let permissions = InsecurePermissions::of(contents.mode);
    let (older_names, problems) = match uci::parse(file, &contents.text) {
        Ok(package) => {
            let mut loaded = load_package(file, &package);
            loaded.problems.extend(more_problems(&package, &loaded));
            loaded.problems.extend(advice(file, &package, &loaded));
            loaded.problems.sort_by_key(|problem| problem.line);
            (loaded.older_names, Ok(loaded.problems))
        }
        Err(error) => (BTreeSet::new(), Err(error)),
    };
    let excerpts = match &problems {
        Ok(problems) => problems.iter().map(|problem| excerpt(&contents.text, problem)).collect(),
        Err(error) => vec![syntax_excerpt(&contents.text, error)],
    };
    let renames = renames(&contents.text, &older_names);
    CheckReport { file: file.to_owned(), permissions, older_names, renames, excerpts, problems }
}

/// Checks the files of `tls_ca`. A file with which an enabled connection cannot connect is an error.
fn trust_problems(file: &Path, package: &Package, loaded: &Loaded) -> Vec<Problem> {
    let labels = uci::labels(package);
    let mut problems = Vec::new();
    for (section, label) in package.sections.iter().zip(labels) {
        let Some((option, path)) = section
            .option("tls_ca")
            .and_then(|option| Some((option, Path::new(std::str::from_utf8(option.text()?).ok()?))))
        else {
            continue;
        };
        let uses_it =
            |connection: &&ConnectionSettings| connection.tls_verify && connection.tls_ca.as_deref() == Some(path);
        let mut users = loaded.settings.connections.values().filter(uses_it).peekable();
        if users.peek().is_none() || !schema::CONNECTION.kinds.contains(&section.kind.as_str()) {
            continue;
        }
        let is_needed = users.any(|connection| connection.enable && connection.use_tls);
        for finding in examine(path) {
            let (severity, message) = match finding {
                Finding::Unusable(why) if is_needed => (Severity::Error, why),
                Finding::Unusable(why) | Finding::Skipped(why) => (Severity::Warning, why),
            };
            problems.push(Problem {
                line: option.line(),
                option: Some("tls_ca".to_owned()),
                value: Some(presentable(&path.to_string_lossy())),
                ..Problem::new(severity, file, section, &label, message)
            });
        }
    }
    problems
}

#[cfg(test)]
mod tests;
