//! The UCI syntax, as libuci reads it: text to sections, each section, option and list item with its line.
//!
//! libuci's parser is lenient in places where one would not expect it, and strict in others. What `uci show` prints for a
//! file is the measure; [`show`](show()) prints the same. Two things are different on purpose: an error names the line
//! that it is in (libuci is one short in a last line without a newline), and a NUL byte is an error (libuci loses what
//! follows).

mod builder;
mod bytes;
mod cursor;
mod parser;
mod show;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use bytes::Bytes;
pub(crate) use show::labels;
pub use show::{print, show};

/// All sections of a file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Sections of the same name are one section, which stands where the first of them stood.
    pub sections: Vec<Section>,
}

/// `config TYPE 'NAME'` and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The section's type: printable ASCII without blanks.
    pub kind: String,
    /// The section's name, of `A-Z a-z 0-9 _`; none = anonymous.
    pub name: Option<String>,
    /// The line of its (first) `config`, from 1.
    pub line: usize,
    /// The options that have a value, in libuci's order: one that is set anew moves to the end.
    pub options: Vec<Entry>,
}

impl Section {
    /// The option of that name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&Entry> {
        self.options.iter().find(|entry| entry.name == name)
    }
}

/// An option and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The option's name, of `A-Z a-z 0-9 _`.
    pub name: String,
    /// What it is set to.
    pub value: Value,
}

impl Entry {
    /// The line of the `option`, or of the first `list`, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match &self.value {
            Value::Text(item) => item.line,
            Value::List(items) => items.first().map_or(0, |item| item.line),
        }
    }

    /// The single value; none for a list.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Text(item) => Some(&item.bytes),
            Value::List(_) => None,
        }
    }
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `option NAME 'VALUE'`; never empty, since libuci drops empty ones.
    Text(Item),
    /// `list NAME 'VALUE'`, once for each item; never without items, which may be empty.
    List(Vec<Item>),
}

/// A value and the line it is on.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The line of its `option` or `list`, from 1.
    pub line: usize,
    /// The value: any bytes but NUL.
    pub bytes: Bytes,
}

/// Without the bytes: they may be a password.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item(line {}, {} bytes)", self.line, self.bytes.len())
    }
}

/// The text is not UCI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}{}", file.display(), Opened(*opened))]
pub struct SyntaxError {
    /// The file that was parsed.
    pub file: PathBuf,
    /// The line, from 1: the last one that was read when it went wrong, as in libuci.
    pub line: usize,
    /// The byte in that line, from 1, at which what is wrong begins.
    pub column: usize,
    /// libuci's words for it.
    pub reason: &'static str,
    /// Line and column of the quote that is never closed.
    pub opened: Option<(usize, usize)>,
}

struct Opened(Option<(usize, usize)>);

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " (opened at line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// Reads the text of `file`; the name is for errors only.
///
/// # Errors
/// The first place at which libuci would refuse the file.
pub fn parse(file: &Path, text: &[u8]) -> Result<Package, SyntaxError> {
    parser::parse(text).map_err(|fault| SyntaxError {
        file: file.to_owned(),
        line: fault.line,
        column: fault.column,
        reason: fault.reason,
        opened: fault.opened,
    })
}
