//! What the daemon and its connections are doing, and its forms: text, the document, and TR-181's parameters.

pub mod daemon;
mod dates;
mod document;
mod jid_file;
mod parameters;
mod report;
mod table;
mod text;
mod tr181;
mod view;

pub use daemon::Crash;
pub use dates::Dates;
pub use document::{FORMAT, document};
pub use jid_file::JidFile;
pub use parameters::{UnknownPath, lines};
pub use report::{Report, Stats, Status};
pub use table::{Change, RememberedJid, RememberedJids, StatusChange, StatusTable};
pub use text::render;
pub use tr181::tr181;
pub use view::View;

#[cfg(test)]
mod tests;
