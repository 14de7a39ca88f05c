//! Notifies the CWMP client of a connection request: on ubus, or by a program.

pub mod command;
pub mod error;
pub mod ubus;
