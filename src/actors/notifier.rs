//! Notifies the CWMP client, one notification at a time.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture};
use tokio::sync::Semaphore;

use super::fault_injection;
use super::messages::NotifyClient;
use crate::config::model::Notify;
use crate::cwmp::inform::inform;
use crate::cwmp::notify::{self, NotifyError};
use crate::ubus::{self, Client, Object, Sockets};

/// What xmppd publishes on ubus.
const OBJECT: Object = Object { path: "xmppd", methods: &[] };

/// The actor that owns the connection to ubus and runs the program of `notify_command`.
pub struct Notifier {
    sockets: Sockets,
    client: Option<Client>,
    /// One notification at a time, also after a restart of the router, which does not know of one that its predecessor
    /// began. An atomic response would do, but would also stop the work of the client.
    turn: Arc<Semaphore>,
}

impl Notifier {
    /// An actor that connects to one of these sockets.
    #[must_use]
    pub fn new(sockets: Sockets) -> Self {
        Self { sockets, client: None, turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&"notifier", ctx);
        fault_injection::start(&"notifier");
        let (client, work, _requests) = ubus::client(self.sockets.clone(), OBJECT);
        self.client = Some(client);
        ctx.spawn(work.into_actor(self).map(|(), _, ctx| ctx.stop()));
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
                (Notify::Ubus, Some(client)) => inform(&client, limit).await,
                (Notify::Ubus, None) => Err(NotifyError::NoNotifier),
                (Notify::Command(words), _) => notify::run(&words, &context, limit).await,
            }
        };
        let run = fault_injection::at_work(&"notifier", run);
        Box::pin(run.into_actor(self))
    }
}

super::stops_at_once!(Notifier, "notifier");
fault_injection::handles_crash!(Notifier);
