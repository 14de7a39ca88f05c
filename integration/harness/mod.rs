//! What the tests stand on: servers, daemons and clients that leave nothing behind, each in a directory of its own.
//!
//! Tests are `#[tokio::test]` (one thread each): a child process dies with the *thread* that started it, so one is only to
//! be started from the test's own thread.
#![allow(dead_code, unused_imports, reason = "a test may need less than the harness can do")]

pub mod bystander;
pub mod ca;
pub mod clock;
pub mod command;
pub mod connreq;
pub mod daemon;
pub mod dns;
pub mod ejabberd;
pub mod fleet;
pub mod gate;
pub mod genieacs;
pub mod log;
pub mod name_server;
pub mod namespace;
pub mod ports;
pub mod proc;
pub mod process;
pub mod program;
pub mod prosody;
pub mod running;
pub mod s_server;
pub mod scene;
pub mod scram;
pub mod script;
pub mod server;
pub mod sessions;
pub mod stanzas;
pub mod status;
pub mod trace;
pub mod ubus;
pub mod uci;
pub mod wait;
pub mod wire;

pub use bystander::Bystander;
pub use ca::{Ca, ServerCert, Validity};
pub use clock::Clock;
pub use command::CommandProgram;
pub use daemon::{Daemon, Setup};
pub use dns::{Dns, Record};
pub use ejabberd::Ejabberd;
pub use fleet::Fleet;
pub use gate::Gate;
pub use name_server::{NameServer, Reply};
pub use prosody::{Options, Prosody};
pub use s_server::SServer;
pub use scene::{ACS, CPE1, CPE2, How, Scene};
pub use scram::Honesty;
pub use script::{Peer, Script};
pub(crate) use server::on_each_server;
pub use server::{Endpoint, Entries, Server, Wanted};
pub use sessions::{End, Kind, Session};
pub use status::Status;
pub use trace::{Trace, Work};
pub use uci::{Section, UciFile};
pub use wait::{LIMIT, until};
pub use wire::Wire;
