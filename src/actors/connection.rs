//! One connection: finds a server, logs in, stays on, comes back. It owns its server list, its retry policy and its
//! keepalive timer; it ends only when it is told to.
//!
//! | state | what happens there | left for |
//! | --- | --- | --- |
//! | Resolving | the server list is looked up | Attempting; Waiting when that fails |
//! | Attempting | one address is tried, from TCP to bind | Online; Waiting, or the next address |
//! | Waiting | a wait of the retry policy | Attempting (same or next address), Resolving (new round) |
//! | Online | stanzas are exchanged | Waiting when the stream is lost; Resolving on `see-other-host` and `reset` |
//! | Closing | `</stream:stream>` is exchanged | the actor's end |
//!
//! Stop leads from Online to Closing, and from every other state to the actor's end.

mod online;

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, SpawnHandle, StreamHandler,
    WrapFuture,
};
use tokio::time::Instant;

use self::online::{Identity, Online};
use super::Stop;
use super::router::Router;
use crate::config::model::{Connection as Settings, ConnectionId, ServerAlgorithm};
use crate::status::{Board, Status};
use crate::xmpp::connect::{Account, AttemptError, Cause, Entry, Session, attempt};
use crate::xmpp::resolve::{Query, ResolveError, resolve};
use crate::xmpp::retry::{Next, Policy};
use crate::xmpp::sasl::SaslError;
use crate::xmpp::servers::{Address, Target};
use crate::xmpp::session::{CLOSE_LIMIT, End, Event, Out};
use crate::xmpp::stream_error::{Consequence, consequence};
use crate::xmpp::tls::{LazyTls, TlsSettings};

/// How long a whole resolution may take.
const RESOLVE_LIMIT: Duration = Duration::from_secs(10);

/// How often in a row a server may send us elsewhere (RFC 6120 4.9.3.19 asks for a limit).
const MAX_REDIRECTS: u8 = 3;

/// What a connection needs of the house that it lives in.
#[derive(Clone)]
pub struct Surroundings {
    /// Where requests are decided on.
    pub router: Addr<Router>,
    /// Where the connection's status is kept.
    pub board: Board,
    /// The resolver's configuration.
    pub resolv_conf: PathBuf,
}

/// Settings that take effect in place: aliases, keepalive interval, retry options.
pub struct Update(pub Settings);

impl Message for Update {
    type Result = ();
}

/// The network has come back: a present wait is cut short.
#[derive(Debug, Clone, Copy)]
pub struct Reconnect;

impl Message for Reconnect {
    type Result = ();
}

/// The actor of one connection.
pub struct Connection {
    settings: Settings,
    account: Account,
    around: Surroundings,
    policy: Policy,
    servers: ServerList,
    tls: LazyTls,
    state: State,
    /// The resource that was bound last, for as long as its stream is up or may be resumed.
    identity: Option<Identity>,
    /// How many resources were bound.
    bound: u64,
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
    NewRound,
}

/// The flat list of addresses of this round, and the one that it is the turn of.
#[derive(Default)]
struct ServerList {
    addresses: Vec<Address>,
    present: usize,
    /// With `ServerTable`: the table was used up, so that the domain itself is next (RFC 6120 3.2).
    fallback: bool,
    /// `see-other-host`
    redirect: Option<Target>,
    /// The list is what `see-other-host` named, not what the settings or DNS name.
    elsewhere: bool,
}

impl ServerList {
    fn present(&self) -> Option<&Address> {
        self.addresses.get(self.present)
    }

    fn is_last(&self) -> bool {
        self.present + 1 >= self.addresses.len()
    }

    /// With `ServerTable` table and domain take turns; where we were sent in between is neither.
    fn used_up(&mut self) {
        self.fallback ^= !self.elsewhere;
    }

