//! A child that fails in every way an actor can, and reports its starts and ends.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{
    Actor, ActorContext, Addr, AsyncContext, AtomicResponse, Context, Handler, Message, ResponseActFuture,
    Running as Actix, StreamHandler, WrapFuture,
};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use crate::{
    blocking::blocking,
    supervision::{
        lifecycle::{Heartbeat, Stop},
        messages::{Children, NewChild},
        running::Running,
        spec::{ChildSpec, ChildStatus, ExitReason, Incarnation, Intensity, RestartStrategy},
        supervisor::Supervisor,
    },
    testing::soon,
};

pub(super) const STOP_LIMIT: Duration = Duration::from_secs(2);
pub(super) const PERIOD: Duration = Duration::from_secs(10);

pub(super) type Id = &'static str;

/// How a worker behaves from its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Habit {
    #[default]
    Good,
    PanicInStarted,
    PanicOnStop,
    PanicInStopping,
    IgnoreStop,
    /// Ignores [`Stop`], and panics when it is killed.
    DieHard,
}

/// Makes a worker fail or end now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Panic,
    PanicInFuture,
    PanicInResponse,
    PanicInAtomicResponse,
    PanicInThread,
    PanicInStream,
    Freeze,
    /// Waits for this time, and handles no messages meanwhile.
    Wait(Duration),
    End,
}

impl Message for Order {
    type Result = ();
}

struct Worker {
    name: String,
    habit: Habit,
    journal: mpsc::UnboundedSender<String>,
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let _ = self.journal.send(format!("+{}", self.name));
        assert!(self.habit != Habit::PanicInStarted, "in started");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Actix {
        assert!(!matches!(self.habit, Habit::PanicInStopping | Habit::DieHard), "in stopping");
        Actix::Stop
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.journal.send(format!("-{}", self.name));
    }
}

/// Panics when it is awaited.
async fn late(message: &'static str) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    panic!("{message}");
}

impl Handler<Order> for Worker {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, order: Order, ctx: &mut Self::Context) -> Self::Result {
        match order {
            Order::Panic => panic!("in a handler"),
            Order::PanicInFuture => _ = ctx.spawn(late("in a future").into_actor(self)),
            Order::PanicInResponse => return Box::pin(late("in a response").into_actor(self)),
            Order::PanicInAtomicResponse => ctx.notify(Atomically),
            Order::PanicInThread => {
                let work = async { blocking(|| panic!("in a thread")).await.unwrap() };
                return Box::pin(work.into_actor(self));
            }
            Order::PanicInStream => _ = ctx.add_stream(Box::pin(late("in a stream").into_stream())),
            Order::Freeze => ctx.wait(std::future::pending().into_actor(self)),
            Order::Wait(time) => ctx.wait(tokio::time::sleep(time).into_actor(self)),
            Order::End => ctx.stop(),
        }
        Box::pin(async {}.into_actor(self))
    }
}

impl StreamHandler<()> for Worker {
    fn handle(&mut self, (): (), _: &mut Self::Context) {}
}

struct Atomically;

impl Message for Atomically {
    type Result = ();
}

impl Handler<Atomically> for Worker {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Atomically, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(late("in an atomic response").into_actor(self)))
    }
}

impl Handler<Stop> for Worker {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        assert!(self.habit != Habit::PanicOnStop, "on stop");
        if !matches!(self.habit, Habit::IgnoreStop | Habit::DieHard) {
            ctx.stop();
        }
    }
}

impl Handler<Heartbeat> for Worker {
    type Result = ();

    fn handle(&mut self, heartbeat: Heartbeat, _: &mut Self::Context) {
        heartbeat.answer();
    }
}

/// Makes workers.
#[derive(Clone)]
pub(super) struct Maker {
    addresses: Arc<Mutex<HashMap<Id, Addr<Worker>>>>,
    journal: mpsc::UnboundedSender<String>,
}

impl Maker {
    /// A worker that escalates.
    pub(super) fn worker(&self, id: Id) -> NewChild<Id> {
        self.child(spec(id), |_| Habit::Good)
    }

    pub(super) fn workers<const N: usize>(&self, ids: [Id; N]) -> Vec<NewChild<Id>> {
        ids.into_iter().map(|id| self.worker(id)).collect()
    }

    pub(super) fn child(
        &self,
        spec: ChildSpec<Id>,
        habit: impl Fn(Incarnation) -> Habit + Send + 'static,
    ) -> NewChild<Id> {
        let (id, maker) = (spec.id, self.clone());
        NewChild::new(spec, move |incarnation| {
            let name = format!("{id}{incarnation}");
            let worker = Worker { name, habit: habit(incarnation), journal: maker.journal.clone() };
            let (address, running) = Running::actor(worker);
            maker.addresses.lock().unwrap().insert(id, address);
            running
        })
    }
}

/// Gives the workers orders, and reads their reports: `+a#1` when `a` is started as #1, `-a#1` when it is gone.
pub(super) struct Bench {
    maker: Maker,
    reports: mpsc::UnboundedReceiver<String>,
}

impl Deref for Bench {
    type Target = Maker;

    fn deref(&self) -> &Maker {
        &self.maker
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let (journal, reports) = mpsc::unbounded_channel();
        Self { maker: Maker { addresses: Arc::default(), journal }, reports }
    }

    pub(super) fn maker(&self) -> Maker {
        self.maker.clone()
    }

    pub(super) fn order(&self, id: Id, order: Order) {
        self.addresses.lock().unwrap()[id].do_send(order);
    }

    /// Waits for exactly these reports, in this order.
    pub(super) async fn hears<const N: usize>(&mut self, expected: [&str; N]) {
        for (at, expected) in expected.into_iter().enumerate() {
            let report = soon(self.reports.recv()).await.unwrap();
            assert_eq!(report, expected, "at {at}");
        }
    }

    /// Fails if there is a report within a minute.
    pub(super) async fn hears_nothing(&mut self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(self.reports.try_recv().ok(), None);
    }
}

/// A child that escalates and has two seconds to stop.
pub(super) fn spec(id: Id) -> ChildSpec<Id> {
    ChildSpec { id, strategy: RestartStrategy::Escalate, stop_limit: Some(STOP_LIMIT) }
}

/// A child that is given up after so many exits and one more.
pub(super) fn budgeted(id: Id, exits: u32) -> ChildSpec<Id> {
    ChildSpec { strategy: RestartStrategy::GiveUp(intensity(exits)), ..spec(id) }
}

pub(super) fn intensity(exits: u32) -> Intensity {
    Intensity { exits, period: PERIOD }
}

pub(super) fn panicked(message: &str) -> ExitReason {
    ExitReason::Panicked(message.to_owned())
}

pub(super) async fn children(supervisor: &Addr<Supervisor<Id>>) -> Vec<ChildStatus<Id>> {
    soon(supervisor.send(Children::default())).await.unwrap().into_iter().map(|(child, ())| child).collect()
}
