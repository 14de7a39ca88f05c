//! A line of the file: its words, and how it is shown.

use std::ops::Range;

use crate::text::OneLine;

/// Blanks in place of a tab.
const TAB: &str = "    ";

/// The line as a terminal can show it.
pub(super) fn shown(line: &str) -> String {
    OneLine(&line.replace('\t', TAB)).to_string()
}

/// A word without its quotes.
pub(super) fn unquoted(word: &str) -> &str {
    word.trim_matches(['\'', '"'])
}

/// Whether the line may hold a password: it names one, or has more than one command, of which only the first is looked at.
pub(super) fn may_hold_password(line: &str) -> bool {
    let plain: String = line.chars().filter(|char| !matches!(char, '\'' | '"' | '\\')).collect();
    plain.contains(';') || plain.to_ascii_lowercase().contains("passw")
}

/// The line, from 1, at which the command begins that line `number` is part of: a value may go over several lines.
pub(super) fn command_line(text: &[u8], number: usize) -> usize {
    let (mut begin, mut quote, mut is_continued) = (1, None, false);
    for (line, at) in text.split(|byte| *byte == b'\n').zip(1..=number) {
        if quote.is_none() && !is_continued {
            begin = at;
        }
        is_continued = false;
        let mut before = b' ';
        for byte in line.iter().copied() {
            match (quote, byte) {
                _ if is_continued => is_continued = false,
                (None | Some(b'"'), b'\\') => is_continued = true,
                (None, b'#') if matches!(before, b' ' | b'\t' | b';') => break,
                (None, b'\'' | b'"') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
            before = byte;
        }
    }
    begin
}

/// Whether the word begins a command for an option.
pub(super) fn is_option_command(word: &str) -> bool {
    matches!(word, "option" | "o" | "list" | "l")
}

/// Whether the word begins a command for a section.
pub(super) fn is_section_command(word: &str) -> bool {
    matches!(word, "config" | "c")
}

/// The places of the first three words of a line; blanks within quotes do not end one.
pub(super) fn words(line: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    for (at, char) in line.char_indices() {
        match (quote, char) {
            (None, ' ' | '\t') => words.extend(start.take().map(|start| start..at)),
            (None, '\'' | '"') => (quote, start) = (Some(char), start.or(Some(at))),
            (Some(open), _) if open == char => quote = None,
            _ => start = start.or(Some(at)),
        }
    }
    words.extend(start.map(|start| start..line.len()));
    words.truncate(3);
    words
}
