//! The connection on its way to a server: looks servers up, attempts one after the other, and follows what failed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::time::Instant;

use super::{Connection, State, Then};
use crate::actors::fault_injection;
use crate::status::Status;
use crate::xmpp::connect::{AttemptError, Cause, Session, Step, connect};
use crate::xmpp::login::log_in;
use crate::xmpp::resolve::{Query, ResolveError, resolve};
use crate::xmpp::retry::NextTry;
use crate::xmpp::sasl::SaslError;
use crate::xmpp::servers::{ResolvedServer, ServerAddress, Target};
use crate::xmpp::stream_error::{Consequence, consequence};
use crate::xmpp::transport::Transport;

/// How many redirections in a row are followed (RFC 6120 4.9.3.19 asks for a limit).
const MAX_REDIRECTS: u8 = 3;

/// A failure as the status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) error: String,
}

impl Failure {
    pub(super) fn new(status: Status, error: &impl ToString) -> Self {
        Self { status, error: error.to_string() }
    }

    /// What a pass with these two failures shows: the later one, but a server that was reached says more than one that was
    /// not.
    fn after(self, earlier: Option<Self>) -> Self {
        match earlier {
            Some(earlier) if self.status == Status::ServerNotPresent => earlier,
            _ => self,
        }
    }
}

impl Connection {
    /// Looks the servers up and attempts the first one.
    pub(super) fn begin_pass(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        self.redirects = 0;
        self.failure = None;
        let query = self.servers.query(&self.settings, &self.ascii_domain());
        self.look_up(query, ctx, |connection, result, ctx| match result {
            Ok(servers) => {
                connection.servers.begin_pass(servers);
                tracing::debug!("{}: servers: {}", connection.name(), connection.servers);
                connection.attempt(ctx);
            }
            Err(error) => {
                connection.servers.lookup_failed(&error, &connection.settings);
                let next = connection.policy.attempt_failed(true, Duration::ZERO, &mut rand::rng());
                tracing::warn!("{}: attempt failed: {error}; {}", connection.name(), Outlook(next));
                connection.show_failure(&Failure::new(Status::ServerNotPresent, &error));
                connection.proceed(next, ctx);
            }
        });
    }

    /// Attempts the server that `see-other-host` named, and then the rest of the pass.
    pub(super) fn redirect(&mut self, target: Target, ctx: &mut Context<Self>) {
        self.look_up(Query::Targets(vec![target]), ctx, |connection, result, ctx| match result {
            Ok(servers) => {
                connection.servers.redirect(servers);
                connection.attempt(ctx);
            }
            Err(error) => connection.attempt_failed(None, &error, Status::ServerNotPresent, Duration::ZERO, ctx),
        });
    }

