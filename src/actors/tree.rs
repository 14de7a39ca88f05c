//! The supervision tree, the only place that knows all actors: how each is started, with what, and how it is found.
//!
//! ```text
//! root (one_for_one)
//! |- notifier       runs the program that notifies the CWMP client
//! |- router         decides on connection requests          -> notifier
//! |- connections    (one_for_one) supervises the connections
//! |  |- connection 1                                        -> router
//! |  `- ...
//! |- config         follows the files                       -> connections, router
//! `- control        the control socket                      -> connection 1, ...
//! ```
//!
//! Both supervisors are `one_for_one`: a crash touches the actor that crashed and no other. That is possible because no
//! actor holds the address of another one (it looks it up in a [`Slot`] when it sends), and because the state that must
//! outlive an actor is not in it: the desired settings, the history of requests and the status table are created here and
//! lent to each incarnation.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Addr, Recipient};

use super::config::Config;
use super::connection::{Connection, ConnectionContext};
use super::control::Control;
use super::desired::DesiredState;
use super::fault_injection;
use super::messages::{NotifyClient, Reload, SetRules};
use super::notifier::Notifier;
use super::reconcile::{ConnectionChild, ConnectionSupervisor, Reconciler};
use super::registry::{ConnectionRegistry, Slot};
use super::router::Router;
use crate::config::Startup;
use crate::config::model::{Connection as Settings, ConnectionId};
use crate::cwmp::authorize::History;
use crate::logging::LevelHandle;
use crate::shutdown;
use crate::status::{Status, StatusTable};
use crate::supervision::{
    Child, ChildSpec, ExitReason, Intensity, RestartType, Running, Shutdown, Strategy, SupervisionError, Supervisor,
    Update,
};
use crate::ubus::Sockets;
use crate::xmpp::resolve::Resolver;
use crate::xmpp::tls::TrustStores;

/// Exits of the actors at the root within [`PERIOD`] before the process ends, for procd to start it anew.
const ROOT_EXITS: u32 = 10;
/// Exits of one connection within [`PERIOD`] before it is given up.
const CONNECTION_EXITS: u32 = 5;
const PERIOD: Duration = Duration::from_secs(60);

/// Time to stop for actors that hold nothing open.
const PROMPT: Duration = Duration::from_millis(500);

/// The actors, before they are started.
#[derive(Clone)]
pub struct Tree {
    startup: Arc<Startup>,
    level: Option<LevelHandle>,
    // State that outlives the actors.
    desired: DesiredState,
    history: Arc<Mutex<History>>,
    status: StatusTable,
    // Addresses.
    notifier: Slot<Recipient<NotifyClient>>,
    rules: Slot<Recipient<SetRules>>,
    supervisor: Slot<Addr<ConnectionSupervisor>>,
    reload: Slot<Recipient<Reload>>,
    connections: ConnectionRegistry,
    /// Lent to each connection; holds the router's addresses.
    context: ConnectionContext,
}

impl Tree {
    /// Actors for these files. `level` sets the log's level.
    #[must_use]
    pub fn new(startup: Startup, level: Option<LevelHandle>) -> Self {
        let status = StatusTable::default();
        let context = ConnectionContext {
            authorize: Slot::default(),
            disco: Slot::default(),
            status: status.clone(),
            resolver: Arc::new(Resolver::new(startup.resolv_conf.clone(), startup.hosts.clone())),
            trust: TrustStores::default(),
        };
        Self {
            startup: Arc::new(startup),
            level,
            desired: DesiredState::default(),
            history: Arc::default(),
            status,
            notifier: Slot::default(),
            rules: Slot::default(),
            supervisor: Slot::default(),
            reload: Slot::default(),
            connections: ConnectionRegistry::default(),
            context,
        }
    }

    /// Finds the config actor.
    #[must_use]
    pub fn reload(&self) -> Slot<Recipient<Reload>> {
        self.reload.clone()
    }

    /// Finds the connections.
    #[must_use]
    pub fn connections(&self) -> ConnectionRegistry {
        self.connections.clone()
    }

