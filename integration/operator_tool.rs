//! The tool `connreq`, run as an operator does.

mod exit_status;
mod passwords;
mod repeated;
mod targets;
mod terminal;
