//! The connection while its stream is up: answering stanzas, and the keepalive.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use jid::FullJid;
use rand::RngExt as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::{Connection, State};
use crate::actors::messages::{AuthorizeRequest, DiscoQuery, Outcome};
use crate::config::model::KeepAlive;
use crate::cwmp::authorize::{Refusal, Request};
use crate::notice;
use crate::xmpp::connect::Session;
use crate::xmpp::incoming::{Element, Iq, Known};
use crate::xmpp::keepalive::{Due, Timer};
use crate::xmpp::outgoing::{Iq as OutIq, Payload as OutPayload, Presence, Stanza};
use crate::xmpp::payload::GivenCredentials;
use crate::xmpp::session::{End, SharedManagement, StreamCommand, events};
use crate::xmpp::stanza::{Meaning, ReplyTo, meaning};
use crate::xmpp::xml_stream::StreamFault;

/// Requests whose outcome is awaited, on one connection, and the bytes of their addresses. Over it they are refused at
/// once: each takes memory.
const MAX_PENDING: usize = 1000;
const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// The stream's own part of the connection's state.
pub(super) struct Online {
    pub(super) since: Instant,
    pub(super) keepalive: Timer,
    outgoing: UnboundedSender<StreamCommand>,
    /// When the last byte came in.
    last_received: Rc<Cell<Instant>>,
    /// The ping that is awaited: its id, and when it was sent.
    ping: Option<(String, Instant)>,
    session: SpawnHandle,
    timer: Option<SpawnHandle>,
}

impl Online {
    /// Begins to read and write the session's stream.
    pub(super) fn begin(
        session: Session,
        keepalive: KeepAlive,
        management: SharedManagement,
        ctx: &mut Context<Connection>,
    ) -> Self {
        let (outgoing, queue) = unbounded_channel();
        let last_received = session.stream.last_received();
        let session = ctx.add_stream(Box::pin(events(session, queue, management)));
        Self {
            since: Instant::now(),
            keepalive: Timer::new(keepalive),
            outgoing,
            last_received,
            ping: None,
            session,
            timer: None,
        }
    }

    /// Hands something to the stream. False if that is over already.
    pub(super) fn send(&self, out: StreamCommand) -> bool {
        self.outgoing.send(out).is_ok()
    }

    /// Drops the stream, whatever state it is in.
    pub(super) fn leave(self, ctx: &mut Context<Connection>) {
        ctx.cancel_future(self.session);
        if let Some(timer) = self.timer {
            ctx.cancel_future(timer);
        }
    }
}

/// What belongs to one bound resource, also over an outage that the stream survives by being resumed.
pub(super) struct BoundResource {
    pub(super) jid: FullJid,
    pub(super) management: SharedManagement,
    /// Tells this one from those before and after.
    serial: u64,
    /// Requests whose outcome is awaited, by number.
    pending: BTreeMap<u64, Rc<ReplyTo>>,
    /// What it takes to keep them.
    pending_bytes: usize,
    /// How many requests there were.
    requests: u64,
}

impl BoundResource {
    /// A resource that was bound just now; `managed` if stream management is asked for on its stream.
    pub(super) fn new(jid: FullJid, managed: bool, serial: u64) -> Self {
        let management = SharedManagement::default();
        if managed {
            management.borrow_mut().enable();
        }
        Self { jid, management, serial, pending: BTreeMap::new(), pending_bytes: 0, requests: 0 }
    }

    /// Keeps where the answer goes to until it is there, and gives the request's number; none if there are too many.
    fn keep(&mut self, reply_to: &Rc<ReplyTo>) -> Option<u64> {
        let bytes = self.pending_bytes + reply_to.memory_cost();
        if self.pending.len() >= MAX_PENDING || bytes > MAX_PENDING_BYTES {
            return None;
        }
        self.pending_bytes = bytes;
        self.requests += 1;
        self.pending.insert(self.requests, Rc::clone(reply_to));
        Some(self.requests)
    }

    /// Whether this request is still to be answered; from now on it is not.
    fn settle(&mut self, number: u64) -> bool {
        let settled = self.pending.remove(&number);
        self.pending_bytes -= settled.as_ref().map_or(0, |reply_to| reply_to.memory_cost());
        settled.is_some()
    }

    /// Whether the server could resume the stream.
    pub(super) fn is_resumable(&self) -> bool {
        self.management.borrow().resumption().is_some()
    }
}

