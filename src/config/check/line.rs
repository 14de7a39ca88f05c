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
