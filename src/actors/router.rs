//! Decides on connection requests and dispatches those that are granted to the notifier.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use jid::BareJid;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::notifier::{Notifier, Tell};
use crate::config::model::{ConnectionId, General};
use crate::cwmp::authorize::{Decision, History, Refusal, Request, accepts, allowed_sender, decide};
use crate::cwmp::credentials::Credentials;
use crate::cwmp::notify::{NotifyError, Occasion};
use crate::notice;
use crate::status::{Stats, StatusTable};

/// What the router goes by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Section `config xmpp 'xmpp'`.
    pub general: General,
    /// `/etc/config/cwmp`; none = not configured.
    pub credentials: Option<Credentials>,
}

/// New rules. They hold for the next request.
pub struct SetRules(pub Rules);

impl Message for SetRules {
    type Result = ();
}

/// A connection request.
pub struct Ask {
    /// The request.
    pub request: Request,
    /// `con_alias` of the connection, for the log and the program.
    pub alias: String,
}

/// How a connection request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The CWMP client was told.
    Accepted,
    /// It was not told, and why.
    Refused(Refusal),
    /// It could not be told.
    NotifyFailed(NotifyError),
}

impl Message for Ask {
    type Result = Outcome;
}

/// Who may know that there is a CPE here (disco#info): an allowed sender alone.
pub struct MayKnow {
    /// The connection.
    pub connection: ConnectionId,
    /// The account that was asked.
    pub account: BareJid,
    /// The sender.
    pub from: Option<String>,
}

/// The answer to [`MayKnow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knowledge {
    /// The sender is allowed.
    pub allowed: bool,
    /// The connection takes connection requests.
    pub takes_requests: bool,
}

impl Message for MayKnow {
    type Result = Option<Knowledge>;
}

/// The actor that decides.
pub struct Router {
    rules: Rules,
    /// It outlives the router.
    history: Arc<Mutex<History>>,
    board: StatusTable,
    notifier: Addr<Notifier>,
    /// Who shares the notification that is under way; nobody if none is.
    waiting: Vec<oneshot::Sender<Result<(), NotifyError>>>,
}

impl Router {
    /// A router that goes by these rules and by what was asked before. How each request went is counted on the board,
    /// whether or not the connection is still there to answer it.
    #[must_use]
    pub fn new(rules: Rules, notifier: Addr<Notifier>, history: Arc<Mutex<History>>, board: StatusTable) -> Self {
        Self { rules, history, board, notifier, waiting: Vec::new() }
    }

    fn decide(&self, request: &Request) -> Decision {
        let (general, credentials) = (&self.rules.general, self.rules.credentials.as_ref());
        let under_way = !self.waiting.is_empty();
        // What was noted before a panic is as good as it was.
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        decide(general, credentials, &mut history, request, under_way, Instant::now())
    }

    fn count(&self, connection: ConnectionId, count: impl FnOnce(&mut Stats)) {
        self.board.update(connection, |report| count(&mut report.stats));
    }

    /// Has the CWMP client told; all who wait then get the outcome.
    fn tell(&self, occasion: Occasion, ctx: &mut Context<Self>) {
        let General { notify, notify_timeout, .. } = &self.rules.general;
        let tell = Tell { notify: notify.clone(), limit: *notify_timeout, occasion };
        let told = self.notifier.send(tell);
        ctx.spawn(told.into_actor(self).map(|told, router, _| {
            let told = told.unwrap_or(Err(NotifyError::NoNotifier));
            for share in router.waiting.drain(..) {
                // Whoever asked may have gone; the CWMP client was told all the same.
                let _ = share.send(told.clone());
            }
        }));
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    #[cfg(feature = "test-hooks")]
    fn started(&mut self, _: &mut Context<Self>) {
        super::hooks::started("router");
    }
}

impl Handler<SetRules> for Router {
    type Result = ();

    fn handle(&mut self, SetRules(rules): SetRules, _: &mut Context<Self>) {
        self.rules = rules;
    }
}

impl Handler<Ask> for Router {
    type Result = ResponseActFuture<Self, Outcome>;

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Self::Result {
        let Ask { request, alias } = ask;
        let from = request.from.clone().unwrap_or_else(|| request.account.to_string());
        let id = request.connection;
        if let Decision::Refuse(refusal) = self.decide(&request) {
            self.count(id, |stats| stats.count(refusal));
            notice!("connection {id} ({alias}): connection request from {from} refused: {}", refusal.reason());
            return Box::pin(async move { Outcome::Refused(refusal) }.into_actor(self));
        }
        let (share, told) = oneshot::channel();
        self.waiting.push(share);
        if self.waiting.len() == 1 {
            let occasion = Occasion { connection: id.to_string(), alias: alias.clone(), from: from.clone() };
            self.tell(occasion, ctx);
        }
        let told = async move { told.await.unwrap_or(Err(NotifyError::NoNotifier)) };
        #[cfg(feature = "test-hooks")]
        let told = super::hooks::at_work("router".to_owned(), told);
        Box::pin(told.into_actor(self).map(move |told, router, _| match told {
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

impl Handler<MayKnow> for Router {
    type Result = Option<Knowledge>;

    fn handle(&mut self, ask: MayKnow, _: &mut Context<Self>) -> Self::Result {
        let general = &self.rules.general;
        Some(Knowledge {
            allowed: allowed_sender(&general.allowed, ask.from.as_deref(), &ask.account).is_some(),
            takes_requests: accepts(&general.accepting, ask.connection),
        })
    }
}

super::stops_at_once!(Router, "router");
super::crashes_when_told!(Router);