impl Connection {
    /// The initial presence.
    pub(super) fn send_initial_presence(&mut self) {
        self.transmit(Stanza::Presence(Presence { priority: -1 }));
    }

    /// Sends a stanza; in an outage it waits for the stream to be resumed.
    fn transmit(&self, stanza: Stanza) {
        let Some(resource) = &self.resource else { return };
        // Nothing follows `</stream:stream>`.
        if matches!(self.state, State::Closing) {
            return;
        }
        let error = stanza.is_error();
        let ask = resource.management.borrow_mut().sent(stanza.clone());
        if let State::Online(online) = &self.state {
            online.send(StreamCommand::Stanza(stanza));
            if ask {
                online.send(StreamCommand::AskAcknowledgement);
            }
        }
        self.report(|report| {
            report.stats.transmitted += 1;
            report.stats.transmitted_errors += u64::from(error);
        });
    }

    /// Sends again what the server has not got of a stream that is resumed.
    pub(super) fn retransmit(&self, handled: u32) {
        let (State::Online(online), Some(resource)) = (&self.state, &self.resource) else { return };
        match resource.management.borrow_mut().resumed(handled) {
            Ok(again) => {
                for stanza in again {
                    online.send(StreamCommand::Stanza(stanza));
                }
            }
            Err(error) => _ = online.send(StreamCommand::Abort(error)),
        }
    }

    fn answer(&self, iq: OutIq) {
        self.transmit(Stanza::Iq(iq));
    }

    pub(super) fn received(&mut self, element: Element, ctx: &mut Context<Self>) {
        if !matches!(self.state, State::Online(_)) {
            return;
        }
        match element {
            Element::Known(Known::Iq(iq)) => {
                self.count_received(iq.type_.as_deref());
                self.received_iq(iq, ctx);
            }
            Element::Known(Known::Message { type_ } | Known::Presence { type_ }) => {
                self.count_received(type_.as_deref());
            }
            // Parts of a negotiation that is over, or nothing that we know: not for us, and no reason to leave.
            Element::Known(_) | Element::Unknown => {
                tracing::debug!("{}: ignored an element that is no stanza", self.name());
            }
        }
    }

    fn count_received(&self, type_: Option<&str>) {
        self.report(|report| {
            report.stats.received += 1;
            report.stats.received_errors += u64::from(type_ == Some("error"));
        });
    }

    fn received_iq(&mut self, mut iq: Iq, ctx: &mut Context<Self>) {
        let reply_to = ReplyTo::of(&iq);
        match meaning(&mut iq) {
            Meaning::Answer { id, from } => self.received_answer(id.as_deref(), from.as_deref()),
            Meaning::ConnectionRequest(credentials) => self.connection_request(credentials, reply_to, ctx),
            Meaning::DiscoInfo { node } => self.disco_info(node, reply_to, ctx),
            Meaning::Ping => self.answer(reply_to.result()),
            Meaning::BadRequest => self.answer(reply_to.bad_request()),
            Meaning::Unsupported => self.answer(reply_to.service_unavailable()),
        }
    }

    /// Any answer to our ping is a sign of life, an error too; whatever else comes as an answer is nobody's.
    fn received_answer(&mut self, id: Option<&str>, from: Option<&str>) {
        let name = self.name().to_string();
        let (State::Online(online), Some(resource)) = (&mut self.state, &self.resource) else { return };
        let ours = online.ping.as_ref().is_some_and(|(awaited, _)| id == Some(awaited));
        if ours && is_own_server(from, &resource.jid) {
            if let Some((_, sent)) = online.ping.take() {
                tracing::debug!("{name}: the server answered after {} ms", sent.elapsed().as_millis());
            }
        } else {
            self.report(|report| report.stats.ignored += 1);
        }
    }

