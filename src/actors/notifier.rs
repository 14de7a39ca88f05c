//! Owns the connection to ubus: notifies the CWMP client, one notification at a time, publishes the object `xmppd`, and
//! sends events.

mod events;
mod object;

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, StreamHandler, WrapFuture,
};
use futures_util::stream::unfold;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::events::Events;
use self::object::{OBJECT, answer};
use super::messages::{Announce, NotifyClient};
use super::queries::Queries;
use super::supervised::{stops_at_once, supervised};
use crate::config::model::Notify;
use crate::cwmp::notify::error::NotifyError;
use crate::cwmp::notify::{command, ubus as cwmp_ubus};
use crate::status::StatusTable;
use crate::ubus::{self, BusState, Client, Incoming, Sockets};

/// The actor that owns the connection to ubus and runs the program of `notify_command`.
pub struct Notifier {
    sockets: Sockets,
    queries: Queries,
    status: StatusTable,
    client: Option<Client>,
    events: Events,
    /// One notification at a time, also after a restart of the router, which does not know of one that its predecessor
    /// began. An atomic response would do, but would also stop the work of the client.
    turn: Arc<Semaphore>,
}

impl Notifier {
    /// An actor that connects to one of these sockets, answers what is asked there by `queries`, and shows in the status
    /// whether it is connected.
    #[must_use]
    pub fn new(sockets: Sockets, queries: Queries, status: StatusTable) -> Self {
        let (events, turn) = (Events::default(), Arc::new(Semaphore::new(1)));
        Self { sockets, queries, status, client: None, events, turn }
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (client, work, requests) = ubus::client(self.sockets.clone(), OBJECT);
        let states = client.states();
        self.client = Some(client);
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| ctx.stop()));
        ctx.add_stream(Box::pin(unfold(requests, |mut requests| async move {
            let request = requests.recv().await?;
            Some((request, requests))
        })));
        ctx.add_stream(Box::pin(unfold(states, |mut states| async move {
            states.changed().await.ok()?;
            let state = states.borrow_and_update().clone();
            Some((state, states))
        })));
    }
}

/// The connection to `ubusd` came up or was lost.
impl StreamHandler<BusState> for Notifier {
    fn handle(&mut self, state: BusState, _: &mut Context<Self>) {
        self.status.update_daemon(|daemon| daemon.set_bus(state));
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

/// A peer calls a method of the object.
impl StreamHandler<Incoming> for Notifier {
    fn handle(&mut self, Incoming { method, arguments, answer: to }: Incoming, ctx: &mut Context<Self>) {
        let queries = self.queries.clone();
        let work = async move {
            // It fails if the connection is gone, and the caller with it.
            let _ = to.send(answer(queries, &method, &arguments).await);
        };
        ctx.spawn(work.into_actor(self));
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Announce> for Notifier {
    type Result = ();

    fn handle(&mut self, what: Announce, _: &mut Context<Self>) {
        if let Some(client) = &self.client {
            self.events.announce(&what, Instant::now(), |id, data| client.event(id, data));
        }
    }
}

impl Handler<NotifyClient> for Notifier {
    type Result = ResponseActFuture<Self, Result<(), NotifyError>>;

    fn handle(&mut self, message: NotifyClient, _: &mut Context<Self>) -> Self::Result {
        let NotifyClient { notify, limit, context } = message;
        let (client, turn) = (self.client.clone(), Arc::clone(&self.turn));
        let run = async move {
            let _turn = turn.acquire().await;
            match (notify, client) {
                (Notify::Ubus, Some(client)) => cwmp_ubus::notify(&client, limit).await,
                (Notify::Ubus, None) => Err(NotifyError::NoNotifier),
                (Notify::Command(words), _) => command::run(&words, &context, limit).await,
            }
        };
        Box::pin(run.into_actor(self))
    }
}

supervised!(Notifier);
stops_at_once!(Notifier, "notifier");
