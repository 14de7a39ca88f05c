//! One connection: finds a server, logs in, stays online, and reconnects. It ends only when it is asked to stop.
//!
//! Its states, and the reasons for each wait and limit, are in `docs/connection.md`. `ServerSearch` decides which server is
//! attempted next and when; `Attempt` attempts it; `Online` answers what it sends. The actor carries out the transitions
//! between the states: it runs their futures and timers, and exchanges messages with the other actors.

mod attempting;
mod bound_resource;
pub mod context;
mod failure;
mod online;
mod outage;
mod pending_requests;
mod questions;
mod requests;
mod server_list;
mod server_search;
mod status_row;
mod suspended;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, SpawnHandle, StreamHandler, WrapFuture};
use futures_util::FutureExt;
use tokio::time::Instant;

use self::attempting::{Attempt, FailedAttempt, account, ascii_domain};
use self::bound_resource::BoundResource;
use self::context::ConnectionContext;
use self::online::Online;
use self::questions::Question;
use self::server_search::{AfterWait, ServerSearch, Transition};
use self::status_row::StatusRow;
use self::suspended::SuspendedStream;
use super::supervised::supervised;
use crate::config::model::ConnectionSettings;
use crate::status::Status;
use crate::xmpp::bind::SessionStart;
use crate::xmpp::established::{StreamEnd, StreamEvent};
use crate::xmpp::login::Session;
use crate::xmpp::resolve::{Query, ResolveError, resolve};
use crate::xmpp::servers::{ResolvedServer, ServerAddress};
use crate::xmpp::tls::{LazyTls, TlsSettings};

/// The actor of one connection.
pub struct Connection {
    settings: ConnectionSettings,
    context: ConnectionContext,
    row: StatusRow,
    search: ServerSearch,
    tls: LazyTls,
    state: State,
    /// A lost stream that is to be resumed.
    suspended: Option<SuspendedStream>,
    /// Number of resources bound so far.
    bind_count: u64,
}

enum State {
    Resolving,
    Attempting,
    Waiting { then: AfterWait, until: Instant, timer: SpawnHandle },
    Online { online: Box<Online>, session: SpawnHandle, keepalive_check: Option<SpawnHandle> },
    Closing,
}

impl Connection {
    /// A connection that begins when it is started.
    #[must_use]
    pub fn new(settings: ConnectionSettings, context: ConnectionContext) -> Self {
        // Not when it is started: that could undo what is reported about it in between.
        let row = StatusRow::begin(context.status.clone(), &settings);
        let tls_settings = TlsSettings { ca: settings.tls_ca.clone(), verify: settings.tls_verify };
        Self {
            row,
            search: ServerSearch::new(settings.retry),
            tls: LazyTls::new(tls_settings, context.trust.clone()),
            settings,
            context,
            state: State::Resolving,
            suspended: None,
            bind_count: 0,
        }
    }

    /// Carries out a transition.
    fn go(&mut self, transition: Transition, ctx: &mut Context<Self>) {
        match transition {
            Transition::Attempt => self.attempt(ctx),
            Transition::NextServer { error } => {
                self.row.update(|report| report.error = Some(error));
                self.attempt(ctx);
            }
            Transition::Redirect(target) => {
                self.resolve(Query::Targets(vec![target]), ServerSearch::redirect_resolved, ctx);
            }
            Transition::Reset => {
                self.tls.forget();
                self.begin_pass(ctx);
            }
            Transition::Wait { wait, then, failure } => {
                self.row.update(|report| report.error = Some(failure.error));
                self.row.set_status(failure.status);
                self.wait(wait, then, ctx);
            }
        }
    }

    fn begin_pass(&mut self, ctx: &mut Context<Self>) {
        let query = self.search.begin_pass(&self.settings, &ascii_domain(&self.settings));
        self.resolve(query, ServerSearch::resolved, ctx);
    }

    /// Looks servers up; `decide` says what follows.
    fn resolve(
        &mut self,
        query: Query,
        decide: fn(&mut ServerSearch, Result<Vec<ResolvedServer>, ResolveError>, &ConnectionSettings) -> Transition,
        ctx: &mut Context<Self>,
    ) {
        self.state = State::Resolving;
        self.row.set_status(Status::Connecting);
        let resolver = Arc::clone(&self.context.resolver);
        self.run(async move { resolve(query, &resolver).await }, ctx, move |connection, result, ctx| {
            let transition = decide(&mut connection.search, result, &connection.settings);
            connection.go(transition, ctx);
        });
    }

    /// Attempts the present server.
    fn attempt(&mut self, ctx: &mut Context<Self>) {
        let Some(server) = self.search.present().cloned() else { return self.begin_pass(ctx) };
        self.state = State::Attempting;
        let attempt = Attempt {
            pass: self.search.policy.pass(),
            account: account(&self.settings),
            tls: self.tls.clone(),
            management: self.suspended.as_ref().map(|suspended| Rc::clone(&suspended.resource.management)),
            row: self.row.clone(),
        };
        self.run(attempt.run(server), ctx, |connection, result, ctx| match result {
            Ok((session, address)) => connection.go_online(session, &address, ctx),
            Err(FailedAttempt { at, error }) => {
                connection.suspended = connection.suspended.take().and_then(|stream| stream.attempt_failed(&error));
                let transition = connection.search.attempt_failed(&at, &error, &connection.settings);
                connection.go(transition, ctx);
            }
        });
    }

