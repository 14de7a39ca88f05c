//! What comes of reading the configuration files.

use std::fmt;
use std::path::PathBuf;

use crate::config::diff::Changes;
use crate::config::model::ConnectionSettings;
use crate::config::problem::{Problem, Severity};
use crate::document::{Table, Value};

/// What came of reading `/etc/config/xmpp`.
#[derive(Debug, Clone)]
pub enum Reloaded {
    /// The file is in effect, except for sections that are refused.
    TakenUp {
        /// The file.
        file: PathBuf,
        /// What had to be done; none if the supervisor of the connections is down, and starts them with the new settings.
        changes: Option<Changes>,
        /// What is wrong with its sections.
        problems: Vec<Problem>,
    },
    /// The file is refused as a whole: everything goes on as before.
    Refused {
        /// The file.
        file: PathBuf,
        /// Why, in words.
        error: String,
        /// Line and column, from 1, if the file is not UCI.
        place: Option<(usize, usize)>,
    },
}

/// What came of reading both files.
#[derive(Debug, Clone)]
pub struct ReloadReport {
    /// `/etc/config/xmpp`
    pub xmpp: Reloaded,
    /// `/etc/config/cwmp`: why its credentials are not in effect, if they are not.
    pub cwmp: Result<(), String>,
}

impl Reloaded {
    /// The outcome in a few words.
    #[must_use]
    pub fn in_short(&self) -> String {
        match self {
            Self::TakenUp { file, problems, .. } => {
                let errors = count(problems, Severity::Error);
                let errors = if errors > 0 { format!(", with {errors} errors") } else { String::new() };
                format!("{} is in effect{errors}", file.display())
            }
            Self::Refused { error, .. } => format!("configuration refused: {error}"),
        }
    }

    /// The outcome without the list of problems: the event `xmppd.config`.
    #[must_use]
    pub fn summary(&self) -> Table {
        match self {
            Self::TakenUp { file, changes, problems } => {
                let table = Table::new().with("file", file.to_string_lossy().into_owned()).with("taken_up", true);
                changes_table(table, changes.as_ref())
                    .with("errors", count(problems, Severity::Error))
                    .with("warnings", count(problems, Severity::Warning))
            }
            Self::Refused { file, error, place } => {
                let table = Table::new()
                    .with("file", file.to_string_lossy().into_owned())
                    .with("taken_up", false)
                    .with("error", error.as_str());
                match place {
                    Some((line, column)) => table.with("line", *line as u64).with("column", *column as u64),
                    None => table,
                }
            }
        }
    }
}

fn count(problems: &[Problem], severity: Severity) -> u64 {
    problems.iter().filter(|problem| problem.severity == severity).count() as u64
}

fn changes_table(mut table: Table, changes: Option<&Changes>) -> Table {
    let Some(changes) = changes else { return table.with("changes", RESTARTED) };
    table = table.with("changes", changes.to_string());
    let numbers = |ids: Vec<u32>| Value::Array(ids.into_iter().map(Value::from).collect());
    let of = |connections: &[ConnectionSettings]| connections.iter().map(|it| it.id.0).collect();
    table
        .with("stopped", numbers(changes.stop.iter().map(|id| id.0).collect()))
        .with("restarted", numbers(of(&changes.restart)))
        .with("updated", numbers(of(&changes.update)))
        .with("started", numbers(of(&changes.start)))
        .with("general", changes.general)
        .with("log_level", changes.log_level.is_some())
}

const RESTARTED: &str = "all connections start with the new settings";

impl ReloadReport {
    /// The answer to `reload`.
    #[must_use]
    pub fn document(&self) -> Table {
        let mut table = self.xmpp.summary();
        if let Reloaded::TakenUp { problems, .. } = &self.xmpp {
            table = table.with("problems", problems.iter().map(|it| it.document().into()).collect::<Vec<Value>>());
        }
        let cwmp = Table::new().with("taken_up", self.cwmp.is_ok());
        table.with(
            "cwmp",
            match &self.cwmp {
                Ok(()) => cwmp,
                Err(error) => cwmp.with("error", error.as_str()),
            },
        )
    }
}

/// As text: what changed and what is wrong, or `error: ` and why the file is refused.
impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (changes, problems) = match &self.xmpp {
            Reloaded::Refused { error, .. } => return writeln!(f, "error: {error}"),
            Reloaded::TakenUp { changes, problems, .. } => (changes.as_ref().map(ToString::to_string), problems),
        };
        let changes = match changes.as_deref() {
            None => RESTARTED,
            Some("") => "no changes",
            Some(changes) => changes,
        };
        writeln!(f, "taken up: {changes}")?;
        problems.iter().try_for_each(|problem| writeln!(f, "{}: {problem}", problem.severity))?;
        match &self.cwmp {
            Ok(()) => Ok(()),
            Err(error) => writeln!(f, "warning: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::diff::diff;
    use crate::config::load::load;
    use crate::config::merge::merge;
    use crate::config::model::{General, Settings};

    const TEXT: &str = "config xmpp xmpp\noption enable 1\nconfig connection\noption enable 1\noption username a\n\
        option domain a.test\nconfig connection\noption enable 1\noption username 'a b'\n";

    fn taken_up() -> Reloaded {
        let loaded = load(Path::new("f"), TEXT.as_bytes()).unwrap();
        let settings = merge(&Settings::default(), &loaded);
        let changes = diff(&BTreeMap::new(), &General::default(), &settings);
        Reloaded::TakenUp { file: "f".into(), changes: Some(changes), problems: loaded.problems }
    }

    #[test]
    fn a_file_that_is_taken_up() {
        let report = ReloadReport { xmpp: taken_up(), cwmp: Err("no credentials".to_owned()) };
        let text = report.to_string();
        assert!(text.starts_with("taken up: start connection 1; general settings applied\nerror: f:"), "{text}");
        assert!(text.ends_with("\nwarning: no credentials\n"), "{text}");
        let document = report.document();
        assert_eq!(document.get("started"), Some(&Value::Array(vec![Value::Int32(1)])));
        assert_eq!((document.get("taken_up"), document.get("errors")), (Some(&true.into()), Some(&2_u32.into())));
        let Some(Value::Array(problems)) = document.get("problems") else { panic!("{document}") };
        assert_eq!(problems.len(), 2);
        assert_eq!(report.xmpp.summary().get("problems"), None);
    }

    #[test]
    fn a_file_that_is_refused() {
        let error = load(Path::new("f"), b"config\n").unwrap_err();
        let place = Some((error.line, error.column));
        let xmpp = Reloaded::Refused { file: "f".into(), error: error.to_string(), place };
        let report = ReloadReport { xmpp, cwmp: Ok(()) };
        assert!(report.to_string().starts_with("error: f:1:"), "{report}");
        let document = report.document();
        assert_eq!((document.get("taken_up"), document.get("line")), (Some(&false.into()), Some(&1_u32.into())));
        assert!(document.get("column").is_some(), "{document}");
    }
}
