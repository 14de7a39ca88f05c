//! Decides on connection requests, and has the notifier carry out those that are granted.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseActFuture, WrapFuture};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::fault_injection;
use super::messages::{AuthorizeRequest, DiscoAccess, DiscoQuery, NotifyClient, Outcome, Rules, SetRules};
use super::registry::Slot;
use crate::config::model::{ConnectionId, General};
use crate::cwmp::authorize::{Decision, History, Request, accepts, allowed_sender, decide};
use crate::cwmp::notify::{NotifyContext, NotifyError};
use crate::notice;
use crate::status::{Stats, StatusTable};

/// The actor that decides.
pub struct Router {
    rules: Rules,
    history: Arc<Mutex<History>>,
    status: StatusTable,
    notifier: Slot<Recipient<NotifyClient>>,
    /// Requests that share the notification that is under way; empty if there is none.
    waiting: Vec<oneshot::Sender<Result<(), NotifyError>>>,
}

impl Router {
    /// A router that decides by `rules` and by the `history`, which outlives it: a restart ends no lock-out and no limit.
    /// The outcome of each request is counted in the status table, also if its connection is gone by then.
    #[must_use]
    pub fn new(
        rules: Rules,
        history: Arc<Mutex<History>>,
        status: StatusTable,
        notifier: Slot<Recipient<NotifyClient>>,
    ) -> Self {
        Self { rules, history, status, notifier, waiting: Vec::new() }
    }

    fn decide(&self, request: &Request) -> Decision {
        let (general, credentials) = (&self.rules.general, self.rules.credentials.as_ref());
        let under_way = !self.waiting.is_empty();
        // A panic leaves the history usable.
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        decide(general, credentials, &mut history, request, under_way, Instant::now())
    }

    fn count(&self, connection: ConnectionId, count: impl FnOnce(&mut Stats)) {
        self.status.update(connection, |report| count(&mut report.stats));
    }

    /// Notifies the CWMP client and gives the result to all requests that wait for it.
    fn notify(&self, context: NotifyContext, ctx: &mut Context<Self>) {
        let General { notify, notify_timeout, .. } = &self.rules.general;
        let notified = self.notifier.send(NotifyClient { notify: notify.clone(), limit: *notify_timeout, context });
        ctx.spawn(notified.into_actor(self).map(|notified, router, _| {
            let notified = notified.unwrap_or(Err(NotifyError::NoNotifier));
            for request in router.waiting.drain(..) {
                // It fails if the connection is gone, which does not matter here.
                let _ = request.send(notified.clone());
            }
        }));
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&"router", ctx);
        fault_injection::start(&"router");
    }
}

impl Handler<SetRules> for Router {
    type Result = ();

    fn handle(&mut self, SetRules(rules): SetRules, _: &mut Context<Self>) {
        self.rules = rules;
    }
}

impl Handler<AuthorizeRequest> for Router {
    type Result = ResponseActFuture<Self, Outcome>;

    fn handle(&mut self, message: AuthorizeRequest, ctx: &mut Context<Self>) -> Self::Result {
        let AuthorizeRequest { request, alias } = message;
        let from = request.from.clone().unwrap_or_else(|| request.account.to_string());
        let id = request.connection;
        if let Decision::Refuse(refusal) = self.decide(&request) {
            self.count(id, |stats| stats.count(refusal));
            notice!("connection {id} ({alias}): connection request from {from} refused: {}", refusal.reason());
            return Box::pin(async move { Outcome::Refused(refusal) }.into_actor(self));
        }
        let (result, notified) = oneshot::channel();
        self.waiting.push(result);
        if self.waiting.len() == 1 {
            let context = NotifyContext { connection: id.to_string(), alias: alias.clone(), from: from.clone() };
            self.notify(context, ctx);
        }
        let notified = async move { notified.await.unwrap_or(Err(NotifyError::NoNotifier)) };
        let notified = fault_injection::at_work(&"router", notified);
        Box::pin(notified.into_actor(self).map(move |notified, router, _| match notified {
            Ok(()) => {
                router.count(id, |stats| stats.accepted += 1);
                notice!("connection {id} ({alias}): connection request from {from} accepted, the CWMP client is told");
                Outcome::Accepted
            }
            Err(error) => {
                router.count(id, |stats| stats.notify_failed += 1);
                notice!("connection {id} ({alias}): connection request from {from} failed: {error}");
                Outcome::NotifyFailed(error)
            }
        }))
    }
}

impl Handler<DiscoQuery> for Router {
    type Result = Option<DiscoAccess>;

    fn handle(&mut self, query: DiscoQuery, _: &mut Context<Self>) -> Self::Result {
        let general = &self.rules.general;
        Some(DiscoAccess {
            allowed: allowed_sender(&general.allowed, query.from.as_deref(), &query.account).is_some(),
            takes_requests: accepts(&general.accepting, query.connection),
        })
    }
}

super::stops_at_once!(Router, "router");
fault_injection::handles_crash!(Router);