    fn wait(&mut self, wait: Duration, then: AfterWait, ctx: &mut Context<Self>) {
        let until = Instant::now() + wait;
        let timer = ctx.run_later(wait, move |connection, ctx| match then {
            AfterWait::NextServer => connection.attempt(ctx),
            AfterWait::NewPass => connection.begin_pass(ctx),
        });
        self.state = State::Waiting { then, until, timer };
        self.row.update(|report| report.next = Some(until));
    }

    /// Shortens a present wait. Returns what remains of it.
    fn shorten_wait(&mut self, ctx: &mut Context<Self>) -> Option<Duration> {
        let State::Waiting { then, until, timer } = self.state else { return None };
        ctx.cancel_future(timer);
        let wait = self.search.shorten_wait(until.saturating_duration_since(Instant::now()));
        self.wait(wait, then, ctx);
        Some(wait)
    }

    fn go_online(&mut self, session: Session, address: &ServerAddress, ctx: &mut Context<Self>) {
        let (verb, resource) = match (&session.start, self.suspended.take()) {
            (SessionStart::Bound { jid, manageable }, _) => {
                self.bind_count += 1;
                ("online", BoundResource::new(jid.clone(), *manageable, self.bind_count, self.row.clone()))
            }
            (SessionStart::Resumed { .. }, Some(suspended)) => ("stream resumed", suspended.resource),
            // It does not happen: only a suspended resource is offered for resumption.
            (SessionStart::Resumed { .. }, None) => return self.begin_pass(ctx),
        };
        let recovery = self.search.online();
        crate::notice!("{verb} as {} at {address} ({}){recovery}", resource.jid, session.description);
        self.row.set_jid(&resource.jid.to_string());
        self.row.update(|report| {
            report.tls = session.tls;
            report.next = None;
            report.error = None;
        });
        self.row.set_status(Status::Enabled);
        let (online, events) = Online::begin(session, resource, self.settings.keepalive);
        let session = ctx.add_stream(Box::pin(events));
        self.state = State::Online { online: Box::new(online), session, keepalive_check: None };
        self.check_keepalive(ctx);
    }

    /// Probes the server if that is due, and sets the timer for the next check.
    fn check_keepalive(&mut self, ctx: &mut Context<Self>) {
        let State::Online { online, keepalive_check, .. } = &mut self.state else { return };
        if let Some(timer) = keepalive_check.take() {
            ctx.cancel_future(timer);
        }
        match online.check_keepalive() {
            Ok(None) => {}
            Ok(Some(next)) => {
                let wait = next.saturating_duration_since(Instant::now());
                *keepalive_check = Some(ctx.run_later(wait, Self::check_keepalive));
            }
            Err(fault) => self.lost(&StreamEnd::Fault(fault), ctx),
        }
    }

    /// The stream is over.
    fn lost(&mut self, end: &StreamEnd, ctx: &mut Context<Self>) {
        let State::Online { online, session, keepalive_check } = std::mem::replace(&mut self.state, State::Resolving)
        else {
            return;
        };
        ctx.cancel_future(session);
        if let Some(timer) = keepalive_check {
            ctx.cancel_future(timer);
        }
        self.row.update(|report| report.tls = false);
        let lived = online.since.elapsed();
        self.suspended = if end.is_resumable() { SuspendedStream::new(online.resource) } else { None };
        let transition = self.search.stream_ended(end, lived, &self.settings);
        self.go(transition, ctx);
    }

    /// Asks the router; the reply belongs to the resource that received the request.
    fn ask(&mut self, question: Question, ctx: &mut Context<Self>) {
        let reply = question.ask(&self.context, &self.settings.alias, &self.row);
        ctx.spawn(reply.into_actor(self).map(|reply, connection, _| {
            let resource = match &mut connection.state {
                State::Online { online, .. } => Some(&mut online.resource),
                _ => connection.suspended.as_mut().map(|suspended| &mut suspended.resource),
            };
            if let Some(resource) = resource {
                resource.reply(reply);
            }
        }));
    }

    /// Runs the work of a state, then `next` with its result. The work is boxed before it is wrapped: it has kilobytes, and each
    /// wrapper would be put together on the stack.
    fn run<T: 'static>(
        &mut self,
        work: impl Future<Output = T> + 'static,
        ctx: &mut Context<Self>,
        next: impl FnOnce(&mut Self, T, &mut Context<Self>) + 'static,
    ) {
        ctx.spawn(work.boxed_local().into_actor(self).map(|done, connection, ctx| next(connection, done, ctx)));
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if !self.settings.tls_verify {
            tracing::warn!("tls_verify is 0: any certificate is accepted");
        }
        self.begin_pass(ctx);
    }
}

impl StreamHandler<StreamEvent> for Connection {
    fn handle(&mut self, event: StreamEvent, ctx: &mut Context<Self>) {
        match (event, &mut self.state) {
            (StreamEvent::Element(element), State::Online { online, .. }) => {
                if let Some(question) = online.received(*element) {
                    self.ask(question, ctx);
                }
            }
            (StreamEvent::Element(_), _) => {}
            (StreamEvent::Ended(StreamEnd::Closed), _) | (StreamEvent::Ended(_), State::Closing) => ctx.stop(),
            (StreamEvent::Ended(end), _) => self.lost(&end, ctx),
        }
    }

    /// Keeps the actor running: by default it stops at the end of a stream.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

supervised!(Connection);

#[cfg(test)]
mod tests;
