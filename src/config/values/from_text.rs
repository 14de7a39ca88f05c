//! Parses the text of an option.

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

use crate::config::suggestion::did_you_mean;

/// A value that is written as one string.
pub(crate) trait FromText: Sized {
    /// Parses the text; none if it is not such a value.
    fn from_text(text: &str) -> Option<Self>;

    /// What was expected, to be read after "expected".
    fn expected() -> String;

    /// The words of which the value is one, if it is; a misspelt one is recognized.
    fn words() -> &'static [&'static str] {
        &[]
    }
}

/// Deserializes a value from text, as which UCI has every option.
#[derive(Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_text(&text).map(Self).ok_or_else(|| {
            let expected = T::expected() + &did_you_mean(&text, T::words().iter().copied());
            D::Error::invalid_value(Unexpected::Str(&text), &expected.as_str())
        })
    }
}
