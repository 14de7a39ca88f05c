//! xmppd answers the connection requests of TR-069 Annex K over XMPP.

#[cfg(all(feature = "fault-injection", not(debug_assertions)))]
compile_error!("the feature fault-injection is for tests alone, never for a program that is shipped");

mod abort_on_drop;
pub mod actors;
pub mod blocking;
mod calendar;
pub mod cli;
pub mod config;
pub mod cwmp;
pub mod document;
pub mod file;
pub mod logging;
mod random;
pub mod service_manager;
pub mod shutdown;
pub mod status;
pub mod supervision;
mod terminal;
pub mod text;
pub mod ticks;
pub mod ubus;
pub mod xmpp;

#[cfg(test)]
mod testing;