    fn look_up(
        &mut self,
        query: Query,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Vec<ResolvedServer>, ResolveError>, &mut Context<Self>) + 'static,
    ) {
        self.enter(Status::Connecting);
        let resolver = Arc::clone(&self.context.resolver);
        let lookup = async move { resolve(query, &resolver).await };
        let lookup = fault_injection::at_work(&format_args!("connection {}", self.id()), lookup);
        let job = ctx.spawn(lookup.into_actor(self).map(|result, connection, ctx| {
            connection.state = State::Idle;
            then(connection, result, ctx);
        }));
        self.state = State::Resolving(job);
    }

    /// Attempts the present server: TCP first.
    pub(super) fn attempt(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        let Some(server) = self.servers.present().cloned() else { return self.begin_pass(ctx) };
        self.enter(Status::Connecting);
        let number = self.policy.pass();
        self.report(|report| {
            report.address = Some(server.to_string());
            report.attempt = number;
            report.next = None;
        });
        tracing::debug!("{}: attempt {number} at {server}", self.name());
        let work = async move { (connect(&server).await, server) };
        let work = fault_injection::at_work(&format_args!("connection {}", self.id()), work);
        let job = ctx.spawn(work.into_actor(self).map(|(result, server), connection, ctx| {
            connection.state = State::Idle;
            match result {
                Ok((address, transport)) => connection.log_in(&server.target, address, transport, ctx),
                Err(error) => {
                    // The error of a race names each address.
                    let at = if server.addresses.len() > 1 { server.target.to_string() } else { server.to_string() };
                    connection.attempt_failed(Some(&at), &error, status_of(&error), Duration::ZERO, ctx);
                }
            }
        }));
        self.state = State::Attempting(job);
    }

    /// The rest of the attempt, over the connection that won the race.
    fn log_in(&mut self, target: &Target, address: ServerAddress, transport: Transport, ctx: &mut Context<Self>) {
        self.report(|report| report.address = Some(address.to_string()));
        tracing::debug!("{}: connected to {address}", self.name());
        let (account, tls, security) = (self.account(), self.tls.clone(), target.security);
        let resumption = self.resource.as_ref().and_then(|resource| resource.management.borrow().resumption());
        let work = async move { log_in(transport, security, &account, &tls, resumption).await };
        let work = fault_injection::at_work(&format_args!("connection {}", self.id()), work);
        let job = ctx.spawn(work.into_actor(self).map(move |result, connection, ctx| {
            connection.logged_in(result, &address, ctx);
        }));
        self.state = State::Attempting(job);
    }

    fn logged_in(&mut self, result: Result<Session, AttemptError>, address: &ServerAddress, ctx: &mut Context<Self>) {
        self.state = State::Idle;
        let error = match result {
            Ok(session) => return self.go_online(session, address, ctx),
            Err(error) => error,
        };
        if error.step == Step::Resume && self.resource.take().is_some() {
            // Some servers never answer with <failed/>: each further request to resume would end its attempt.
            tracing::info!("{}: previous stream given up: the next attempt binds a resource", self.name());
        }
        let mut floor = Duration::ZERO;
        if let Cause::StreamError(condition) = &error.cause {
            match consequence(condition) {
                Consequence::SeeOther(target) if self.follow(&target) => return self.redirect(target, ctx),
                Consequence::Conflict => floor = self.policy.floor_after_conflict(),
                _ => {}
            }
        }
        let status = status_of(&error);
        if status == Status::ErrorAuthenticationFailure {
            floor = self.policy.floor_after_refusal();
        }
        self.attempt_failed(Some(&address.to_string()), &error, status, floor, ctx);
    }

    /// Whether one more `see-other-host` is followed.
    pub(super) fn follow(&mut self, target: &Target) -> bool {
        self.redirects = self.redirects.saturating_add(1);
        let follow = self.redirects <= MAX_REDIRECTS;
        if follow {
            tracing::info!("{}: the server redirects to {target}", self.name());
        } else {
            tracing::warn!("{}: redirected more than {MAX_REDIRECTS} times in a row", self.name());
        }
        follow
    }

    fn attempt_failed(
        &mut self,
        at: Option<&str>,
        error: &impl ToString,
        status: Status,
        floor: Duration,
        ctx: &mut Context<Self>,
    ) {
        let failure = Failure::new(status, error);
        let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
        let next = self.next_after_failure(floor);
        tracing::warn!("{}: attempt failed{at}: {}; {}", self.name(), failure.error, Outlook(next));
        self.proceed_after_failure(failure, next, ctx);
    }

    /// What follows a failed attempt at the present server.
    pub(super) fn next_after_failure(&mut self, floor: Duration) -> NextTry {
        let next = self.policy.attempt_failed(self.servers.is_last(), floor, &mut rand::rng());
        if matches!(next, NextTry::Pass(_)) {
            self.servers.pass_failed(self.settings.retry.attempts);
        }
        next
    }

    pub(super) fn proceed_after_failure(&mut self, failure: Failure, next: NextTry, ctx: &mut Context<Self>) {
        let of_pass = failure.clone().after(self.failure.take());
        if matches!(next, NextTry::Pass(_)) {
            self.show_failure(&of_pass);
        } else {
            if next.wait().is_zero() {
                self.report(|report| report.error = Some(failure.error));
            } else {
                self.show_failure(&failure);
            }
            self.failure = Some(of_pass);
        }
        self.proceed(next, ctx);
    }

    pub(super) fn show_failure(&self, failure: &Failure) {
        self.report(|report| report.error = Some(failure.error.clone()));
        self.enter(failure.status);
    }

    /// Does what the retry policy says is next.
    pub(super) fn proceed(&mut self, next: NextTry, ctx: &mut Context<Self>) {
        // A row of redirections ends where an attempt fails or a stream is lost.
        self.redirects = 0;
        match next {
            NextTry::Server(wait) => {
                self.servers.advance();
                if wait.is_zero() { self.attempt(ctx) } else { self.wait(wait, Then::Attempt, ctx) }
            }
            NextTry::Pass(wait) => self.wait(wait, Then::NewPass, ctx),
        }
    }

    /// Waits before the next step. A status of error stays to be seen through the wait.
    fn wait(&mut self, wait: Duration, then: Then, ctx: &mut Context<Self>) {
        let until = Instant::now() + wait;
        let job = ctx.run_later(wait, move |connection, ctx| {
            connection.state = State::Idle;
            match then {
                Then::Attempt => connection.attempt(ctx),
                Then::NewPass => connection.begin_pass(ctx),
            }
        });
        self.state = State::Waiting { then, until, job };
        self.report(|report| report.next = Some(until));
    }

    /// Shortens a present wait to a first retry wait and returns it. Never lengthens it: an interface that goes up and down
    /// cannot put the next attempt off.
    pub(super) fn shorten_wait(&mut self, ctx: &mut Context<Self>) -> Option<Duration> {
        let State::Waiting { then, until, job } = &self.state else { return None };
        let (then, until, job) = (*then, *until, *job);
        ctx.cancel_future(job);
        let remaining = until.saturating_duration_since(Instant::now());
        let wait = remaining.min(self.policy.shorten_wait(&mut rand::rng()));
        self.wait(wait, then, ctx);
        Some(wait)
    }
}

