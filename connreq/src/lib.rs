//! The ACS's side of TR-069 Annex K: logs in and sends connection requests.
//!
//! A library for the tests, and the tool `connreq`. It uses the `xmpp` crate, whose [`Agent`](xmpp::Agent) reconnects
//! forever and hides why a login failed; [`connector`] limits it to one login and finds out the reason.

pub mod connector;
mod payload;
mod prompt_tcp;
mod request_pipeline;
mod requester;
pub mod tls;
pub mod tool;

pub use payload::{Credentials, NAMESPACE, connection_request};
pub use request_pipeline::RequestPipeline;
pub use requester::{Account, Answer, LoginError, NoAnswer, Requester, SessionLost};
