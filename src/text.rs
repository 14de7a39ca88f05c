//! Makes text from outside fit to print: escaped, and cut to a length.

use std::fmt;

/// Displays text on one line: control characters, line separators and bidirectional overrides are escaped, so that the
/// text can neither start a line of its own nor change how a terminal shows the rest.
pub struct OneLine<'a>(pub &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unprintable(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest prefix of `text` of at most `max` bytes that ends at a character boundary.
#[must_use]
pub fn truncate(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_are_escaped() {
        for bad in
            ["\n", "\r", "\0", "\u{1b}", "\u{7f}", "\u{85}", "\u{2028}", "\u{2029}", "\u{202e}", "\u{2066}", "\u{b}"]
        {
            let shown = OneLine(bad).to_string();
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{bad:?}: {shown}");
        }
    }

    #[test]
    fn printable_characters_are_unchanged() {
        let text = "\u{fc} \u{1f600} 'quoted' \"twice\" C:\\path {} \u{a0}";
        assert_eq!(OneLine(text).to_string(), text);
    }

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        for (max, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "a\u{e4}"), (4, "a\u{e4}b"), (100, "a\u{e4}b")] {
            assert_eq!(truncate("a\u{e4}b", max), expected);
        }
    }
}