    /// Where we were sent is tried once: a server that sends its clients to a host that is away, or a word that is out of
    /// date, must not keep them from their own servers for as long as all attempts at one address take.
    fn no_second_try_elsewhere(&self, next: Next) -> Next {
        match next {
            Next::Again(wait) if self.elsewhere && self.is_last() => Next::NewRound(wait),
            Next::Again(wait) if self.elsewhere => Next::NextAddress(wait),
            next => next,
        }
    }
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
    pub fn new(settings: Settings, around: Surroundings) -> Self {
        let ascii_domain = idna::domain_to_ascii(&settings.domain).unwrap_or_else(|_| settings.domain.clone());
        let account = Account {
            username: settings.username.clone(),
            password: settings.password.clone(),
            domain: settings.domain.clone(),
            ascii_domain,
            resource: settings.resource.clone(),
            use_tls: settings.use_tls,
        };
        let policy = Policy::new(settings.retry);
        let tls = LazyTls::new(TlsSettings { ca: settings.tls_ca.clone(), verify: settings.tls_verify });
        Self {
            settings,
            account,
            around,
            policy,
            servers: ServerList::default(),
            tls,
            state: State::Idle,
            identity: None,
            bound: 0,
            redirects: 0,
            was_reset: false,
        }
    }

    fn id(&self) -> ConnectionId {
        self.settings.id
    }

