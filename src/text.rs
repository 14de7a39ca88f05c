//! Makes text fit to print: escaped, shortened, and in words.

use std::fmt::{self, Debug};
use std::time::Duration;

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

/// Returns the longest prefix of `text` of at most `max` bytes that ends at a character boundary.
#[must_use]
pub fn truncate(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Longer values and names are cut in messages, characters.
const MAX_SHOWN: usize = 80;

/// Returns the value as messages show it: on one line, at most [`MAX_SHOWN`] characters of it.
pub(crate) fn presentable(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", OneLine(&value[..end])),
        None => OneLine(value).to_string(),
    }
}

/// Returns the name of an enum's variant, `HandshakeFailure`, in lower case with `separator` between its words.
pub(crate) fn variant_name(variant: &impl Debug, separator: char) -> String {
    let name = format!("{variant:?}");
    let name = name.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for char in name.chars() {
        if char.is_uppercase() && !words.is_empty() {
            words.push(separator);
        }
        words.extend(char.to_lowercase());
    }
    words
}

/// Returns a duration in its two largest units: `3 d 4 h`, `42 s`.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
    };
    if small.0 == 0 {
        format!("{} {}", large.0, large.1)
    } else {
        format!("{} {} {} {}", large.0, large.1, small.0, small.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (86_400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
            (86_400 * 400, "400 d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(in_words(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_presentable_value_is_one_short_line() {
        assert_eq!(presentable("a\nb\u{1b}[1m\u{e4}'"), "a\\nb\\u{1b}[1m\u{e4}'");
        assert_eq!(presentable(&"\u{e4}".repeat(80)), "\u{e4}".repeat(80));
        assert_eq!(presentable(&"x".repeat(81)), "x".repeat(80) + "...");
    }

    #[test]
    fn variant_names_are_spelled_in_words() {
        #[derive(Debug)]
        enum Example {
            Plain,
            HasFields { _a: i32 },
        }
        assert_eq!(variant_name(&Example::Plain, ' '), "plain");
        assert_eq!(variant_name(&Example::HasFields { _a: 1 }, '_'), "has_fields");
    }

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
