//! Validates sections and converts them to typed settings.

pub(super) mod connection;
pub(super) mod general;
pub(super) mod server;
