//! xmppd answers the connection requests of TR-069 Annex K over XMPP.

pub mod config;
#[cfg(feature = "connreq")]
pub mod connreq;
