//! The UCI syntax as libuci reads it: text to sections, with the line of each section, option and list item.
//!
//! The reference is what `uci show` prints for a file; [`show`](show()) prints the same. libuci is more lenient than
//! expected in some places and stricter in others. Two differences are deliberate: an error names the line it is in
//! (libuci is one too low in a last line without newline), and a NUL byte is an error (libuci loses what follows it).

mod builder;
mod bytes;
mod cursor;
mod package;
mod parser;
mod show;
mod syntax_error;
#[cfg(test)]
mod tests;

pub use bytes::Bytes;
pub use package::{Item, OptionEntry, OptionValue, Package, Section};
pub use parser::parse;
pub(crate) use show::labels;
pub use show::{print, show};
pub use syntax_error::SyntaxError;
