//! The actors. They carry out what pure functions decide, and talk by [messages]. [`tree`] alone knows all of them.

pub mod config;
pub mod connection;
pub mod control;
mod desired;
pub mod fault_injection;
pub mod messages;
pub mod notifier;
pub mod queries;
mod reconcile;
pub mod registry;
pub mod reload_report;
pub mod router;
mod supervised;
pub mod tree;
