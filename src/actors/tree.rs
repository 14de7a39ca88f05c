//! The supervision tree, which `docs/architecture.md` draws. The only file that knows all actors: how each is started,
//! with what, and how it is found.
//!
//! A crash touches the actor that crashed and no other. That is possible because no actor holds the address of another one
//! (it looks it up in a [`Slot`] when it sends), and because state that must outlive an actor is not in it: the desired
//! settings, the history of requests and the status table are created here and lent to each run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Addr, Recipient};
use futures_util::StreamExt;

use super::config::Config;
use super::connection::Connection;
use super::connection::context::ConnectionContext;
use super::control::Control;
use super::desired::DesiredState;
use super::fault_injection;
use super::messages::{Announce, NotifyClient, Reload, ReloadNow, SetRules};
use super::notifier::Notifier;
use super::queries::Queries;
use super::reconcile::{ConnectionChild, ConnectionSupervisor, Reconciler};
use super::registry::{ConnectionRegistry, Slot};
use super::router::Router;
use super::supervised::fails_in_tests;
use crate::config::model::{ConnectionId, ConnectionSettings};
use crate::config::startup::Startup;
use crate::cwmp::authorize::History;
use crate::logging::connection_span::connection_span;
use crate::logging::level::LevelHandle;
use crate::service_manager;
use crate::shutdown;
use crate::status::{Change, Crash, JidFile, Status, StatusTable};
use crate::supervision::decision::SupervisionError;
use crate::supervision::lifecycle::Update;
use crate::supervision::messages::NewChild;
use crate::supervision::running::Running;
use crate::supervision::spec::{ChildSpec, ExitReason, Intensity, RestartStrategy};
use crate::supervision::supervisor::Supervisor;
use crate::ticks::ticks;
use crate::ubus::Sockets;
use crate::xmpp::resolve::Resolver;
use crate::xmpp::tls::TrustStores;

/// Crashes at the root that are followed by a restart; one more ends the process, for procd to start it anew.
const ROOT_INTENSITY: Intensity = Intensity { exits: 10, period: Duration::from_secs(60) };
/// Crashes of one connection that are followed by a restart; one more, and it is given up.
const CONNECTION_INTENSITY: Intensity = Intensity { exits: 5, period: Duration::from_secs(60) };

/// The interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(60);

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
    // Where each actor is found; named after the actor, and after the message if the actor has two.
    notifier: Slot<Recipient<NotifyClient>>,
    notifier_events: Slot<Recipient<Announce>>,
    router: Slot<Recipient<SetRules>>,
    connection_supervisor: Slot<Addr<ConnectionSupervisor>>,
    config: Slot<Recipient<Reload>>,
    config_reload_now: Slot<Recipient<ReloadNow>>,
    connection_addresses: ConnectionRegistry,
    /// Lent to each connection; holds the router's addresses.
    context: ConnectionContext,
}

