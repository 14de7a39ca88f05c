//! Tells the CWMP client, never twice at once: requests that arrive while it is being told share the outcome.

use actix::{Actor, AtomicResponse, Context, Handler, Message, WrapFuture};
use std::time::Duration;

use crate::config::model::Notify;
use crate::cwmp::notify::{self, NotifyError, Occasion};

/// Tell the CWMP client of a connection request. The router sends the next one when it has the outcome of the last.
pub struct Tell {
    /// How.
    pub notify: Notify,
    /// At most so long.
    pub limit: Duration,
    /// For whom.
    pub occasion: Occasion,
}

impl Message for Tell {
    type Result = Result<(), NotifyError>;
}

/// The actor that runs the program.
pub struct Notifier;

impl Actor for Notifier {
    type Context = Context<Self>;

    #[cfg(feature = "test-hooks")]
    fn started(&mut self, _: &mut Context<Self>) {
        super::hooks::started("notifier");
    }
}

impl Handler<Tell> for Notifier {
    type Result = AtomicResponse<Self, Result<(), NotifyError>>;

    /// One at a time, also when a router that was restarted does not know what its predecessor began.
    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) -> Self::Result {
        let Tell { notify, limit, occasion } = tell;
        let run = async move { notify::run(&notify, &occasion, limit).await };
        #[cfg(feature = "test-hooks")]
        let run = super::hooks::at_work("notifier".to_owned(), run);
        AtomicResponse::new(Box::pin(run.into_actor(self)))
    }
}

super::stops_at_once!(Notifier, "notifier");
super::crashes_when_told!(Notifier);
