//! Senders that gave wrong credentials too often. Pure: the time is an argument.
//!
//! The memory is bounded whoever sends. What is forgotten first is the sender with the fewest wrong tries that is not
//! locked out, and of those the oldest; a lock-out is never forgotten before its time. So nobody can push his own lock-out
//! out by flooding. If all places are taken by lock-outs, a new sender's wrong tries are not remembered; by then the
//! flood has cost its sender [`PLACES`] accounts with five requests each within a minute.

use std::collections::HashMap;
use std::time::Duration;

use jid::BareJid;
use tokio::time::Instant;

/// Wrong tries within [`WINDOW`] that lock a sender out.
pub const TRIES: usize = 5;
/// How long a wrong try counts.
pub const WINDOW: Duration = Duration::from_secs(60);
/// How long a sender stays locked out, counted from the try that did it.
pub const LOCKED: Duration = Duration::from_secs(60);
/// How many senders are remembered: 64 of at most 2 kB each.
pub const PLACES: usize = 64;

#[derive(Debug, Clone)]
enum Record {
    Wrong(Vec<Instant>),
    Locked(Instant),
}

/// The memory of wrong credentials, by bare JID.
#[derive(Debug, Clone, Default)]
pub struct Lockout {
    senders: HashMap<BareJid, Record>,
}

impl Lockout {
    /// Whether this sender is locked out now.
    #[must_use]
    pub fn is_locked(&self, sender: &BareJid, now: Instant) -> bool {
        matches!(self.senders.get(sender), Some(Record::Locked(since)) if now.duration_since(*since) < LOCKED)
    }

    /// Notes wrong credentials. True if the sender is locked out from now on.
    pub fn wrong(&mut self, sender: &BareJid, now: Instant) -> bool {
        self.forget_the_past(now);
        if !self.senders.contains_key(sender) && !self.make_room() {
            return false;
        }
        let record = self.senders.entry(sender.clone()).or_insert_with(|| Record::Wrong(Vec::new()));
        let Record::Wrong(tries) = record else { return true };
        tries.push(now);
        if tries.len() < TRIES {
            return false;
        }
        *record = Record::Locked(now);
        true
    }

    /// Right credentials end the count.
    pub fn right(&mut self, sender: &BareJid) {
        self.senders.remove(sender);
    }

    fn forget_the_past(&mut self, now: Instant) {
        self.senders.retain(|_, record| match record {
            Record::Locked(since) => now.duration_since(*since) < LOCKED,
            Record::Wrong(tries) => {
                tries.retain(|at| now.duration_since(*at) < WINDOW);
                !tries.is_empty()
            }
        });
    }

    fn make_room(&mut self) -> bool {
        if self.senders.len() < PLACES {
            return true;
        }
        let weakest = self
            .senders
            .iter()
            .filter_map(|(sender, record)| match record {
                Record::Wrong(tries) => Some(((tries.len(), tries.last().copied()), sender.clone())),
                Record::Locked(_) => None,
            })
            .min_by_key(|(rank, _)| *rank);
        weakest.is_some_and(|(_, sender)| self.senders.remove(&sender).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(n: usize) -> BareJid {
        BareJid::new(&format!("sender{n}@a.test")).unwrap()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_fifth_wrong_try_within_60_s_locks_for_60_s() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..4 {
            assert!(!lockout.wrong(&jid(1), start + seconds(n)));
        }
        assert!(!lockout.is_locked(&jid(1), start + seconds(4)));
        assert!(lockout.wrong(&jid(1), start + seconds(59)));
        assert!(lockout.is_locked(&jid(1), start + seconds(59)));
        assert!(lockout.is_locked(&jid(1), start + seconds(118)));
        assert!(!lockout.is_locked(&jid(1), start + seconds(119)));
        assert!(!lockout.is_locked(&jid(2), start + seconds(60)));
    }

    #[test]
    fn a_try_of_60_s_ago_no_longer_counts() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..4 {
            lockout.wrong(&jid(1), start + seconds(n));
        }
        assert!(!lockout.wrong(&jid(1), start + seconds(60)));
        assert!(!lockout.wrong(&jid(1), start + seconds(61)));
    }

    #[test]
    fn right_credentials_end_the_count() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..4 {
            lockout.wrong(&jid(1), start);
        }
        lockout.right(&jid(1));
        assert!(!lockout.wrong(&jid(1), start));
    }

    #[test]
    fn a_flood_neither_grows_the_memory_nor_frees_the_locked() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..TRIES {
            lockout.wrong(&jid(0), start);
        }
        for n in 1..100_000 {
            lockout.wrong(&jid(n), start + seconds(1));
        }
        assert!(lockout.senders.len() <= PLACES);
        assert!(lockout.is_locked(&jid(0), start + seconds(2)));
    }

    #[test]
    fn who_tried_most_is_forgotten_last() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..TRIES - 1 {
            lockout.wrong(&jid(0), start);
        }
        for n in 1..1000 {
            lockout.wrong(&jid(n), start + seconds(1));
        }
        assert!(lockout.wrong(&jid(0), start + seconds(2)), "its four tries were forgotten");
    }
}
