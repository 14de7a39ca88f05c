//! Text for a terminal: colours, and lines of a width.

use std::io::IsTerminal;

/// How a text stands out (ECMA-48, SGR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// A heading.
    Bold,
    /// Something that needs action.
    Red,
    /// Something that works.
    Green,
    /// Something between.
    Yellow,
}

impl Colour {
    fn code(self) -> u8 {
        match self {
            Self::Bold => 1,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
        }
    }
}

/// Returns text in a colour, or as it is.
pub(crate) fn paint(text: &str, colour: Option<Colour>) -> String {
    match colour {
        Some(colour) if !text.is_empty() => format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code()),
        _ => text.to_owned(),
    }
}

/// Whether standard output is a terminal that shows colours, and the user wants them (no-color.org).
pub(crate) fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What clears a terminal, or nothing if standard output is none.
pub(crate) fn clear_screen() -> &'static str {
    if std::io::stdout().is_terminal() { "\u{1b}[H\u{1b}[J" } else { "" }
}

/// Splits text at blanks into lines of at most `width` characters; a longer word is cut. At least one line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let Some((limit, _)) = rest.char_indices().nth(width) else {
            lines.push(rest);
            return lines;
        };
        // A blank right behind the width ends a line that is as wide as it may be.
        let next = rest[limit..].chars().next().map_or(limit, |char| limit + char.len_utf8());
        let (line, remaining) = match rest[..next].rfind(' ').filter(|at| *at > 0) {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => rest.split_at(limit),
        };
        lines.push(line);
        rest = remaining;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_blanks_and_long_words_are_cut() {
        for (text, expected) in [
            ("", vec![""]),
            ("one two", vec!["one two"]),
            ("one two thr", vec!["one two", "thr"]),
            ("one two three", vec!["one two", "three"]),
            ("seventeenletters", vec!["seventee", "nletters"]),
            ("a seventeenletters", vec!["a", "seventee", "nletters"]),
            (
                "\u{e4}\u{e4}\u{e4}\u{e4} \u{e4}\u{e4}\u{e4}\u{e4}",
                vec!["\u{e4}\u{e4}\u{e4}\u{e4}", "\u{e4}\u{e4}\u{e4}\u{e4}"],
            ),
        ] {
            assert_eq!(wrap(text, 8), expected);
        }
    }

    #[test]
    fn colour_surrounds_the_text_and_nothing_else() {
        assert_eq!(paint("x", Some(Colour::Red)), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(paint("x", None), "x");
        assert_eq!(paint("", Some(Colour::Red)), "");
    }
}