/// What follows a failure, for the log.
pub(super) struct Outlook(pub(super) NextTry);

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NextTry::Server(Duration::ZERO) => f.write_str("trying the next server"),
            next => write!(f, "next try in {:.1} s", next.wait().as_secs_f64()),
        }
    }
}

/// The status that a failed attempt leads to.
fn status_of(error: &AttemptError) -> Status {
    match &error.cause {
        Cause::Sasl(SaslError::Refused(_) | SaslError::RefusedUnbound(_) | SaslError::Impostor(_)) => {
            Status::ErrorAuthenticationFailure
        }
        Cause::Certificate(_) | Cause::TlsSetup(_) | Cause::NoTls | Cause::TlsRefused => Status::ErrorMisconfigured,
        Cause::Sasl(_)
        | Cause::StreamError(_)
        | Cause::BindRefused(_)
        | Cause::SessionRefused(_)
        | Cause::Handshake(_) => Status::Error,
        Cause::Timeout
        | Cause::Io(_)
        | Cause::NotConnected(_)
        | Cause::Stream(_)
        | Cause::Injected
        | Cause::Unexpected { .. }
        | Cause::NoBind
        | Cause::BadJid
        | Cause::BadResumption(_) => Status::ServerNotPresent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_shows_its_last_failure_but_a_server_that_was_reached_first() {
        let unreachable = Failure::new(Status::ServerNotPresent, &"refused");
        let reached = Failure::new(Status::ErrorMisconfigured, &"certificate");
        let other = Failure::new(Status::Error, &"conflict");
        for (earlier, later, shown) in [
            (None, &unreachable, &unreachable),
            (Some(&unreachable), &reached, &reached),
            (Some(&reached), &unreachable, &reached),
            (Some(&reached), &other, &other),
        ] {
            assert_eq!(later.clone().after(earlier.cloned()), *shown, "{earlier:?}, then {later:?}");
        }
    }
}
