//! The connection on its way to a server: looking servers up, trying addresses, and what follows from a failure.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::server_list::Listed;
use super::{Connection, State, Then};
use crate::actors::fault_injection;
use crate::status::Status;
use crate::xmpp::connect::{AttemptError, Cause, Session, attempt};
use crate::xmpp::resolve::{ResolveError, resolve};
use crate::xmpp::retry::Next;
use crate::xmpp::sasl::SaslError;
use crate::xmpp::servers::{Address, ResolvedServer, Target};
use crate::xmpp::stream_error::{Consequence, consequence};

/// How often in a row a server may send us elsewhere (RFC 6120 4.9.3.19 asks for a limit).
const MAX_REDIRECTS: u8 = 3;

impl Connection {
    pub(super) fn begin_round(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        self.enter(Status::Connecting);
        let query = self.servers.query(&self.settings, &self.ascii_domain());
        let resolver = Arc::clone(&self.context.resolver);
        let lookup = async move { resolve(query, &resolver).await };
        let lookup = fault_injection::at_work(&format_args!("connection {}", self.id()), lookup);
        let job = ctx.spawn(lookup.into_actor(self).map(|list, connection, ctx| connection.resolved(list, ctx)));
        self.state = State::Resolving(job);
    }

    fn resolved(&mut self, list: Result<Vec<ResolvedServer>, ResolveError>, ctx: &mut Context<Self>) {
        self.state = State::Idle;
        match list {
            Ok(servers) => {
                let addresses: Vec<Address> = servers.iter().flat_map(Address::of).collect();
                self.policy.resolved();
                tracing::debug!("{}: servers: {}", self.name(), Listed(&addresses));
                self.servers.addresses = addresses;
                self.servers.present = 0;
                self.attempt(ctx);
            }
            Err(error) => {
                self.servers.addresses.clear();
                self.servers.used_up();
                let next = self.policy.failed(true, Duration::ZERO, &mut rand::rng());
                self.report_failure(Status::ServerNotPresent, &error.to_string(), None, next.wait());
                self.wait(next.wait(), Then::NewRound, ctx);
            }
        }
    }

    pub(super) fn attempt(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        let Some(address) = self.servers.present().cloned() else { return self.begin_round(ctx) };
        self.enter(Status::Connecting);
        let number = self.policy.attempt();
        self.report(|report| {
            report.address = Some(address.to_string());
            report.attempt = number;
            report.next = None;
        });
        tracing::debug!("{}: attempt {number} at {address}", self.name());
        let (account, tls) = (self.account(), self.tls.clone());
        let resumption = self.resource.as_ref().and_then(|resource| resource.management.borrow().resumption());
        let work = async move { attempt(&address, &account, &tls, resumption).await };
        let work = fault_injection::at_work(&format_args!("connection {}", self.id()), work);
        let job = ctx.spawn(work.into_actor(self).map(|result, connection, ctx| connection.attempted(result, ctx)));
        self.state = State::Attempting(job);
    }

    fn attempted(&mut self, result: Result<Session, AttemptError>, ctx: &mut Context<Self>) {
        self.state = State::Idle;
        let error = match result {
            Ok(session) => return self.go_online(session, ctx),
            Err(error) => error,
        };
        let mut floor = Duration::ZERO;
        let mut status = status_of(&error);
        if let Cause::StreamError(condition) = &error.cause {
            match consequence(condition) {
                Consequence::SeeOther(target) if self.follow(&target) => {
                    self.servers.redirect = Some(target);
                    return self.begin_round(ctx);
                }
                Consequence::Conflict => {
                    status = Status::Error;
                    floor = self.policy.floor_after_conflict();
                }
                _ => {}
            }
        }
        if status == Status::ErrorAuthenticationFailure {
            floor = self.policy.floor_after_refusal();
        }
        let last = self.servers.is_last();
        let next = self.servers.no_second_try_elsewhere(self.policy.failed(last, floor, &mut rand::rng()));
        let address = self.servers.present().map(ToString::to_string);
        if status == Status::ServerNotPresent && !matches!(next, Next::NewRound(_)) {
            // Others of this round may still be reached.
            status = Status::Dormant;
        }
        self.report_failure(status, &error.to_string(), address.as_deref(), next.wait());
        if !matches!(next, Next::NextAddress(_)) {
            // There is a wait now: the row of redirections is over.
            self.redirects = 0;
        }
        if matches!(next, Next::NewRound(_)) {
            self.servers.used_up();
        }
        self.proceed(next, ctx);
    }

    /// Whether one more `see-other-host` is followed.
    pub(super) fn follow(&mut self, target: &Target) -> bool {
        self.redirects = self.redirects.saturating_add(1);
        let follow = self.redirects <= MAX_REDIRECTS;
        if follow {
            tracing::info!("{}: the server sends us to {}:{}", self.name(), target.host, target.port);
        } else {
            tracing::warn!("{}: sent elsewhere more than {MAX_REDIRECTS} times in a row", self.name());
        }
        follow
    }

    fn report_failure(&self, status: Status, error: &str, address: Option<&str>, wait: Duration) {
        let at = address.map(|address| format!(" at {address}")).unwrap_or_default();
        tracing::warn!("{}: attempt failed{at}: {error}; next try in {:.1} s", self.name(), wait.as_secs_f64());
        self.report(|report| report.error = Some(error.to_owned()));
        self.enter(status);
    }
}

/// The status that a failed attempt leads to.
fn status_of(error: &AttemptError) -> Status {
    match &error.cause {
        Cause::Sasl(SaslError::Refused(_) | SaslError::Impostor(_)) => Status::ErrorAuthenticationFailure,
        Cause::Certificate(_) | Cause::TlsSetup(_) | Cause::NoTls | Cause::TlsRefused => Status::ErrorMisconfigured,
        Cause::Sasl(_) | Cause::StreamError(_) | Cause::BindRefused(_) | Cause::Handshake(_) => Status::Error,
        Cause::Timeout | Cause::Io(_) | Cause::Stream(_) | Cause::Injected | Cause::Unexpected(_) => {
            Status::ServerNotPresent
        }
    }
}
