//! One connection: finds a server, logs in, stays online, and comes back. It owns its server list, its retry policy and its
//! keepalive timer; it ends only when it is told to.
//!
//! | state | what happens there | left for |
//! | --- | --- | --- |
//! | Resolving | the servers are looked up | Attempting; Waiting when that fails |
//! | Attempting | one server is attempted, from TCP to bind | Online; Attempting (the next server); Waiting after the last one; Resolving on `see-other-host` |
//! | Waiting | a wait of the retry policy | Resolving (a new pass); Attempting where the failure asked for a wait |
//! | Online | stanzas are exchanged | Waiting when the stream is lost; Resolving on `see-other-host` and `reset` |
//! | Closing | `</stream:stream>` is exchanged | the actor's end |
//!
//! Stop leads from Online to Closing, and from every other state to the actor's end. What each wait and limit is for,
//! and when the status changes, is in `docs/connection.md`.

mod connecting;
mod online;
mod server_list;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, SpawnHandle, StreamHandler};
use tokio::time::Instant;

use self::connecting::{Failure, Outlook};
use self::online::{BoundResource, Online};
use self::server_list::ServerList;
use super::fault_injection;
use super::messages::{AuthorizeRequest, DiscoQuery, Reconnect};
use super::registry::Slot;
use crate::config::model::{Connection as Settings, ConnectionId};
use crate::shutdown;
use crate::status::{Report, Status, StatusTable};
use crate::supervision::{Stop, Update};
use crate::xmpp::connect::{Account, Session, SessionStart};
use crate::xmpp::resolve::Resolver;
use crate::xmpp::retry::RetryPolicy;
use crate::xmpp::servers::ServerAddress;
use crate::xmpp::session::{End, Event, StreamCommand};
use crate::xmpp::stream_error::{Consequence, consequence};
use crate::xmpp::tls::{LazyTls, TlsSettings, TrustStores};

/// What all connections share. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionContext {
    /// The router, which decides on connection requests.
    pub authorize: Slot<Recipient<AuthorizeRequest>>,
    /// The router, which knows what a sender of disco#info may learn.
    pub disco: Slot<Recipient<DiscoQuery>>,
    /// Holds the status of each connection.
    pub status: StatusTable,
    /// Looks servers up.
    pub resolver: Arc<Resolver>,
    /// What is trusted, shared by all connections.
    pub trust: TrustStores,
}

/// The actor of one connection.
pub struct Connection {
    settings: Settings,
    context: ConnectionContext,
    policy: RetryPolicy,
    servers: ServerList,
    tls: LazyTls,
    state: State,
    /// The resource that was bound last, for as long as its stream is up or may be resumed.
    resource: Option<BoundResource>,
    /// How many resources were bound.
    bound: u64,
    /// What the present pass shows when its last server fails as well.
    failure: Option<Failure>,
    /// `see-other-host` in a row.
    redirects: u8,
    /// A `reset` was followed at once; the next one is not, until a stream has come up in between.
    was_reset: bool,
}

enum State {
    Idle,
    Resolving(SpawnHandle),
    Attempting(SpawnHandle),
    Waiting { then: Then, until: Instant, job: SpawnHandle },
    Online(Box<Online>),
    Closing,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Attempt,
    NewPass,
}

/// The connection's name in the log.
struct Name<'a>(&'a Settings);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} ({})", self.0.id, self.0.alias)
    }
}

impl Connection {
    /// A connection that begins when it is started.
    #[must_use]
    pub fn new(settings: Settings, context: ConnectionContext) -> Self {
        // Now, and not when it is started: what is decided about it in between is not to be undone.
        context.status.begin(settings.id, &settings.alias);
        let policy = RetryPolicy::new(settings.retry);
        let tls_settings = TlsSettings { ca: settings.tls_ca.clone(), verify: settings.tls_verify };
        let tls = LazyTls::new(tls_settings, context.trust.clone());
        Self {
            settings,
            context,
            policy,
            servers: ServerList::default(),
            tls,
            state: State::Idle,
            resource: None,
            bound: 0,
            failure: None,
            redirects: 0,
            was_reset: false,
        }
    }

    /// The domain as DNS has it.
    fn ascii_domain(&self) -> String {
        idna::domain_to_ascii(&self.settings.domain).unwrap_or_else(|_| self.settings.domain.clone())
    }

    /// The part of the settings that a login needs.
    fn account(&self) -> Account {
        Account {
            username: self.settings.username.clone(),
            password: self.settings.password.clone(),
            domain: self.settings.domain.clone(),
            ascii_domain: self.ascii_domain(),
            resource: self.settings.resource.clone(),
            use_tls: self.settings.use_tls,
        }
    }

    fn id(&self) -> ConnectionId {
        self.settings.id
    }

