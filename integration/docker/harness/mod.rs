//! Containers and networks of a scenario, which leave nothing behind.

pub mod acs;
pub mod cpe;
pub mod engine;
pub mod host;
pub mod lab;
pub mod log;
pub mod router;
pub mod server;
pub mod uci;
pub mod wait;

pub use cpe::Cpe;
pub use host::Host;
pub use lab::Lab;
pub use router::Router;
pub use server::{Event, Server};
pub use uci::Connection;
pub use wait::{LIMIT, until};
