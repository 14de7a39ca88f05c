//! Tells the CWMP client, never twice at once: requests that arrive while it is being told share the outcome.

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use std::time::Duration;
use tokio::sync::oneshot;

use crate::config::model::Notify;
use crate::cwmp::notify::{self, NotifyError, Occasion};

/// Tell the CWMP client of a connection request.
pub struct Tell {
    /// How.
    pub notify: Notify,
    /// At most so long.
    pub limit: Duration,
    /// For whom.
    pub occasion: Occasion,
    /// Where the outcome goes.
    pub outcome: oneshot::Sender<Result<(), NotifyError>>,
}

impl Message for Tell {
    type Result = ();
}

/// The actor that runs the program.
#[derive(Default)]
pub struct Notifier {
    /// Who waits for the program that is running; nobody if none is.
    waiting: Vec<oneshot::Sender<Result<(), NotifyError>>>,
}

impl Actor for Notifier {
    type Context = Context<Self>;
}

impl Handler<Tell> for Notifier {
    type Result = ();

    fn handle(&mut self, tell: Tell, ctx: &mut Context<Self>) {
        let Tell { notify, limit, occasion, outcome } = tell;
        self.waiting.push(outcome);
        if self.waiting.len() > 1 {
            return;
        }
        let run = async move { notify::run(&notify, &occasion, limit).await };
        ctx.spawn(run.into_actor(self).map(|outcome, notifier, _| {
            for waiting in notifier.waiting.drain(..) {
                // Whoever asked may have gone; the CWMP client was told all the same.
                let _ = waiting.send(outcome.clone());
            }
        }));
    }
}

super::stops_at_once!(Notifier);
super::crashes_when_told!(Notifier);
