//! What a UCI file holds: sections with their options and values, each with its line.

use std::fmt;

use super::bytes::Bytes;

/// All sections of a file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Sections of one name are joined into the first of them.
    pub sections: Vec<Section>,
}

/// `config TYPE 'NAME'` and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The section's type: printable ASCII without blanks.
    pub kind: String,
    /// The section's name, of `A-Z a-z 0-9 _`; none = anonymous.
    pub name: Option<String>,
    /// The line of its first `config`, from 1.
    pub line: usize,
    /// The options that have a value, in libuci's order: an option that is set again moves to the end.
    pub options: Vec<OptionEntry>,
}

impl Section {
    /// The option of this name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&OptionEntry> {
        self.options.iter().find(|entry| entry.name == name)
    }
}

/// An option and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionEntry {
    /// The option's name, of `A-Z a-z 0-9 _`.
    pub name: String,
    /// Its value.
    pub value: OptionValue,
}

impl OptionEntry {
    /// The line of the `option`, or of the first `list`, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match &self.value {
            OptionValue::Text(item) => item.line,
            OptionValue::List(items) => items.first().map_or(0, |item| item.line),
        }
    }

    /// The single value; none for a list.
    #[must_use]
    pub fn text(&self) -> Option<&[u8]> {
        match &self.value {
            OptionValue::Text(item) => Some(&item.bytes),
            OptionValue::List(_) => None,
        }
    }
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// `option NAME 'VALUE'`; never empty, because libuci drops empty options.
    Text(Item),
    /// `list NAME 'VALUE'`, once for each item. It has at least one item; items may be empty.
    List(Vec<Item>),
}

impl OptionValue {
    /// The items of a list, or the single value.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self {
            Self::Text(item) => std::slice::from_ref(item),
            Self::List(items) => items,
        }
    }
}

/// A single value and its line.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The line of its `option` or `list`, from 1.
    pub line: usize,
    /// The value: any bytes but NUL.
    pub bytes: Bytes,
}

/// Shows no bytes: they may be a password.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item(line {}, {} bytes)", self.line, self.bytes.len())
    }
}
