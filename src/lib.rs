//! xmppd answers the connection requests of TR-069 Annex K over XMPP.

pub mod config;
pub mod supervision;

#[cfg(test)]
mod testing;