    fn connection_request(
        &mut self,
        credentials: Option<GivenCredentials>,
        reply_to: ReplyTo,
        ctx: &mut Context<Self>,
    ) {
        let (id, alias) = (self.id(), self.settings.alias.clone());
        let Some(resource) = &mut self.resource else { return };
        let reply_to = Rc::new(reply_to);
        let Some(number) = resource.keep(&reply_to) else {
            let from = reply_to.from.as_deref().unwrap_or("its own server");
            notice!("connection {id} ({alias}): connection request from {from} refused: too many at once");
            self.report(|report| report.stats.count(Refusal::Limit));
            return self.answer(reply_to.service_unavailable());
        };
        let serial = resource.serial;
        let account = resource.jid.to_bare();
        let request = Request { connection: id, account, from: reply_to.from.clone(), credentials };
        let asked = self.context.authorize.send(AuthorizeRequest { request, alias: alias.clone() });
        ctx.spawn(asked.into_actor(self).map(move |outcome, connection, _| {
            if outcome.is_err() {
                let from = reply_to.from.as_deref().unwrap_or("its own server");
                notice!("connection {id} ({alias}): connection request from {from} failed: nobody is there to decide");
                connection.report(|report| report.stats.notify_failed += 1);
            }
            // The answer belongs to the bound resource that got the request.
            let resource = connection.resource.as_mut().filter(|resource| resource.serial == serial);
            if resource.is_some_and(|resource| resource.settle(number)) {
                connection.answer(match outcome {
                    Ok(Outcome::Accepted) => reply_to.result(),
                    Ok(Outcome::Refused(Refusal::Malformed)) => reply_to.bad_request(),
                    Ok(Outcome::Refused(Refusal::Credentials)) => reply_to.not_authorized(),
                    Ok(Outcome::Refused(_) | Outcome::NotifyFailed(_)) | Err(_) => reply_to.service_unavailable(),
                });
            }
        }));
    }

    /// Answers the requests whose outcome cannot be awaited any more, because the stream is about to be closed: each gets
    /// its one answer (RFC 6120 8.2.3). How they go on is counted all the same.
    pub(super) fn reject_pending(&mut self) {
        let Some(resource) = &mut self.resource else { return };
        resource.pending_bytes = 0;
        for reply_to in std::mem::take(&mut resource.pending).into_values() {
            let from = reply_to.from.as_deref().unwrap_or("its own server");
            notice!("{}: connection request from {from} not decided yet: the stream is closed", self.name());
            self.answer(reply_to.service_unavailable());
        }
    }

    fn disco_info(&mut self, node: bool, reply_to: ReplyTo, ctx: &mut Context<Self>) {
        let connection = self.id();
        let Some(resource) = &self.resource else { return };
        let serial = resource.serial;
        let question = DiscoQuery { connection, account: resource.jid.to_bare(), from: reply_to.from.clone() };
        ctx.spawn(self.context.disco.send(question).into_actor(self).map(move |knowledge, connection, _| {
            if connection.resource.as_ref().is_none_or(|resource| resource.serial != serial) {
                return;
            }
            connection.answer(match knowledge.ok().flatten() {
                Some(known) if known.allowed && !node => reply_to.disco_info(known.takes_requests),
                _ => reply_to.service_unavailable(),
            });
        }));
    }

    /// Does what is due now, and looks again when the next thing is.
    pub(super) fn check_keepalive(&mut self, ctx: &mut Context<Self>) {
        let State::Online(online) = &mut self.state else { return };
        if let Some(timer) = online.timer.take() {
            ctx.cancel_future(timer);
        }
        let now = Instant::now();
        let next = match online.keepalive.due(online.last_received.get(), now) {
            Due::Never => return,
            Due::At(next) => next,
            Due::Dead => {
                let silent = StreamFault::Silent(online.last_received.get().elapsed().as_secs());
                return self.lost(&End::Fault(silent), ctx);
            }
            Due::Ask => {
                let next = match online.keepalive.due(online.last_received.get(), now) {
                    Due::At(next) => next,
                    Due::Ask | Due::Dead | Due::Never => now,
                };
                if self.resource.as_ref().is_some_and(|resource| resource.management.borrow().is_on()) {
                    online.send(StreamCommand::AskAcknowledgement);
                } else {
                    let id = format!("{:016x}", rand::rng().random::<u64>());
                    online.ping = Some((id.clone(), now));
                    self.answer(OutIq { type_: "get", id: Some(id), to: None, payload: vec![OutPayload::Ping] });
                }
                next
            }
        };
        let timer = ctx.run_later(next.saturating_duration_since(now), Self::check_keepalive_later);
        if let State::Online(online) = &mut self.state {
            online.timer = Some(timer);
        }
    }

    fn check_keepalive_later(&mut self, ctx: &mut Context<Self>) {
        self.check_keepalive(ctx);
    }
}

/// The account's own server answers without `from`, or as the account, its domain or ourselves (RFC 6120 8.1.2.1).
fn is_own_server(from: Option<&str>, ours: &FullJid) -> bool {
    from.is_none_or(|from| from == ours.domain().as_str() || from == ours.to_bare().as_str() || from == ours.as_str())
}
