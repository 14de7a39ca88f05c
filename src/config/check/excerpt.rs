//! Shows the line of a problem with the place marked below it, as compilers do.

use std::fmt::Write as _;
use std::ops::Range;

use super::line::{command_line, is_option_command, may_hold_password, shown, unquoted, words};
use crate::config::problem::Problem;
use crate::config::schema::{CONNECTION, GENERAL, SERVER};
use crate::config::section_layer::SECRET;
use crate::config::uci::SyntaxError;

/// Longer lines are not shown, characters.
const MAX_LINE: usize = 200;

/// The line of a problem, with the value marked, or else the option's name, or else the section. None for a password; without
/// the value of an unknown option, which may be a password whose name is misspelt.
pub(super) fn excerpt(text: &[u8], problem: &Problem) -> Option<String> {
    let line = line(text, problem.line)?;
    let words = words(line);
    let marked = match (&problem.option, &problem.value) {
        (Some(option), _) if words.get(1).is_none_or(|name| unquoted(&line[name.clone()]) != option) => {
            // The option is not set: the line is the section's.
            words.first()?.start..words.last()?.end
        }
        (Some(_), Some(_)) => words.get(2).or(words.get(1))?.clone(),
        (Some(_), None) => words.get(1)?.clone(),
        (None, _) => words.first()?.start..words.last()?.end,
    };
    let is_unknown = |name: &&Range<usize>| !is_option(unquoted(&line[(*name).clone()]));
    match words.get(1).filter(is_unknown).filter(|_| problem.option.is_some() && marked.start > 0) {
        Some(name) => Some(mark(&format!("{} ...", &line[..name.end]), problem.line, name.clone())),
        None if problem.option.as_deref() == Some(SECRET) || may_hold_password(line) => None,
        None => Some(mark(line, problem.line, marked)),
    }
}

/// Whether the line sets an option that no section has: perhaps a password whose name is misspelt.
fn has_unknown_option(line: &str) -> bool {
    let words: Vec<&str> = words(line).into_iter().map(|word| unquoted(&line[word])).collect();
    matches!(words.as_slice(), [command, name, ..] if is_option_command(command) && !is_option(name))
}

/// Whether an option of any section has this name.
fn is_option(name: &str) -> bool {
    [&GENERAL, &CONNECTION, &SERVER].iter().any(|schema| schema.option(name).is_some())
}

/// The line of a syntax error up to its place; the line of the quote if one is never closed. None if it may be part of a
/// password.
pub(super) fn syntax_excerpt(text: &[u8], error: &SyntaxError) -> Option<String> {
    let (number, column) = error.opened.unwrap_or((error.line, error.column));
    let is_secret = |number| line(text, number).is_none_or(|line| may_hold_password(line) || has_unknown_option(line));
    if (command_line(text, number)..=number).any(is_secret) {
        return None;
    }
    let line = line(text, number)?;
    let at = column.saturating_sub(1).min(line.len());
    if !line.is_char_boundary(at) {
        return None;
    }
    let end = line[at..].chars().next().map_or(at, |char| at + char.len_utf8());
    Some(mark(line, number, at..end.max(at)))
}

/// A line, from 1, if it is text that fits.
fn line(text: &[u8], number: usize) -> Option<&str> {
    let line = text.split(|byte| *byte == b'\n').nth(number.checked_sub(1)?)?;
    let line = std::str::from_utf8(line).ok()?.trim_end();
    (line.chars().count() <= MAX_LINE).then_some(line)
}

fn mark(line: &str, number: usize, marked: Range<usize>) -> String {
    let width = number.to_string().len().max(4);
    let (before, within) = (shown(&line[..marked.start]), shown(&line[marked]));
    let carets = "^".repeat(within.chars().count().max(1));
    let mut text = format!("{number:width$} | {}\n", shown(line));
    let _ = writeln!(text, "{:width$} | {}{carets}", "", " ".repeat(before.chars().count()));
    text
}
