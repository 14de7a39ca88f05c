//! The ACS's side of TR-069 Annex K: logs in and sends connection requests.
//!
//! What the `connreq` tool and the tests are made of; only there with the cargo feature `connreq`, so that none of it is
//! in a CPE's binary. It stands on the `xmpp` crate, whose [`Agent`](xmpp::Agent) reconnects for ever and keeps the reason
//! of a failure to itself: see [`connector`] for how a [`Requester`] gets one login and a reason instead.

pub mod connector;
mod courier;
mod payload;
mod requester;
pub mod tls;
pub mod tool;

pub use courier::Courier;
pub use payload::{Credentials, NAMESPACE, connection_request};
pub use requester::{Account, Answer, LoginError, Lost, Requester, Silence};
