//! Stream management (XEP-0198): counts stanzas in both directions, so that a stream can be resumed on a new connection
//! without losing a stanza or answering one twice. Pure.

use std::collections::VecDeque;

use super::outgoing::Stanza;

/// Maximum number of unacknowledged stanzas, and of their bytes. Requests may arrive faster than the server
/// acknowledges our answers: beyond the limits the stream continues, but can no longer be resumed.
const MAX_UNACKNOWLEDGED: usize = 2000;
const MAX_UNACKNOWLEDGED_BYTES: usize = 512 * 1024;

/// Number of unacknowledged stanzas after which an acknowledgement is requested.
const REQUEST_AFTER: usize = 8;

/// The server acknowledged more stanzas than were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server acknowledges stanzas that were not sent")]
pub struct TooHigh;

/// The content of `<resume/>` (XEP-0198 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The stream's identifier (`previd`).
    pub previous: String,
    /// The number of the server's stanzas that we have handled, modulo 2^32 (`h`).
    pub handled: u32,
}

/// The counts of a stream, and the unacknowledged stanzas. It outlives the TCP connection.
#[derive(Debug, Default)]
pub struct Management {
    /// Sent stanzas count: `<enable/>` was sent.
    counting_sent: bool,
    /// Received stanzas count: `<enabled/>` was received.
    counting_received: bool,
    /// The identifier for a resumption; `None`: the stream cannot be resumed.
    identifier: Option<String>,
    received: u32,
    acknowledged: u32,
    unacknowledged: VecDeque<Stanza>,
    /// Memory cost of the unacknowledged stanzas.
    bytes: usize,
    /// An acknowledgement was requested, and has not been received.
    requested: bool,
}

impl Management {
    /// Records that `<enable/>` is sent.
    pub fn enable(&mut self) {
        self.counting_sent = true;
    }

    /// Records `<enabled/>`. `identifier`: if the stream can be resumed. Ignored if it was not requested.
    pub fn enabled(&mut self, identifier: Option<String>) {
        self.counting_received = self.counting_sent;
        self.identifier = identifier.filter(|_| self.counting_sent);
    }

    /// Records `<failed/>`: there is no stream management.
    pub fn failed(&mut self) {
        *self = Self::default();
    }