    /// The supervisor at the root.
    ///
    /// # Errors
    /// None in practice: the children's names differ.
    pub fn root(&self) -> Result<Supervisor<&'static str>, SupervisionError<&'static str>> {
        let prompt = Shutdown::Within(PROMPT);
        let children = vec![
            self.child("notifier", prompt, Self::start_notifier),
            self.child("router", prompt, Self::start_router),
            self.child("connections", Shutdown::Unlimited, Self::start_connections),
            self.child("config", prompt, Self::start_config),
            self.child("control", prompt, Self::start_control),
        ];
        Supervisor::new("root", Strategy::OneForOne, Intensity { exits: ROOT_EXITS, period: PERIOD }, children)
    }

    fn child(&self, id: &'static str, shutdown: Shutdown, start: fn(&Self) -> Running) -> Child<&'static str> {
        let tree = self.clone();
        Child::new(ChildSpec { id, restart: RestartType::Permanent, shutdown, budget: None }, move |_| start(&tree))
    }

    fn start_notifier(&self) -> Running {
        let (address, running) = Running::actor(Notifier::new(Sockets::new(self.startup.ubus_socket.as_deref())));
        self.notifier.set(address.recipient());
        running
    }

    fn start_router(&self) -> Running {
        let history = Arc::clone(&self.history);
        let router = Router::new(self.desired.rules(), history, self.status.clone(), self.notifier.clone());
        let (address, running) = Running::actor(router);
        self.rules.set(address.clone().recipient());
        self.context.authorize.set(address.clone().recipient());
        self.context.disco.set(address.recipient());
        running
    }

    /// Starts the supervisor of the connections, and with it the desired connections: none at boot, all after a crash of
    /// their supervisor.
    #[allow(clippy::expect_used, reason = "a panic of a start function is an exit like any other")]
    fn start_connections(&self) -> Running {
        fault_injection::start(&"connections");
        let desired = self.desired.lock().settings.enabled().cloned().collect::<Vec<_>>();
        let children = desired.into_iter().map(|settings| self.connection(settings)).collect();
        // No exit of a connection counts against this: each has a budget of its own.
        let intensity = Intensity { exits: ROOT_EXITS, period: PERIOD };
        let supervisor = Supervisor::new("connections", Strategy::OneForOne, intensity, children)
            .expect("the settings have one connection for each number");
        let status = self.status.clone();
        let supervisor: ConnectionSupervisor = supervisor.on_given_up(move |id, reason| give_up(&status, *id, reason));
        let (address, running) = supervisor.run();
        fault_injection::register_address(&"connections", &address);
        self.supervisor.set(address);
        running
    }

    fn start_config(&self) -> Running {
        let tree = self.clone();
        let reconciler = Reconciler {
            supervisor: self.supervisor.clone(),
            new_child: Arc::new(move |settings| tree.connection(settings)),
        };
        let config = Config::new(
            Arc::clone(&self.startup),
            self.level.clone(),
            self.desired.clone(),
            self.status.clone(),
            self.rules.clone(),
            reconciler,
        );
        let (address, running) = Running::actor(config);
        self.reload.set(address.recipient());
        running
    }

    fn start_control(&self) -> Running {
        let control = Control::new(self.startup.socket.clone(), self.status.clone(), self.connections.clone());
        Running::actor(control).1
    }

    /// One connection. Its supervisor keeps its settings, and starts it again with them after a crash.
    fn connection(&self, settings: Settings) -> ConnectionChild {
        let spec = ChildSpec {
            id: settings.id,
            restart: RestartType::Transient,
            shutdown: Shutdown::Within(shutdown::CONNECTION),
            budget: Some(Intensity { exits: CONNECTION_EXITS, period: PERIOD }),
        };
        let (context, registry) = (self.context.clone(), self.connections.clone());
        Child::with_settings(spec, settings, move |_, settings: &Settings| {
            let (address, running) = Running::actor(Connection::new(settings.clone(), context.clone()));
            registry.set(settings.id, address.clone().recipient());
            running.updated_by(move |settings| address.do_send(Update(settings)))
        })
    }
}

/// Shows that a connection is given up.
fn give_up(status: &StatusTable, id: ConnectionId, reason: &ExitReason) {
    status.update(id, |report| {
        report.error = Some(format!("given up: {reason}"));
        report.tls = false;
        report.next = None;
    });
    status.enter(id, Status::Error);
}

fault_injection::handles_crash!(ConnectionSupervisor);