    fn name(&self) -> Name<'_> {
        Name(&self.settings)
    }

    fn enter(&self, status: Status) {
        self.around.board.enter(self.id(), status);
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

    fn begin_round(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        self.enter(Status::Connecting);
        let query = self.query();
        let resolv_conf = self.around.resolv_conf.clone();
        let lookup = async move {
            let work = resolve(query, &resolv_conf);
            tokio::time::timeout(RESOLVE_LIMIT, work).await.unwrap_or_else(|_| {
                Err(ResolveError::Failed {
                    name: "the server".to_owned(),
                    reason: format!("no answer within {} s", RESOLVE_LIMIT.as_secs()),
                })
            })
        };
        let job = ctx.spawn(lookup.into_actor(self).map(|list, connection, ctx| connection.resolved(list, ctx)));
        self.state = State::Resolving(job);
    }

    fn query(&mut self) -> Query {
        let redirect = self.servers.redirect.take();
        self.servers.elsewhere = redirect.is_some();
        if let Some(target) = redirect {
            return Query::Targets(vec![target]);
        }
        match self.settings.algorithm {
            ServerAlgorithm::DnsSrv => {
                Query::Srv { domain: self.account.ascii_domain.clone(), use_tls: self.settings.use_tls }
            }
            ServerAlgorithm::ServerTable => {
                let table = Target::table(&self.settings.servers);
                if self.servers.fallback || table.is_empty() {
                    Query::Targets(vec![Target::domain(&self.account.ascii_domain)])
                } else {
                    Query::Targets(table)
                }
            }
        }
    }

    fn resolved(&mut self, list: Result<Vec<Address>, ResolveError>, ctx: &mut Context<Self>) {
        self.state = State::Idle;
        match list {
            Ok(addresses) => {
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

    fn attempt(&mut self, ctx: &mut Context<Self>) {
        self.leave(ctx);
        let Some(address) = self.servers.present().cloned() else { return self.begin_round(ctx) };
        self.enter(Status::Connecting);
        let number = self.policy.attempt();
        self.around.board.update(self.id(), |report| {
            report.address = Some(address.to_string());
            report.attempt = number;
            report.next = None;
        });
        tracing::debug!("{}: attempt {number} at {address}", self.name());
        let (account, tls) = (self.account.clone(), self.tls.clone());
        let resumption = self.identity.as_ref().and_then(|identity| identity.management.borrow().resumption());
        let work = async move { attempt(&address, &account, &tls, resumption).await };
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
        if let Cause::StreamError(said) = &error.cause {
            match consequence(said) {
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
        match next {
            Next::Again(wait) => self.wait(wait, Then::Attempt, ctx),
            Next::NextAddress(wait) => {
                self.servers.present += 1;
                self.wait(wait, Then::Attempt, ctx);
            }
            Next::NewRound(wait) => {
                self.servers.used_up();
                self.wait(wait, Then::NewRound, ctx);
            }
        }
    }

    /// Whether one more `see-other-host` is followed.
    fn follow(&mut self, target: &Target) -> bool {
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
        self.around.board.update(self.id(), |report| report.error = Some(error.to_owned()));
        self.enter(status);
    }

    /// Waits before the next step. A status of error stays to be seen through the wait.
    fn wait(&mut self, wait: Duration, then: Then, ctx: &mut Context<Self>) {
        let until = Instant::now() + wait;
        let job = ctx.run_later(wait, move |connection, ctx| {
            connection.state = State::Idle;
            match then {
                Then::Attempt => connection.attempt(ctx),
                Then::NewRound => connection.begin_round(ctx),
            }
        });
        self.state = State::Waiting { then, until, job };
        self.around.board.update(self.id(), |report| report.next = Some(until));
    }

    fn go_online(&mut self, session: Session, ctx: &mut Context<Self>) {
        let address = self.servers.present().map(ToString::to_string).unwrap_or_default();
        let (tls, description) = (session.tls, session.description.clone());
        let (handled, identity) = match (&session.entry, self.identity.take()) {
            (Entry::Bound { jid, manageable }, _) => {
                self.bound += 1;
                (None, Identity::new(jid.clone(), *manageable, self.bound))
            }
            (Entry::Resumed { handled }, Some(resumed)) => (Some(*handled), resumed),
            // Only what is there is offered for resumption.
            (Entry::Resumed { .. }, None) => return self.begin_round(ctx),
        };
        let verb = if handled.is_none() { "online" } else { "stream resumed" };
        tracing::info!("{}: {verb} as {} at {address} ({description})", self.name(), identity.jid);
        let jid = identity.jid.to_string();
        self.around.board.update(self.id(), |report| {
            report.jid = Some(jid);
            report.tls = tls;
            report.next = None;
            report.error = None;
        });
        self.enter(Status::Enabled);
        self.servers.fallback = false;
        let management = Rc::clone(&identity.management);
        self.identity = Some(identity);
        self.state = State::Online(Box::new(Online::begin(session, self.settings.keepalive, management, ctx)));
        match handled {
            None => self.greet(),
            Some(handled) => self.send_again(handled),
        }
        self.check_keepalive(ctx);
    }

    /// An established stream is over.
    fn lost(&mut self, end: &End, ctx: &mut Context<Self>) {
        let State::Online(online) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let lived = online.since.elapsed();
        online.leave(ctx);
        self.around.board.update(self.id(), |report| report.tls = false);
        self.identity = self.identity.take().filter(|identity| end.is_resumable() && identity.is_resumable());
        let follows = match end {
            End::StreamError(said) => consequence(said),
            End::Closed | End::ClosedByServer | End::Fault(_) | End::Count(_) => Consequence::Lost,
        };
        let rng = &mut rand::rng();
        let mut status = Status::Dormant;
        // A stream that is sent elsewhere as soon as it is up goes on with the row: two servers could play with us for ever.
        if self.policy.settle(lived) {
            self.redirects = 0;
        }
        let next = match follows {
            Consequence::SeeOther(target) if self.follow(&target) => {
                self.servers.redirect = Some(target);
                return self.begin_round(ctx);
            }
            Consequence::Reset if !self.was_reset => {
                tracing::info!("{}: the server resets the stream; connecting again at once", self.name());
                self.was_reset = true;
                self.tls.forget();
                return self.begin_round(ctx);
            }
            Consequence::Conflict => {
                status = Status::Error;
                self.policy.lost(lived, self.policy.floor_after_conflict(), rng)
            }
            Consequence::FailedAttempt => {
                status = Status::Error;
                self.servers.no_second_try_elsewhere(self.policy.failed(self.servers.is_last(), Duration::ZERO, rng))
            }
            Consequence::SeeOther(_) | Consequence::Reset | Consequence::Lost => {
                self.policy.lost(lived, Duration::ZERO, rng)
            }
        };
        self.was_reset = false;
        let wait = next.wait();
        let (error, seconds) = (end.to_string(), wait.as_secs_f64());
        tracing::warn!("{}: stream lost after {} s: {error}; next try in {seconds:.1} s", self.name(), lived.as_secs());
        self.around.board.update(self.id(), |report| report.error = Some(error));
        self.enter(status);
        match next {
            Next::Again(_) => self.wait(wait, Then::Attempt, ctx),
            Next::NextAddress(_) => {
                self.servers.present += 1;
                self.wait(wait, Then::Attempt, ctx);
            }
            Next::NewRound(_) => self.wait(wait, Then::NewRound, ctx),
        }
    }
}

/// The status that a failed attempt leads to.
fn status_of(error: &AttemptError) -> Status {
    match &error.cause {
        Cause::Sasl(SaslError::Refused(_) | SaslError::Impostor(_)) => Status::ErrorAuthenticationFailure,
        Cause::Certificate(_) | Cause::TlsSetup(_) | Cause::NoTls | Cause::TlsRefused => Status::ErrorMisconfigured,
        Cause::Sasl(_) | Cause::StreamError(_) | Cause::BindRefused(_) => Status::Error,
        Cause::Timeout | Cause::Io(_) | Cause::Stream(_) | Cause::Injected | Cause::Unexpected(_) => {
            Status::ServerNotPresent
        }
    }
}

struct Listed<'a>(&'a [Address]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.0.iter().enumerate() {
            write!(f, "{}{address}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.around.board.begin(self.id(), &self.settings.alias);
        if !self.settings.tls_verify {
            tracing::warn!("{}: tls_verify is 0: any certificate is accepted", self.name());
        }
        self.begin_round(ctx);
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
        if let State::Online(online) = &self.state
            && online.send(Out::Close)
        {
            tracing::info!("{}: closing the stream", self.name());
            self.state = State::Closing;
            // The session keeps to its own limits; this one is for the case that even they fail.
            ctx.run_later(2 * CLOSE_LIMIT, |_, ctx| ctx.stop());
            return;
        }
        if !matches!(self.state, State::Closing) {
            ctx.stop();
        }
    }
}

impl Handler<Update> for Connection {
    type Result = ();

    fn handle(&mut self, Update(settings): Update, ctx: &mut Context<Self>) {
        tracing::info!("{}: settings taken over in place", self.name());
        let retry_changed = settings.retry != self.settings.retry;
        self.settings = settings;
        self.around.board.update(self.id(), |report| report.alias.clone_from(&self.settings.alias));
        self.policy.update(self.settings.retry);
        match &mut self.state {
            State::Online(online) => online.keepalive.update(self.settings.keepalive),
            State::Waiting { then, until, job } if retry_changed => {
                // A wait of hours under the old settings must not outlive them.
                let (then, until, job) = (*then, *until, *job);
                let remaining = until.saturating_duration_since(Instant::now());
                let wait = remaining.min(self.policy.hurry(&mut rand::rng()));
                ctx.cancel_future(job);
                self.wait(wait, then, ctx);
            }
            _ => {}
        }
        self.check_keepalive(ctx);
    }
}

impl Handler<Reconnect> for Connection {
    type Result = ();

    fn handle(&mut self, _: Reconnect, ctx: &mut Context<Self>) {
        if let State::Waiting { then, until, job } = &self.state {
            let (then, until, job) = (*then, *until, *job);
            ctx.cancel_future(job);
            // Never longer than it would have been: an interface that comes and goes must not put the next try off for ever.
            let remaining = until.saturating_duration_since(Instant::now());
            let wait = remaining.min(self.policy.hurry(&mut rand::rng()));
            tracing::info!("{}: asked to reconnect; next try in {:.1} s", self.name(), wait.as_secs_f64());
            self.wait(wait, then, ctx);
        }
    }
}

super::crashes_when_told!(Connection);

#[cfg(test)]
mod waits;
