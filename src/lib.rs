//! xmppd answers the connection requests of TR-069 Annex K over XMPP.

#[cfg(all(feature = "test-hooks", not(debug_assertions)))]
compile_error!("the feature test-hooks is for tests alone, never for a program that is shipped");

pub mod actors;
pub mod cli;
pub mod config;
pub mod cwmp;
pub mod document;
pub mod file;
pub mod logging;
pub mod shutdown;
pub mod status;
pub mod supervision;
pub mod text;
pub mod ubus;
pub mod xmpp;

#[cfg(test)]
mod testing;
