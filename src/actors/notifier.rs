//! Notifies the CWMP client, one notification at a time.

use actix::{Actor, AtomicResponse, Context, Handler, WrapFuture};

use super::fault_injection;
use super::messages::NotifyClient;
use crate::cwmp::notify::{self, NotifyError};

/// The actor that runs the program.
pub struct Notifier;

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&"notifier", ctx);
        fault_injection::start(&"notifier");
    }
}

impl Handler<NotifyClient> for Notifier {
    type Result = AtomicResponse<Self, Result<(), NotifyError>>;

    /// One at a time, also after a restart of the router, which does not know of a notification that its predecessor began.
    fn handle(&mut self, message: NotifyClient, _: &mut Context<Self>) -> Self::Result {
        let NotifyClient { notify, limit, context } = message;
        let run = async move { notify::run(&notify, &context, limit).await };
        let run = fault_injection::at_work(&"notifier", run);
        AtomicResponse::new(Box::pin(run.into_actor(self)))
    }
}

super::stops_at_once!(Notifier, "notifier");
fault_injection::handles_crash!(Notifier);
