//! The test harness: servers, daemons and clients, each in its own directory, which leave nothing behind.
//!
//! Tests are `#[tokio::test]` (one thread each): a child process dies with the *thread* that started it, so start child
//! processes only from the test's own thread.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "some parts are used only with real servers, others only by tests"
)]

pub mod applied;
pub mod ca;
pub mod clock;
pub mod connreq;
pub mod daemon;
pub mod dns;
pub mod ejabberd;
pub mod fault_proxy;
pub mod fixture;
pub mod fleet;
pub mod genieacs;
pub mod log;
pub mod name_server;
pub mod namespace;
pub mod notify_command;
pub mod ports;
pub mod proc;
pub mod process;
pub mod program;
pub mod prosody;
pub mod raw_client;
pub mod s_server;
pub mod scram;
pub mod scripted_server;
pub mod server;
pub mod sessions;
pub mod settings;
pub mod stanzas;
pub mod status;
pub mod trace;
pub mod ubus;
pub mod uci;
pub mod unaffected_connection;
pub mod wait;

pub use ca::{Ca, ServerCert, Validity};
pub use clock::Clock;
pub use daemon::{Daemon, Setup};
pub use dns::{Dns, Record};
pub use ejabberd::Ejabberd;
pub use fault_proxy::FaultProxy;
pub use fixture::{ACS, CPE1, CPE2, Fixture, WriteMethod};
pub use name_server::{NameServer, Reply};
pub use notify_command::NotifyCommand;
pub use prosody::{Options, Prosody};
pub use raw_client::RawClient;
pub use s_server::SServer;
pub use scram::Honesty;
pub use scripted_server::{Peer, ScriptedServer};
pub(crate) use server::on_each_server;
pub use server::{Endpoint, LoginCounts, Server, ServerOptions};
pub use sessions::{EventKind, Session, SessionEnd};
pub use settings::Settings;
pub use status::Status;
pub use trace::{Activity, Trace};
pub use uci::{Section, UciFile};
pub use unaffected_connection::UnaffectedConnection;
pub use wait::{LIMIT, until};