    /// Whether stream management is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.counting_received
    }

    /// Returns what to send to resume the stream; `None` if that is not possible.
    #[must_use]
    pub fn resumption(&self) -> Option<Resumption> {
        Some(Resumption { previous: self.identifier.clone()?, handled: self.received })
    }

    /// Counts a received stanza.
    pub fn received(&mut self) {
        if self.counting_received {
            self.received = self.received.wrapping_add(1);
        }
    }

    /// The number of received stanzas, modulo 2^32: the `h` of our acknowledgement.
    #[must_use]
    pub fn handled(&self) -> u32 {
        self.received
    }

    /// Records a stanza that is sent, or will be sent when the stream is resumed. Returns whether to request an
    /// acknowledgement.
    pub fn sent(&mut self, stanza: Stanza) -> bool {
        if !self.counting_sent {
            return false;
        }
        self.bytes += stanza.memory_cost();
        self.unacknowledged.push_back(stanza);
        if self.unacknowledged.len() > MAX_UNACKNOWLEDGED || self.bytes > MAX_UNACKNOWLEDGED_BYTES {
            self.give_up_resumption();
            return false;
        }
        let request = self.counting_received && !self.requested && self.unacknowledged.len() >= REQUEST_AFTER;
        self.requested |= request;
        request
    }

    /// Stops recording sent stanzas. Received ones are still acknowledged.
    fn give_up_resumption(&mut self) {
        self.counting_sent = false;
        self.identifier = None;
        self.unacknowledged = VecDeque::new();
        self.bytes = 0;
    }

    /// Records the number of our stanzas that the server has handled, modulo 2^32.
    ///
    /// # Errors
    /// Not so many were sent.
    pub fn acknowledged(&mut self, h: u32) -> Result<(), TooHigh> {
        if !self.counting_sent {
            return Ok(());
        }
        let more = usize::try_from(h.wrapping_sub(self.acknowledged)).unwrap_or(usize::MAX);
        if more > self.unacknowledged.len() {
            return Err(TooHigh);
        }
        self.bytes -= self.unacknowledged.drain(..more).map(|stanza| stanza.memory_cost()).sum::<usize>();
        self.acknowledged = h;
        self.requested = false;
        Ok(())
    }

    /// Records that the stream is resumed, and that the server has handled `h` of our stanzas. Returns those to send
    /// again, in order.
    ///
    /// # Errors
    /// Not so many were sent.
    pub fn resumed(&mut self, h: u32) -> Result<Vec<Stanza>, TooHigh> {
        self.acknowledged(h)?;
        Ok(self.unacknowledged.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::stanza::ReplyTo;

    fn stanza(n: u32) -> Stanza {
        let reply_to = ReplyTo { id: Some(n.to_string()), from: None };
        Stanza::Iq(reply_to.result())
    }

    fn on() -> Management {
        let mut management = Management::default();
        management.enable();
        management.enabled(Some("some-id".to_owned()));
        management
    }

    #[test]
    fn received_stanzas_count_from_enabled_and_sent_ones_from_enable() {
        let mut management = Management::default();
        management.sent(stanza(0));
        management.received();
        management.enable();
        management.sent(stanza(1));
        management.received();
        assert_eq!(management.resumption(), None);
        management.enabled(Some("some-id".to_owned()));
        management.received();
        assert_eq!(management.resumption(), Some(Resumption { previous: "some-id".to_owned(), handled: 1 }));
        assert_eq!(management.resumed(0).unwrap(), [stanza(1)]);
    }

    #[test]
    fn only_unhandled_stanzas_are_sent_again() {
        let mut management = on();
        for n in 0..5 {
            management.sent(stanza(n));
        }
        management.acknowledged(2).unwrap();
        assert_eq!(management.resumed(4).unwrap(), [stanza(4)]);
        assert_eq!(management.resumed(4).unwrap(), [stanza(4)], "sending again does not count as handled");
        management.acknowledged(5).unwrap();
        assert_eq!(management.resumed(5).unwrap(), []);
    }

    #[test]
    fn acknowledging_too_many_is_an_error() {
        let mut management = on();
        management.sent(stanza(0));
        assert_eq!(management.acknowledged(2), Err(TooHigh));
        assert_eq!(management.acknowledged(u32::MAX), Err(TooHigh));
        assert_eq!(management.resumed(2), Err(TooHigh));
    }

    #[test]
    fn counts_wrap_at_2_to_the_32() {
        let mut management = on();
        management.received = u32::MAX;
        management.acknowledged = u32::MAX;
        management.received();
        assert_eq!(management.handled(), 0);
        management.sent(stanza(0));
        management.sent(stanza(1));
        management.acknowledged(0).unwrap();
        assert_eq!(management.resumed(0).unwrap(), [stanza(1)]);
    }

    #[test]
    fn an_acknowledgement_is_requested_once_until_it_is_received() {
        let mut management = on();
        let requests: Vec<bool> = (0..20).map(|n| management.sent(stanza(n))).collect();
        assert_eq!(requests.iter().filter(|&&request| request).count(), 1);
        assert!(requests[REQUEST_AFTER - 1]);
        management.acknowledged(10).unwrap();
        assert!(management.sent(stanza(20)));
    }

    #[test]
    fn too_many_unacknowledged_stanzas_prevent_a_resumption() {
        let mut management = on();
        for n in 0..2000 {
            management.sent(stanza(n));
        }
        assert!(management.resumption().is_some());
        management.sent(stanza(2000));
        assert_eq!(management.resumption(), None);
        assert_eq!(management.unacknowledged.len(), 0);
        management.acknowledged(1500).unwrap();
        management.received();
        assert_eq!(management.handled(), 1, "received stanzas still count");
    }

    #[test]
    fn large_unacknowledged_stanzas_prevent_a_resumption() {
        let large = |length: usize| {
            let reply_to = ReplyTo { id: Some("x".repeat(length)), from: None };
            Stanza::Iq(reply_to.result())
        };
        let mut management = on();
        management.sent(large(400 * 1024));
        management.acknowledged(1).unwrap();
        management.sent(large(400 * 1024));
        assert!(management.resumption().is_some(), "acknowledged stanzas do not count");
        management.sent(large(200 * 1024));
        assert_eq!(management.resumption(), None);
    }

    #[test]
    fn an_unrequested_enabled_is_ignored() {
        let mut management = Management::default();
        management.enabled(Some("some-id".to_owned()));
        assert!(!management.is_on());
        assert_eq!(management.resumption(), None);
    }
}
