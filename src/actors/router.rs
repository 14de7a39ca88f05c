//! Decides on connection requests, and asks the notifier to notify the CWMP client of those that are granted.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseActFuture, WrapFuture};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::messages::{Announce, AuthorizeRequest, DiscoAccess, DiscoQuery, NotifyClient, Outcome, Rules, SetRules};
use super::registry::Slot;
use super::supervised::{stops_at_once, supervised};
use crate::config::model::{ConnectionId, General};
use crate::cwmp::authorize::{History, Refusal, Request, allowed_sender, decide};
use crate::cwmp::notify::command::NotifyContext;
use crate::cwmp::notify::error::NotifyError;
use crate::cwmp::sender::sender_name;
use crate::notice;
use crate::status::{Stats, StatusTable};

/// The actor that decides.
pub struct Router {
    rules: Rules,
    history: Arc<Mutex<History>>,
    status: StatusTable,
    notifier: Slot<Recipient<NotifyClient>>,
    events: Slot<Recipient<Announce>>,
    /// Requests that share the notification in progress; empty if there is none.
    waiting: Vec<oneshot::Sender<Result<(), NotifyError>>>,
}

impl Router {
    /// A router that decides by `rules` and `history`. The history outlives it, so that a restart ends no lock-out and no limit.
    /// The outcome of each request is counted in the status table even if its connection is gone.
    #[must_use]
    pub fn new(
        rules: Rules,
        history: Arc<Mutex<History>>,
        status: StatusTable,
        notifier: Slot<Recipient<NotifyClient>>,
        events: Slot<Recipient<Announce>>,
    ) -> Self {
        Self { rules, history, status, notifier, events, waiting: Vec::new() }
    }

    fn decide(&self, request: &Request) -> Result<(), Refusal> {
        let (general, credentials) = (&self.rules.general, self.rules.credentials.as_ref());
        let under_way = !self.waiting.is_empty();
        // The history is valid even after a panic.
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        decide(general, credentials, &mut history, request, under_way, Instant::now())
    }

    /// Counts the outcome of a request and announces it.
    fn record(&self, connection: ConnectionId, from: &str, outcome: &'static str, count: impl FnOnce(&mut Stats)) {
        self.status.update(connection, |report| count(&mut report.stats));
        self.events.do_send(Announce::Request { connection, from: from.to_owned(), outcome });
    }

    /// Notifies the CWMP client and sends the result to all requests that wait for it.
    fn notify(&self, context: NotifyContext, ctx: &mut Context<Self>) {
        let General { notify, notify_timeout, .. } = &self.rules.general;
        let notified = self.notifier.send(NotifyClient { notify: notify.clone(), limit: *notify_timeout, context });
        ctx.spawn(notified.into_actor(self).map(|notified, router, _| {
            let notified = notified.unwrap_or(Err(NotifyError::NoNotifier));
            for request in router.waiting.drain(..) {
                // The receiver is gone if the connection is.
                let _ = request.send(notified.clone());
            }
        }));
    }
}

impl Actor for Router {
    type Context = Context<Self>;
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
        let AuthorizeRequest { request, alias, span } = message;
        let from = sender_name(request.from.as_deref(), &request.account).to_owned();
        let id = request.connection;
        if let Err(refusal) = self.decide(&request) {
            self.record(id, &from, Stats::name_of(refusal), |stats| stats.count(refusal));
            notice!(parent: &span, "connection request from {from} refused: {refusal}");
            return Box::pin(async move { Outcome::Refused(refusal) }.into_actor(self));
        }
        let (result, notified) = oneshot::channel();
        self.waiting.push(result);
        if self.waiting.len() == 1 {
            let context = NotifyContext { connection: id.to_string(), alias, from: from.clone() };
            self.notify(context, ctx);
        }
        let notified = async move { notified.await.unwrap_or(Err(NotifyError::NoNotifier)) };
        Box::pin(notified.into_actor(self).map(move |notified, router, _| match notified {
            Ok(()) => {
                router.record(id, &from, "accepted", |stats| stats.accepted += 1);
                notice!(parent: &span, "connection request from {from} accepted, the CWMP client was notified");
                Outcome::Accepted
            }
            Err(error) => {
                router.record(id, &from, "notify_failed", |stats| stats.notify_failed += 1);
                notice!(parent: &span, "connection request from {from} failed: {error}");
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
            allowed: allowed_sender(&general.allowed, query.from.as_deref(), &query.account).is_ok(),
            accepts_requests: general.accepts_requests.contains(&query.connection),
        })
    }
}

supervised!(Router);
stops_at_once!(Router, "router");
