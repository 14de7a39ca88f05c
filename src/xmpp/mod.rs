//! XMPP: finding a server, logging in, reading and writing the stream.

pub mod incoming;
pub mod keepalive;
pub mod ns;
pub mod outgoing;
pub mod payload;
pub mod retry;
pub mod servers;
pub mod xml_stream;