impl Tree {
    /// Actors for these files. `level` sets the log's level.
    #[must_use]
    pub fn new(startup: Startup, level: Option<LevelHandle>) -> Self {
        let jids = JidFile::beside(&startup.socket);
        let events: Slot<Recipient<Announce>> = Slot::default();
        let announce = events.clone();
        let status = StatusTable::new(jids.load(), move |change| match change {
            Change::Status(change) => announce.do_send(Announce::Status(change)),
            Change::Jids(remembered) => jids.save(&remembered),
        });
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
            notifier_events: events,
            router: Slot::default(),
            connection_supervisor: Slot::default(),
            config: Slot::default(),
            config_reload_now: Slot::default(),
            connection_addresses: ConnectionRegistry::default(),
            context,
        }
    }

    /// Finds the config actor.
    #[must_use]
    pub fn config(&self) -> Slot<Recipient<Reload>> {
        self.config.clone()
    }

    /// Finds the connections.
    #[must_use]
    pub fn connection_addresses(&self) -> ConnectionRegistry {
        self.connection_addresses.clone()
    }

    /// The supervisor at the root. Must be called in the runtime.
    ///
    /// # Errors
    /// None in practice: the children's names differ.
    pub fn root(&self) -> Result<Supervisor<&'static str>, SupervisionError<&'static str>> {
        let children = vec![
            self.child("notifier", Some(PROMPT), Self::start_notifier),
            self.child("router", Some(PROMPT), Self::start_router),
            self.child("connections", None, Self::start_connections),
            self.child("config", Some(PROMPT), Self::start_config),
            self.child("control", Some(PROMPT), Self::start_control),
        ];
        let status = self.status.clone();
        let root = Supervisor::new("root", ROOT_INTENSITY, children)?.on_crash(move |id, reason| {
            status.update_daemon(|daemon| drop(daemon.crashes.insert(id, Crash::now(reason))));
        });
        let interval = fault_injection::heartbeat_interval(HEARTBEAT);
        Ok(match ticks(interval) {
            Ok(ticks) => root.with_heartbeat(interval, ticks.inspect(|()| service_manager::alive())),
            Err(error) => {
                tracing::warn!("no heartbeats, frozen actors are not restarted: {error}");
                root
            }
        })
    }

    fn child(
        &self,
        id: &'static str,
        stop_limit: Option<Duration>,
        start: fn(&Self) -> Running,
    ) -> NewChild<&'static str> {
        let tree = self.clone();
        let spec = ChildSpec { id, strategy: RestartStrategy::Escalate, stop_limit };
        NewChild::new(spec, move |_| {
            tree.status.update_daemon(|daemon| daemon.count_start(id));
            start(&tree)
        })
    }

    fn queries(&self) -> Queries {
        Queries {
            startup: Arc::clone(&self.startup),
            status: self.status.clone(),
            desired: self.desired.clone(),
            connections: self.connection_addresses.clone(),
            config: self.config_reload_now.clone(),
        }
    }

    fn start_notifier(&self) -> Running {
        let sockets = Sockets::new(self.startup.ubus_socket.as_deref());
        let notifier = Notifier::new(sockets, self.queries(), self.status.clone());
        let (address, running) = fault_injection::run("notifier", || Running::actor(notifier));
        self.notifier_events.set(address.clone().recipient());
        self.notifier.set(address.recipient());
        running
    }

    fn start_router(&self) -> Running {
        let history = Arc::clone(&self.history);
        let (status, notifier, events) = (self.status.clone(), self.notifier.clone(), self.notifier_events.clone());
        let router = Router::new(self.desired.rules(), history, status, notifier, events);
        let (address, running) = fault_injection::run("router", || Running::actor(router));
        self.router.set(address.clone().recipient());
        self.context.authorize.set(address.clone().recipient());
        self.context.disco.set(address.recipient());
        running
    }

    /// Starts the supervisor of the connections and with it the desired connections: none at boot, all after a crash of
    /// their supervisor.
    #[allow(clippy::expect_used, reason = "a panic of a start function is an exit like any other")]
    fn start_connections(&self) -> Running {
        let desired = self.desired.lock().settings.enabled().cloned().collect::<Vec<_>>();
        let children = desired.into_iter().map(|settings| self.connection(settings)).collect();
        let supervisor: ConnectionSupervisor = Supervisor::without_escalation("connections", children)
            .expect("the settings have one connection for each number");
        let (status, crashes) = (self.status.clone(), self.status.clone());
        let supervisor = supervisor
            .on_crash(move |id, reason| crashes.update(*id, |report| report.crash = Some(Crash::now(reason))))
            .on_given_up(move |id, reason| give_up(&status, *id, reason));
        let (address, running) = fault_injection::run("connections", || supervisor.run());
        self.connection_supervisor.set(address);
        running
    }

    fn start_config(&self) -> Running {
        let tree = self.clone();
        let reconciler = Reconciler {
            supervisor: self.connection_supervisor.clone(),
            new_child: Arc::new(move |settings| tree.connection(settings)),
        };
        let config = Config::new(
            Arc::clone(&self.startup),
            self.level.clone(),
            self.desired.clone(),
            self.status.clone(),
            self.router.clone(),
            self.notifier_events.clone(),
            reconciler,
        );
        let (address, running) = fault_injection::run("config", || Running::actor(config));
        self.config.set(address.clone().recipient());
        self.config_reload_now.set(address.recipient());
        running
    }

    fn start_control(&self) -> Running {
        let control = Control::new(self.startup.socket.clone(), self.queries());
        fault_injection::run("control", || Running::actor(control)).1
    }

    /// One connection. Its supervisor keeps its settings, and starts it again with them after a crash.
    fn connection(&self, settings: ConnectionSettings) -> ConnectionChild {
        let spec = ChildSpec {
            id: settings.id,
            strategy: RestartStrategy::GiveUp(CONNECTION_INTENSITY),
            stop_limit: Some(shutdown::CONNECTION),
        };
        let (context, registry) = (self.context.clone(), self.connection_addresses.clone());
        let mut started_before = false;
        NewChild::with_settings(spec, settings, move |_, settings: &ConnectionSettings| {
            let id = settings.id;
            if std::mem::replace(&mut started_before, true) {
                context.status.update(id, |report| report.restarts += 1);
            }
            let start = || Running::actor(Connection::new(settings.clone(), context.clone()));
            let in_span = || connection_span(id, &settings.alias).in_scope(start);
            let (address, running) = fault_injection::run(format_args!("connection {id}"), in_span);
            registry.set(id, address.clone().recipient());
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
    status.set_status(id, Status::Error);
}

fails_in_tests!(ConnectionSupervisor);
