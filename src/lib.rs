//! xmppd answers the connection requests of TR-069 Annex K over XMPP.

pub mod actors;
pub mod cli;
pub mod config;
#[cfg(feature = "connreq")]
pub mod connreq;
pub mod cwmp;
pub mod logging;
pub mod shutdown;
pub mod status;
pub mod supervision;
pub mod text;
pub mod xmpp;

#[cfg(test)]
mod testing;
