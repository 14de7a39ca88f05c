//! Options with several values.

use serde::de::{Deserialize, Deserializer, Error};

/// The values of an option that is written as a UCI list or as one string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Items {
    /// `option`
    One(String),
    /// `list`
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Items;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Items, E> {
                Ok(Items::One(text.to_owned()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Items, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(Items::Many(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Items {
    /// The values where they may contain blanks and commas: the items of a list as they are; a string is split at blanks
    /// and commas.
    pub(crate) fn entries(&self) -> Vec<&str> {
        match self {
            Self::One(text) => split(text).collect(),
            Self::Many(items) => items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).collect(),
        }
    }

    /// The values where none may contain blanks or commas: the items of a list are split as well.
    pub(crate) fn words(&self) -> Vec<&str> {
        match self {
            Self::One(text) => split(text).collect(),
            Self::Many(items) => items.iter().flat_map(|item| split(item)).collect(),
        }
    }

    /// Whether all values are white space.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::One(text) => text.trim().is_empty(),
            Self::Many(items) => items.iter().all(|item| item.trim().is_empty()),
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| char == ',' || char.is_whitespace()).filter(|entry| !entry.is_empty())
}
