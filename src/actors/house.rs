//! What outlives an actor's crash: who lives at which address now, and what is meant to run. Everything is on one thread;
//! the lock is there because start functions are messages between actors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Addr;

use super::config::Config;
use super::connection::Connection;
use super::notifier::Notifier;
use super::router::Router;
use crate::config::Startup;
use crate::config::model::{ConnectionId, Settings};
use crate::cwmp::authorize::History;
use crate::cwmp::credentials::Credentials;
use crate::logging::LevelHandle;
use crate::status::StatusTable;
use crate::supervision::Supervisor;
use crate::xmpp::resolve::Resolver;

/// The supervisor of the connections.
pub type Connections = Supervisor<ConnectionId>;

super::crashes_when_told!(Connections);

/// Shared by all actors.
#[derive(Clone)]
pub struct House {
    /// Where the files are.
    pub startup: Arc<Startup>,
    /// The log's level.
    pub level: Option<LevelHandle>,
    /// The connections' status.
    pub board: StatusTable,
    /// What the router was asked before: a crash must not end a lock-out, nor a limit.
    pub history: Arc<Mutex<History>>,
    /// Looks servers up, for all connections.
    pub resolver: Arc<Resolver>,
    rooms: Arc<Mutex<Rooms>>,
}

/// The addresses, and what runs.
#[derive(Default)]
pub struct Rooms {
    /// The notifier's present incarnation.
    pub notifier: Option<Addr<Notifier>>,
    /// The router's present incarnation.
    pub router: Option<Addr<Router>>,
    /// The supervisor of the connections.
    pub connections: Option<Addr<Connections>>,
    /// The config actor's present incarnation.
    pub config: Option<Addr<Config>>,
    /// The control socket's present incarnation.
    #[cfg(feature = "test-hooks")]
    pub control: Option<Addr<super::control::Control>>,
    /// The connections' present incarnations.
    pub connection: BTreeMap<ConnectionId, Addr<Connection>>,
    /// What the supervisor of the connections was told to run: a connection that is restarted after a crash takes its
    /// settings from here.
    pub running: Settings,
    /// The connection request credentials that were read last.
    pub credentials: Option<Credentials>,
    /// Connections that were given up after too many crashes.
    pub given_up: BTreeSet<ConnectionId>,
}

impl House {
    /// A house with nobody in it.
    #[must_use]
    pub fn new(startup: Startup, level: Option<LevelHandle>) -> Self {
        let resolver = Resolver::new(startup.resolv_conf.clone(), startup.hosts.clone());
        Self {
            resolver: Arc::new(resolver),
            startup: Arc::new(startup),
            level,
            board: StatusTable::default(),
            history: Arc::default(),
            rooms: Arc::default(),
        }
    }

    /// The addresses, and what runs. Not to be held across an await.
    pub fn rooms(&self) -> MutexGuard<'_, Rooms> {
        // A panic while it was held cannot have left it half-changed: each change is one assignment.
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
