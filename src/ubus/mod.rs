//! The protocol of ubus (ubusmsg.h, blob.h, blobmsg.h) and a client that lives through restarts of `ubusd`.
//!
//! Nothing else in the daemon knows the wire.

mod attribute;
pub mod blobmsg;
mod call;
mod client;
mod connection;
pub mod message;
mod object;
mod session;
mod state;
mod status;

pub use call::CallError;
pub use client::{Client, client};
pub use connection::{DEFAULT_SOCKETS, Dial, Sockets};
pub use object::{Incoming, Method, Object};
pub use state::BusState;
pub use status::StatusCode;
