//! A bound resource: what the connection sends, and the requests that it has not answered yet. It outlives its stream if
//! that can be resumed.

use jid::FullJid;
use tokio::sync::mpsc::UnboundedSender;

use super::pending_requests::PendingRequests;
use super::questions::Reply;
use super::status_row::StatusRow;
use crate::cwmp::sender::sender_name;
use crate::notice;
use crate::xmpp::established::{SharedManagement, StreamCommand};
use crate::xmpp::outgoing::{OutgoingIq, Presence, Stanza};
use crate::xmpp::stanza::ReplyTo;
use crate::xmpp::stream_management::Resumption;

/// A resource that the server has bound.
pub(super) struct BoundResource {
    pub(super) jid: FullJid,
    /// Tells this resource from those bound before and after.
    pub(super) serial: u64,
    pub(super) management: SharedManagement,
    pub(super) pending: PendingRequests,
    pub(super) row: StatusRow,
    /// The present stream; none during an outage.
    stream: Option<UnboundedSender<StreamCommand>>,
}

impl BoundResource {
    /// A resource without a stream yet; `managed` if stream management is asked for on its stream.
    pub(super) fn new(jid: FullJid, managed: bool, serial: u64, row: StatusRow) -> Self {
        let management = SharedManagement::default();
        if managed {
            management.borrow_mut().enable();
        }
        Self { jid, serial, management, pending: PendingRequests::default(), row, stream: None }
    }

    /// Its first stream has begun.
    pub(super) fn begin(&mut self, stream: UnboundedSender<StreamCommand>) {
        self.stream = Some(stream);
        self.transmit(Stanza::Presence(Presence { priority: -1 }));
    }

    /// Its stream was resumed, and the server has handled this many stanzas: sends the others again.
    pub(super) fn resume(&mut self, stream: UnboundedSender<StreamCommand>, handled: u32) {
        let commands = match self.management.borrow_mut().resumed(handled) {
            Ok(again) => again.into_iter().map(|stanza| StreamCommand::Stanza(Box::new(stanza))).collect(),
            Err(error) => vec![StreamCommand::Abort(error)],
        };
        self.stream = Some(stream);
        for command in commands {
            self.command(command);
        }
    }

    /// Its stream was lost. None if the stream cannot be resumed.
    pub(super) fn suspend(mut self) -> Option<Self> {
        self.stream = None;
        self.resumption().is_some().then_some(self)
    }

    /// What the server needs to resume the stream; none if it cannot be resumed.
    pub(super) fn resumption(&self) -> Option<Resumption> {
        self.management.borrow().resumption()
    }

    /// The sender of a request, for the log.
    pub(super) fn sender_name(&self, request: &ReplyTo) -> String {
        sender_name(request.from.as_deref(), &self.jid.to_bare()).to_owned()
    }

    /// Passes a command to the stream. False if that is over.
    pub(super) fn command(&self, command: StreamCommand) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.send(command).is_ok())
    }

    /// Sends an IQ; during an outage it waits for the stream to be resumed.
    pub(super) fn send(&self, iq: OutgoingIq) {
        self.transmit(Stanza::Iq(iq));
    }

    /// Sends the reply to a request, if this resource received it and has not answered it yet.
    pub(super) fn reply(&mut self, Reply { serial, number, iq }: Reply) {
        if serial == self.serial && number.is_none_or(|number| self.pending.remove(number)) {
            self.send(iq);
        }
    }

    fn transmit(&self, stanza: Stanza) {
        let is_error = stanza.is_error();
        let ask = self.management.borrow_mut().sent(stanza.clone());
        self.command(StreamCommand::Stanza(Box::new(stanza)));
        if ask {
            self.command(StreamCommand::AskAcknowledgement);
        }
        self.row.count(|stats| {
            stats.transmitted += 1;
            stats.transmitted_errors += u64::from(is_error);
        });
    }

    /// Answers the requests whose outcome is not awaited any more, because the stream is about to be closed: each gets
    /// exactly one answer (RFC 6120 8.2.3). The router still counts their outcome.
    pub(super) fn reject_pending(&mut self) {
        for reply_to in self.pending.remove_all() {
            let from = self.sender_name(&reply_to);
            notice!("connection request from {from} refused: the stream is being closed");
            self.send(reply_to.service_unavailable());
        }
    }
}
