//! XMPP: finding a server, logging in, reading and writing the stream.

pub mod bind;
pub mod connect;
pub mod features;
pub mod incoming;
pub mod keepalive;
pub mod lenient;
pub mod login;
pub mod ns;
pub mod outgoing;
pub mod parser;
pub mod payload;
pub mod race;
pub mod resolve;
pub mod retry;
pub mod sasl;
pub mod servers;
pub mod session;
pub mod stanza;
pub mod stream_error;
pub mod stream_management;
pub mod tls;
pub mod transport;
pub mod xml_stream;
