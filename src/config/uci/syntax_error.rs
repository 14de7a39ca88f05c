//! The error of a text that is not UCI.

use std::fmt;
use std::path::PathBuf;

/// Where and why a file is not UCI: `FILE:LINE:COLUMN: REASON`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}{}", file.display(), OpenedAt(*opened))]
pub struct SyntaxError {
    /// The file that was parsed.
    pub file: PathBuf,
    /// The last line that was read when the error was found, from 1, as in libuci.
    pub line: usize,
    /// The byte of that line at which the error begins, from 1.
    pub column: usize,
    /// The reason, as libuci words it.
    pub reason: &'static str,
    /// Line and column of a quote that is never closed.
    pub opened: Option<(usize, usize)>,
}

struct OpenedAt(Option<(usize, usize)>);

impl fmt::Display for OpenedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " (opened at line {line}, column {column})"),
            None => Ok(()),
        }
    }
}
