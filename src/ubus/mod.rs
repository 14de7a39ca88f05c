//! The protocol of ubus (ubusmsg.h, blob.h, blobmsg.h) and a client that lives through restarts of `ubusd`.
//!
//! Nothing else in the daemon knows the wire.

mod attribute;
pub mod blobmsg;
mod client;
mod connection;
pub mod message;
mod session;
mod status;

pub use client::{CallError, Client, Incoming, Method, Object, client};
pub use connection::{DEFAULT_SOCKETS, Dial, Sockets};
pub use status::StatusCode;
