//! The tool `connreq`, as an operator uses it.

mod endings;
mod passwords;
mod repeated;
mod targets;
mod terminal;
