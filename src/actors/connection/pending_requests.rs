//! Connection requests whose outcome is awaited.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::xmpp::stanza::ReplyTo;

/// Maximum number of pending requests on one connection; further ones are refused at once.
const MAX_PENDING: usize = 1000;
/// Maximum memory for their addresses, bytes.
const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// The pending requests of one bound resource, by number.
#[derive(Default)]
pub(super) struct PendingRequests {
    requests: BTreeMap<u64, Rc<ReplyTo>>,
    bytes: usize,
    /// Number of the last request.
    last: u64,
}

impl PendingRequests {
    /// Adds a request and returns its number; none if there are too many.
    pub(super) fn add(&mut self, reply_to: &Rc<ReplyTo>) -> Option<u64> {
        let bytes = self.bytes + reply_to.memory_cost();
        if self.requests.len() >= MAX_PENDING || bytes > MAX_PENDING_BYTES {
            return None;
        }
        self.bytes = bytes;
        self.last += 1;
        self.requests.insert(self.last, Rc::clone(reply_to));
        Some(self.last)
    }

    /// Removes a request. False if it was not pending any more.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let removed = self.requests.remove(&number);
        self.bytes -= removed.as_ref().map_or(0, |reply_to| reply_to.memory_cost());
        removed.is_some()
    }

    /// Removes all requests.
    pub(super) fn remove_all(&mut self) -> impl Iterator<Item = Rc<ReplyTo>> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.requests).into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_to(length: usize) -> Rc<ReplyTo> {
        Rc::new(ReplyTo { id: None, from: Some("x".repeat(length)) })
    }

    #[test]
    fn requests_over_the_limit_are_refused_until_one_is_decided() {
        let mut pending = PendingRequests::default();
        let first = pending.add(&reply_to(1)).unwrap();
        for _ in 1..MAX_PENDING {
            pending.add(&reply_to(1)).unwrap();
        }
        assert_eq!(pending.add(&reply_to(1)), None);
        assert!(pending.remove(first));
        assert!(pending.add(&reply_to(1)).is_some());
    }

    #[test]
    fn their_addresses_take_a_bounded_amount_of_memory() {
        let mut pending = PendingRequests::default();
        let half = reply_to(MAX_PENDING_BYTES / 2 - size_of::<ReplyTo>());
        let numbers = [(); 2].map(|()| pending.add(&half).unwrap());
        assert_eq!(pending.add(&reply_to(0)), None);
        assert!(numbers.map(|number| pending.remove(number)).iter().all(|removed| *removed));
        assert_eq!(pending.bytes, 0);
        pending.add(&half).unwrap();
        assert_eq!((pending.remove_all().count(), pending.bytes), (1, 0));
    }

    #[test]
    fn a_request_is_answered_once() {
        let mut pending = PendingRequests::default();
        let number = pending.add(&reply_to(1)).unwrap();
        assert!(pending.remove(number));
        assert!(!pending.remove(number));
    }
}