    fn name(&self) -> Name<'_> {
        Name(&self.settings)
    }

    /// Changes this connection's row of the status table.
    fn report(&self, change: impl FnOnce(&mut Report)) {
        self.context.status.update(self.id(), change);
    }

    fn enter(&self, status: Status) {
        self.context.status.enter(self.id(), status);
    }

    /// Ends what is under way.
    fn leave(&mut self, ctx: &mut Context<Self>) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Resolving(job) | State::Attempting(job) | State::Waiting { job, .. } => {
                ctx.cancel_future(job);
            }
            State::Online(online) => online.leave(ctx),
            State::Idle | State::Closing => {}
        }
    }

    fn go_online(&mut self, session: Session, address: &ServerAddress, ctx: &mut Context<Self>) {
        let (tls, description) = (session.tls, session.description.clone());
        let (handled, resource) = match (&session.start, self.resource.take()) {
            (SessionStart::Bound { jid, manageable }, _) => {
                self.bound += 1;
                (None, BoundResource::new(jid.clone(), *manageable, self.bound))
            }
            (SessionStart::Resumed { handled }, Some(resumed)) => (Some(*handled), resumed),
            // Only what is there is offered for resumption.
            (SessionStart::Resumed { .. }, None) => return self.begin_pass(ctx),
        };
        let verb = if handled.is_none() { "online" } else { "stream resumed" };
        tracing::info!("{}: {verb} as {} at {address} ({description})", self.name(), resource.jid);
        let jid = resource.jid.to_string();
        self.report(|report| {
            report.jid = Some(jid);
            report.tls = tls;
            report.next = None;
            report.error = None;
        });
        self.enter(Status::Enabled);
        self.servers.online();
        let management = Rc::clone(&resource.management);
        self.resource = Some(resource);
        self.state = State::Online(Box::new(Online::begin(session, self.settings.keepalive, management, ctx)));
        match handled {
            None => self.send_initial_presence(),
            Some(handled) => self.retransmit(handled),
        }
        self.check_keepalive(ctx);
    }

    /// An established stream is over.
    fn lost(&mut self, end: &End, ctx: &mut Context<Self>) {
        let State::Online(online) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let lived = online.since.elapsed();
        online.leave(ctx);
        self.report(|report| report.tls = false);
        self.resource = self.resource.take().filter(|resource| end.is_resumable() && resource.is_resumable());
        let follows = match end {
            End::StreamError(condition) => consequence(condition),
            End::Closed | End::ClosedByServer | End::Fault(_) | End::Count(_) => Consequence::Lost,
        };
        if self.policy.settle(lived) {
            self.redirects = 0;
            // What was looked up so long ago is out of date.
            self.servers.clear();
        }
        match follows {
            Consequence::SeeOther(target) if self.follow(&target) => return self.redirect(target, ctx),
            Consequence::Reset if !self.was_reset => {
                tracing::info!("{}: the server resets the stream; connecting again at once", self.name());
                self.was_reset = true;
                self.tls.forget();
                return self.begin_pass(ctx);
            }
            _ => self.was_reset = false,
        }
        let rng = &mut rand::rng();
        let (status, next) = match follows {
            Consequence::Conflict => (Status::Error, self.policy.stream_lost(self.policy.floor_after_conflict(), rng)),
            Consequence::FailedAttempt => (Status::Error, self.next_after_failure(Duration::ZERO)),
            Consequence::SeeOther(_) | Consequence::Reset | Consequence::Lost => {
                (Status::Dormant, self.policy.stream_lost(Duration::ZERO, rng))
            }
        };
        let failure = Failure::new(status, end);
        let seconds = lived.as_secs();
        tracing::warn!("{}: stream lost after {seconds} s: {}; {}", self.name(), failure.error, Outlook(next));
        self.proceed_after_failure(failure, next, ctx);
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&format_args!("connection {}", self.id()), ctx);
        fault_injection::start(&format_args!("connection {}", self.id()));
        if !self.settings.tls_verify {
            tracing::warn!("{}: tls_verify is 0: any certificate is accepted", self.name());
        }
        self.begin_pass(ctx);
    }
}

impl StreamHandler<Event> for Connection {
    fn handle(&mut self, event: Event, ctx: &mut Context<Self>) {
        match event {
            Event::Element(element) => self.received(*element, ctx),
            Event::Ended(End::Closed) => ctx.stop(),
            Event::Ended(_) if matches!(self.state, State::Closing) => ctx.stop(),
            Event::Ended(end) => self.lost(&end, ctx),
        }
    }

    /// The end of a stream is an event of its own; the actor goes on.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Stop> for Connection {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        if fault_injection::ignores_stop(self, &format_args!("connection {}", self.id()), ctx) {
            return;
        }
        if matches!(self.state, State::Online(_)) {
            self.reject_pending();
        }
        if let State::Online(online) = &self.state
            && online.send(StreamCommand::Close)
        {
            tracing::info!("{}: closing the stream", self.name());
            self.state = State::Closing;
            // A server that has stopped reading leaves no room for the command: then the session never sees it.
            ctx.run_later(shutdown::STREAM, |connection, ctx| {
                tracing::info!("{}: closing the stream timed out: connection aborted", connection.name());
                ctx.stop();
            });
            return;
        }
        if !matches!(self.state, State::Closing) {
            ctx.stop();
        }
    }
}

/// Settings that take effect in place: aliases, keepalive interval, retry options.
impl Handler<Update<Settings>> for Connection {
    type Result = ();

    fn handle(&mut self, Update(settings): Update<Settings>, ctx: &mut Context<Self>) {
        tracing::info!("{}: settings taken over in place", self.name());
        let retry_changed = settings.retry != self.settings.retry;
        self.settings = settings;
        self.report(|report| report.alias.clone_from(&self.settings.alias));
        self.policy.update(self.settings.retry);
        if let State::Online(online) = &mut self.state {
            online.keepalive.update(self.settings.keepalive);
        }
        if retry_changed {
            // A wait of hours under the old settings must not outlive them.
            self.shorten_wait(ctx);
        }
        self.check_keepalive(ctx);
    }
}

impl Handler<Reconnect> for Connection {
    type Result = ();

    fn handle(&mut self, _: Reconnect, ctx: &mut Context<Self>) {
        if let Some(wait) = self.shorten_wait(ctx) {
            tracing::info!("{}: asked to reconnect; next try in {:.1} s", self.name(), wait.as_secs_f64());
        }
    }
}

fault_injection::handles_crash!(Connection);

#[cfg(test)]
mod tests;
