//! The values of options: how each is written, and the words of an error that says what was expected.

pub(crate) mod from_text;
pub(crate) mod keywords;
pub(crate) mod lists;
pub(crate) mod names;
pub(crate) mod numbers;
