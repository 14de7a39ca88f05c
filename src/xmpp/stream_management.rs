//! Stream management (XEP-0198): counting what came and what went, so that a stream can be resumed on a new connection and
//! nothing is lost or answered twice. Pure.

use std::collections::VecDeque;

use super::outgoing::Stanza;

/// The most stanzas of ours that may wait for their acknowledgement, and their bytes. Whoever asks faster than the server
/// acknowledges must not make us keep everything, nor cost us the stream: over it, the stream can no longer be resumed.
const MAX_UNACKNOWLEDGED: usize = 2000;
const MAX_UNACKNOWLEDGED_BYTES: usize = 512 * 1024;

/// So many stanzas of ours without acknowledgement, and one is asked for.
const ASK_AFTER: usize = 8;

/// The server acknowledged more than was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server acknowledges stanzas that were not sent")]
pub struct TooHigh;

/// What is said to resume a stream (XEP-0198 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The stream's identifier (`previd`).
    pub previous: String,
    /// How many stanzas of the server's we have handled (`h`).
    pub handled: u32,
}

/// The counts of one stream, and what is not acknowledged yet. It outlives the connection under it.
#[derive(Debug, Default)]
pub struct Management {
    /// `<enable/>` was sent: what is sent from then on counts.
    counting_sent: bool,
    /// `<enabled/>` came: what comes from then on counts.
    counting_received: bool,
    /// With which the stream can be resumed.
    identifier: Option<String>,
    received: u32,
    acknowledged: u32,
    unacknowledged: VecDeque<Stanza>,
    /// Of those.
    bytes: usize,
    asked: bool,
}

impl Management {
    /// `<enable/>` is sent.
    pub fn enable(&mut self) {
        self.counting_sent = true;
    }

    /// `<enabled/>` has come; with `identifier` if the stream can be resumed.
    pub fn enabled(&mut self, identifier: Option<String>) {
        self.counting_received = self.counting_sent;
        self.identifier = identifier.filter(|_| self.counting_sent);
    }

    /// `<failed/>` has come: there is no stream management.
    pub fn failed(&mut self) {
        *self = Self::default();
    }

    /// Whether the server manages the stream.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.counting_received
    }

    /// With what the stream could be resumed.
    #[must_use]
    pub fn resumption(&self) -> Option<Resumption> {
        Some(Resumption { previous: self.identifier.clone()?, handled: self.received })
    }

    /// A stanza has come.
    pub fn received(&mut self) {
        if self.counting_received {
            self.received = self.received.wrapping_add(1);
        }
    }

    /// How many stanzas have come, modulo 2^32: the `h` of our acknowledgement.
    #[must_use]
    pub fn handled(&self) -> u32 {
        self.received
    }

    /// A stanza is sent, or is to be sent once the stream is resumed. True if an acknowledgement is to be asked for.
    pub fn sent(&mut self, stanza: Stanza) -> bool {
        if !self.counting_sent {
            return false;
        }
        self.bytes += stanza.memory_cost();
        self.unacknowledged.push_back(stanza);
        if self.unacknowledged.len() > MAX_UNACKNOWLEDGED || self.bytes > MAX_UNACKNOWLEDGED_BYTES {
            self.give_resumption_up();
            return false;
        }
        let ask = self.counting_received && !self.asked && self.unacknowledged.len() >= ASK_AFTER;
        self.asked |= ask;
        ask
    }

    /// What was received goes on being acknowledged; what is sent is no longer kept.
    fn give_resumption_up(&mut self) {
        self.counting_sent = false;
        self.identifier = None;
        self.unacknowledged = VecDeque::new();
        self.bytes = 0;
    }

    /// The server says how many of our stanzas it has handled, modulo 2^32.
    ///
    /// # Errors
    /// [`TooHigh`].
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
        self.asked = false;
        Ok(())
    }

    /// The stream is resumed and the server has handled `h` of our stanzas: those that have to be sent again, in order.
    ///
    /// # Errors
    /// [`TooHigh`].
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
    fn what_comes_counts_from_enabled_and_what_goes_from_enable() {
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
    fn only_what_was_not_handled_is_sent_again() {
        let mut management = on();
        for n in 0..5 {
            management.sent(stanza(n));
        }
        management.acknowledged(2).unwrap();
        assert_eq!(management.resumed(4).unwrap(), [stanza(4)]);
        assert_eq!(management.resumed(4).unwrap(), [stanza(4)], "it is not handled by being sent again");
        management.acknowledged(5).unwrap();
        assert_eq!(management.resumed(5).unwrap(), []);
    }

    #[test]
    fn acknowledging_what_was_not_sent_is_an_error() {
        let mut management = on();
        management.sent(stanza(0));
        assert_eq!(management.acknowledged(2), Err(TooHigh));
        assert_eq!(management.acknowledged(u32::MAX), Err(TooHigh));
        assert_eq!(management.resumed(2), Err(TooHigh));
    }

    #[test]
    fn the_counts_wrap_at_2_to_the_32() {
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
    fn an_acknowledgement_is_asked_for_once_until_it_comes() {
        let mut management = on();
        let asked: Vec<bool> = (0..20).map(|n| management.sent(stanza(n))).collect();
        assert_eq!(asked.iter().filter(|&&asked| asked).count(), 1);
        assert!(asked[ASK_AFTER - 1]);
        management.acknowledged(10).unwrap();
        assert!(management.sent(stanza(20)));
    }

    #[test]
    fn too_many_that_are_not_acknowledged_cost_the_resumption_and_not_the_stream() {
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
        assert_eq!(management.handled(), 1, "what comes is still counted");
    }

    #[test]
    fn so_do_a_few_that_are_large() {
        let large = |length: usize| {
            let reply_to = ReplyTo { id: Some("x".repeat(length)), from: None };
            Stanza::Iq(reply_to.result())
        };
        let mut management = on();
        management.sent(large(400 * 1024));
        management.acknowledged(1).unwrap();
        management.sent(large(400 * 1024));
        assert!(management.resumption().is_some(), "what was acknowledged no longer counts");
        management.sent(large(200 * 1024));
        assert_eq!(management.resumption(), None);
    }

    #[test]
    fn an_enabled_that_nobody_asked_for_enables_nothing() {
        let mut management = Management::default();
        management.enabled(Some("some-id".to_owned()));
        assert!(!management.is_on());
        assert_eq!(management.resumption(), None);
    }
}
