//! The supervision tree: who lives in the house, and who is restarted with whom.
//!
//! ```text
//! root (rest_for_one)
//! |- notifier
//! |- router          asks the notifier
//! |- connections     (one_for_one) each asks the router
//! |  |- connection 1
//! |  `- ...
//! |- config          tells the connections and the router what is to be
//! `- control         asks everybody
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::connection::{Connection, ConnectionContext};
use super::control::Control;
use super::house::{Connections, House};
use super::notifier::Notifier;
use super::router::{Router, Rules};
use crate::config::model::{ConnectionId, Settings};
use crate::shutdown;
use crate::status::Status;
use crate::supervision::{
    Child, ChildSpec, ExitReason, Incarnation, Intensity, RestartType, Running, Shutdown, Strategy, SupervisionError,
    Supervisor,
};

/// Exits of the actors at the root within [`PERIOD`] before the process ends, for procd to start it anew.
const ROOT_EXITS: u32 = 10;
/// Exits of one connection within [`PERIOD`] before it is given up.
const CONNECTION_EXITS: u32 = 5;
const PERIOD: Duration = Duration::from_secs(60);

/// Actors that hold nothing open stop at once.
const PROMPT: Duration = Duration::from_millis(500);

/// The supervisor at the root.
///
/// # Errors
/// None in practice: the children's names differ.
pub fn root(house: &House) -> Result<Supervisor<&'static str>, SupervisionError<&'static str>> {
    let intensity = Intensity { exits: ROOT_EXITS, period: PERIOD };
    let children = vec![
        child("notifier", house, notifier),
        child("router", house, router),
        Child::new(spec("connections", Shutdown::Unlimited), starting(house, connections)),
        child("config", house, config),
        child("control", house, control),
    ];
    Supervisor::new("root", Strategy::RestForOne, intensity, children)
}

fn spec<Id>(id: Id, shutdown: Shutdown) -> ChildSpec<Id> {
    ChildSpec { id, restart: RestartType::Permanent, shutdown, budget: None }
}

fn child(id: &'static str, house: &House, start: fn(&House) -> Running) -> Child<&'static str> {
    Child::new(spec(id, Shutdown::Within(PROMPT)), starting(house, start))
}

fn starting(house: &House, start: fn(&House) -> Running) -> impl FnMut(Incarnation) -> Running + Send + 'static {
    let house = house.clone();
    move |_| start(&house)
}

fn notifier(house: &House) -> Running {
    let (address, running) = Running::actor(Notifier);
    house.rooms().notifier = Some(address);
    running
}

// Children are started in order, so that the address of an earlier one is always there; where it is not, the panic is an
// exit like any other, and the supervisor deals with it.

#[allow(clippy::expect_used, reason = "its panic is an exit like any other")]
fn router(house: &House) -> Running {
    let notifier = house.rooms().notifier.clone().expect("the notifier is started before the router");
    let (address, running) =
        Running::actor(Router::new(Rules::default(), notifier, Arc::clone(&house.history), house.board.clone()));
    house.rooms().router = Some(address);
    running
}

#[allow(clippy::expect_used, reason = "its panic is an exit like any other")]
fn connections(house: &House) -> Running {
    #[cfg(feature = "test-hooks")]
    super::hooks::started("connections");
    // No connection counts against it: each has a budget of its own.
    let intensity = Intensity { exits: ROOT_EXITS, period: PERIOD };
    let supervisor = Supervisor::<ConnectionId>::new("connections", Strategy::OneForOne, intensity, Vec::new())
        .expect("no children, no names that are the same");
    let given_up = house.clone();
    let supervisor: Connections = supervisor.on_given_up(move |id, reason| {
        given_up.rooms().given_up.insert(*id);
        given_up.board.update(*id, |report| {
            report.error = Some(format!("given up: {reason}"));
            report.tls = false;
            report.next = None;
        });
        given_up.board.enter(*id, Status::Error);
    });
    let (address, running) = supervisor.run();
    let mut rooms = house.rooms();
    rooms.connections = Some(address);
    // A new supervisor has no children: what runs is a difference from nothing again.
    rooms.connection.clear();
    rooms.given_up.clear();
    rooms.running = Settings { connections: BTreeMap::default(), ..rooms.running.clone() };
    running
}

fn config(house: &House) -> Running {
    let (address, running) = Running::actor(Config::new(house.clone()));
    house.rooms().config = Some(address);
    running
}

fn control(house: &House) -> Running {
    let (address, running) = Running::actor(Control::new(house.clone()));
    #[cfg(feature = "test-hooks")]
    house.rooms().control.replace(address);
    #[cfg(not(feature = "test-hooks"))]
    drop(address);
    running
}

/// One connection. Its settings are those of the moment when it is started, or started again; if it is not meant to run
/// any more by then, it ends at once, and its removal is on its way.
///
/// # Panics
/// This does not; the start function in it would without a router, and the supervisor takes that for the child's exit.
#[must_use]
pub fn connection(house: House, id: ConnectionId) -> Child<ConnectionId> {
    let spec = ChildSpec {
        id,
        restart: RestartType::Transient,
        shutdown: Shutdown::Within(shutdown::CONNECTION),
        budget: Some(Intensity { exits: CONNECTION_EXITS, period: PERIOD }),
    };
    #[allow(clippy::expect_used, reason = "its panic is an exit like any other")]
    let start = move |_| {
        let mut rooms = house.rooms();
        let running = &rooms.running;
        let wanted = running.connections.get(&id).filter(|settings| running.general.enable && settings.enable);
        let Some(settings) = wanted.cloned() else {
            return Running::new(actix_rt::spawn(async { ExitReason::Normal }), || ());
        };
        let router = rooms.router.clone().expect("the router is started before the connections");
        let context = ConnectionContext { router, status: house.board.clone(), resolver: Arc::clone(&house.resolver) };
        let (address, running) = Running::actor(Connection::new(settings, context));
        rooms.connection.insert(id, address);
        running
    };
    Child::new(spec, start)
}
