//! The state Online: a stream is up. Answers stanzas, as far as that takes no other actor, and keeps the stream alive.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::Stream;
use jid::FullJid;
use rand::RngExt as _;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

use super::bound_resource::BoundResource;
use super::questions::Question;
use crate::actors::messages::DiscoQuery;
use crate::config::model::KeepAlive;
use crate::cwmp::authorize::{Refusal, Request};
use crate::notice;
use crate::xmpp::bind::SessionStart;
use crate::xmpp::established::{StreamCommand, StreamEvent, events};
use crate::xmpp::incoming::{Element, IncomingIq, KnownElement};
use crate::xmpp::keepalive::{Due, KeepaliveTimer};
use crate::xmpp::login::Session;
use crate::xmpp::outgoing::{OutgoingIq, OutgoingPayload};
use crate::xmpp::payload::GivenCredentials;
use crate::xmpp::stanza::{IqKind, ReplyTo, classify};
use crate::xmpp::xml_stream::StreamFault;

/// A stream that is up, and the resource that is bound on it.
pub(super) struct Online {
    pub(super) since: Instant,
    pub(super) resource: BoundResource,
    pub(super) keepalive: KeepaliveTimer,
    /// When the last byte came in.
    last_received: Rc<Cell<Instant>>,
    /// The ping that is not answered yet: its id, and when it was sent.
    ping: Option<(String, Instant)>,
}

impl Online {
    /// Begins to exchange stanzas. Returns what happens on the stream, too; dropping that drops the stream.
    pub(super) fn begin(
        session: Session,
        mut resource: BoundResource,
        keepalive: KeepAlive,
    ) -> (Self, impl Stream<Item = StreamEvent>) {
        let (outgoing, commands) = unbounded_channel();
        match session.start {
            SessionStart::Bound { .. } => resource.begin(outgoing),
            SessionStart::Resumed { handled } => resource.resume(outgoing, handled),
        }
        let last_received = session.stream.last_received();
        let events = events(session, commands, Rc::clone(&resource.management));
        let keepalive = KeepaliveTimer::new(keepalive);
        (Self { since: Instant::now(), resource, keepalive, last_received, ping: None }, events)
    }

    /// Rejects what is pending and closes the stream. False if the stream is over already.
    pub(super) fn close(&mut self) -> bool {
        self.resource.reject_pending();
        self.resource.command(StreamCommand::Close)
    }

    /// Answers an element, or returns what the router has to be asked first.
    pub(super) fn received(&mut self, element: Element) -> Option<Question> {
        match element {
            Element::Known(KnownElement::Iq(iq)) => {
                self.count_received(iq.type_.as_deref());
                return self.received_iq(iq);
            }
            Element::Known(KnownElement::Message { type_ } | KnownElement::Presence { type_ }) => {
                self.count_received(type_.as_deref());
            }
            // Late parts of a negotiation, or unknown elements: no reason to leave.
            Element::Known(_) | Element::Unknown => tracing::debug!("ignored an element that is no stanza"),
        }
        None
    }

    fn count_received(&self, type_: Option<&str>) {
        self.resource.row.count(|stats| {
            stats.received += 1;
            stats.received_errors += u64::from(type_ == Some("error"));
        });
    }

    fn received_iq(&mut self, mut iq: IncomingIq) -> Option<Question> {
        let reply_to = ReplyTo::of(&iq);
        let answer = match classify(&mut iq) {
            IqKind::ConnectionRequest(credentials) => return self.connection_request(credentials, reply_to),
            IqKind::DiscoInfo { has_node } => return Some(self.disco_info(has_node, reply_to)),
            IqKind::Answer { id, from } => {
                self.received_answer(id.as_deref(), from.as_deref());
                return None;
            }
            IqKind::Ping => reply_to.result(),
            IqKind::BadRequest => {
                tracing::debug!("IQ from {} refused: it is malformed", self.resource.sender_name(&reply_to));
                reply_to.bad_request()
            }
            IqKind::Unsupported => {
                tracing::debug!("IQ from {} refused: unknown payload", self.resource.sender_name(&reply_to));
                reply_to.service_unavailable()
            }
        };
        self.resource.send(answer);
        None
    }

    fn connection_request(&mut self, credentials: Option<GivenCredentials>, reply_to: ReplyTo) -> Option<Question> {
        let reply_to = Rc::new(reply_to);
        let Some(number) = self.resource.pending.add(&reply_to) else {
            let from = self.resource.sender_name(&reply_to);
            notice!("connection request from {from} refused: too many requests are pending on this connection");
            self.resource.row.count(|stats| stats.count(Refusal::Limit));
            self.resource.send(reply_to.service_unavailable());
            return None;
        };
        let BoundResource { row, jid, serial, .. } = &self.resource;
        let request = Request { connection: row.id, account: jid.to_bare(), from: reply_to.from.clone(), credentials };
        Some(Question::Authorize { request, serial: *serial, number, reply_to })
    }

    fn disco_info(&self, has_node: bool, reply_to: ReplyTo) -> Question {
        let BoundResource { row, jid, serial, .. } = &self.resource;
        let query = DiscoQuery { connection: row.id, account: jid.to_bare(), from: reply_to.from.clone() };
        Question::Disco { query, serial: *serial, has_node, reply_to }
    }

    /// Any answer to our ping counts, an error too. Other answers are ignored.
    fn received_answer(&mut self, id: Option<&str>, from: Option<&str>) {
        let is_awaited = |(awaited, _): &mut (String, Instant)| id == Some(awaited);
        let answered = if is_own_server(from, &self.resource.jid) { self.ping.take_if(is_awaited) } else { None };
        match answered {
            Some((_, sent)) => tracing::debug!("the server answered after {} ms", sent.elapsed().as_millis()),
            None => self.resource.row.count(|stats| stats.ignored += 1),
        }
    }

    /// Probes the server if that is due. Returns when to check again; none = never.
    ///
    /// # Errors
    /// [`StreamFault::Silent`] if the last probe was not answered in time.
    pub(super) fn check_keepalive(&mut self) -> Result<Option<Instant>, StreamFault> {
        let now = Instant::now();
        match self.keepalive.due(self.last_received.get(), now) {
            Due::Off => Ok(None),
            Due::At(next) => Ok(Some(next)),
            Due::Dead => Err(StreamFault::Silent(self.last_received.get().elapsed().as_secs())),
            Due::Probe { deadline } => {
                self.probe(now);
                Ok(Some(deadline))
            }
        }
    }

    fn probe(&mut self, now: Instant) {
        if self.resource.management.borrow().is_on() {
            self.resource.command(StreamCommand::AskAcknowledgement);
            return;
        }
        let id = format!("{:016x}", rand::rng().random::<u64>());
        self.ping = Some((id.clone(), now));
        self.resource.send(OutgoingIq { type_: "get", id: Some(id), to: None, payload: vec![OutgoingPayload::Ping] });
    }
}

/// Whether an answer with this `from` is the account's own server's: it answers without one, or as the account, its domain
/// or our full JID (RFC 6120 8.1.2.1).
fn is_own_server(from: Option<&str>, ours: &FullJid) -> bool {
    from.is_none_or(|from| from == ours.domain().as_str() || from == ours.to_bare().as_str() || from == ours.as_str())
}
