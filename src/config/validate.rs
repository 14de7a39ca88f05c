//! Sections to typed settings: what each option may be, and what is made of it.

mod connection;
mod general;
mod server;

pub(crate) use connection::{Outcome, connection};
pub(crate) use general::general;
pub(crate) use server::{parent, server};
