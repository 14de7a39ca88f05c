//! The log lines about one file. Its state as a whole (refused, incomplete, insecure permissions) is logged when that
//! changes; the problems of its sections are logged when its text changes, as a reminder at each edit. A file that is only
//! read again, as happens when the events of one edit are far apart, causes no lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use crate::config::permissions::InsecurePermissions;
use crate::config::problem::{Problem, Severity};

/// What was last logged about a file.
#[derive(Debug)]
pub(super) struct FileLog {
    path: PathBuf,
    problem: Option<String>,
    permissions: Option<InsecurePermissions>,
    /// Hash of the text whose problems were logged. A copy of the text would hold passwords.
    text: Option<u64>,
}

impl FileLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, problem: None, permissions: None, text: None }
    }

    /// Has everything logged again.
    pub(super) fn forget(&mut self) {
        (self.problem, self.permissions, self.text) = (None, None, None);
    }

    /// Logs the problems of a file that is accepted, unless they were logged for this text.
    pub(super) fn log_problems(&mut self, text: &[u8], problems: &[Problem]) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let text = hasher.finish();
        if self.text.replace(text) == Some(text) {
            return;
        }
        for problem in problems {
            match problem.severity {
                Severity::Error => tracing::error!("{problem}; this section is refused"),
                Severity::Warning => tracing::warn!("{problem}"),
                Severity::Advice => {}
            }
        }
    }

    /// Logs why the file is refused.
    pub(super) fn log_error(&mut self, line: &str) {
        self.text = None;
        if self.is_new(line) {
            tracing::error!("{line}");
        }
    }

    /// Logs a problem with which the file is accepted.
    pub(super) fn log_warning(&mut self, line: &str) {
        if self.is_new(line) {
            tracing::warn!("{line}");
        }
    }

    fn is_new(&mut self, line: &str) -> bool {
        self.problem.replace(line.to_owned()).as_deref() != Some(line)
    }

    /// Logs the recovery from a problem; otherwise the old problem would stay the last line about the file.
    pub(super) fn log_recovery(&mut self) {
        if self.problem.take().is_some() {
            crate::notice!("{}: valid again", self.path.display());
        }
    }

    /// Logs insecure permissions.
    pub(super) fn log_permissions(&mut self, mode: u32) {
        let permissions = InsecurePermissions::of(mode);
        let before = std::mem::replace(&mut self.permissions, permissions);
        if let Some(permissions) = permissions.filter(|_| permissions != before) {
            tracing::warn!("{}: {permissions}", self.path.display());
        }
    }
}
