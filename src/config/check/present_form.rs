//! The present form of a file of an older generation.

use std::collections::BTreeSet;
use std::fmt;

use super::line::{is_option_command, is_section_command, may_hold_password, shown, unquoted, words};
use crate::config::generation::OlderName;

/// A line of the file with an older name, and its present form. Displayed as a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rename {
    line: usize,
    old: String,
    new: String,
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:4} -{}\n{0:4} +{2}", self.line, self.old, self.new)
    }
}

/// The lines with older names. Values keep their meaning, so that the names alone change. A line that may hold a password is left
/// out.
pub(super) fn renames(text: &[u8], older: &BTreeSet<OlderName>) -> Vec<Rename> {
    let text = String::from_utf8_lossy(text);
    let mut renames = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !may_hold_password(line)) {
        let words: Vec<&str> = words(line).into_iter().map(|word| unquoted(&line[word])).collect();
        let [command, name, ..] = *words else { continue };
        if !is_section_command(command) && !is_option_command(command) {
            continue;
        }
        if let Some(older) = older.iter().find(|older| older.name == name) {
            let new = line.replacen(name, older.present, 1);
            renames.push(Rename { line: number, old: shown(line), new: shown(&new) });
        }
    }
    renames
}
