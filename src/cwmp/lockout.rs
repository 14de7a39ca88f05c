//! Senders that gave wrong credentials too often. Pure: the time is an argument.
//!
//! The memory is bounded whoever sends. What is forgotten first is the sender with the fewest wrong tries that is not
//! locked out, and of those the oldest; a lock-out is never forgotten before its time. So nobody can push his own lock-out
//! out by flooding. If all places are taken by lock-outs, a new sender's wrong tries are not remembered; by then the
//! flood has cost its sender [`PLACES`] accounts with five requests each within a minute. With `allowed_jid` there is a
//! place for each of its senders, and nothing is forgotten.

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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Record {
    Wrong(Vec<Instant>),
    Locked(Instant),
}

/// The memory of wrong credentials, by bare JID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// Right credentials end the count: an ACS with a handful of them to try is not locked out by trying them each time.
    /// A sender that is locked out stays so.
    pub fn right(&mut self, sender: &BareJid) {
        if matches!(self.senders.get(sender), Some(Record::Wrong(_))) {
            self.senders.remove(sender);
        }
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
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use proptest::sample::select;
    use proptest::strategy::Strategy;

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
    fn right_credentials_end_the_count_and_no_lock_out() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..4 {
            lockout.wrong(&jid(1), start);
        }
        lockout.right(&jid(1));
        for _ in 0..4 {
            assert!(!lockout.wrong(&jid(1), start));
        }
        assert!(lockout.wrong(&jid(1), start));
        lockout.right(&jid(1));
        assert!(lockout.is_locked(&jid(1), start));
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

    /// What somebody does with his accounts, 500 of them, and how long it takes.
    #[derive(Debug, Clone)]
    enum Op {
        Try { sender: usize, count: usize },
        Flood { from: usize, count: usize },
        Wait(Duration),
    }

    fn ops() -> impl Strategy<Value = Op> {
        let wait = select(vec![1, 20_000, 59_999, 60_000]).prop_map(|ms| Op::Wait(Duration::from_millis(ms)));
        proptest::prop_oneof![
            12 => (0..500_usize, 1..=TRIES).prop_map(|(sender, count)| Op::Try { sender, count }),
            2 => (0..400_usize, 50..100_usize).prop_map(|(from, count)| Op::Flood { from, count }),
            1 => wait,
        ]
    }

    thread_local! {
        /// Reading a JID takes long.
        static SENDERS: Vec<BareJid> = (0..500).map(jid).collect();
    }

    proptest! {
        #[test]
        fn whoever_sends_the_memory_is_bounded_and_the_locked_stay_so_until_their_time(ops in vec(ops(), 1..200)) {
            let senders: Vec<BareJid> = SENDERS.with(Clone::clone);
            let mut now = Instant::now();
            let mut lockout = Lockout::default();
            let mut since: HashMap<usize, Instant> = HashMap::new();
            for op in ops {
                let tries: Vec<usize> = match op {
                    Op::Try { sender, count } => vec![sender; count],
                    Op::Flood { from, count } => (from..from + count).collect(),
                    Op::Wait(time) => {
                        now += time;
                        Vec::new()
                    }
                };
                since.retain(|_, since| now - *since < LOCKED);
                for sender in tries {
                    let locks = lockout.wrong(&senders[sender], now);
                    if locks {
                        // What is noted of a sender that is locked out does not make it longer.
                        since.entry(sender).or_insert(now);
                    }
                    prop_assert_eq!(locks, since.contains_key(&sender));
                    prop_assert!(lockout.senders.len() <= PLACES);
                }
                for record in lockout.senders.values() {
                    prop_assert!(!matches!(record, Record::Wrong(tries) if tries.len() >= TRIES));
                }
                for sender in since.keys() {
                    prop_assert!(lockout.is_locked(&senders[*sender], now), "{}", sender);
                }
            }
            for (sender, jid) in senders.iter().enumerate() {
                let locked = since.get(&sender).is_some_and(|since| now - *since < LOCKED);
                prop_assert_eq!(lockout.is_locked(jid, now), locked, "{}", sender);
            }
        }

        /// As long as there is room, it is as if nothing were ever forgotten.
        #[test]
        fn a_sender_is_locked_out_exactly_by_its_fifth_try_within_60_s(
            tries in vec((0..3_usize, select(vec![0, 1, 9_999, 15_000, 59_999, 60_000])), 1..200),
        ) {
            let mut now = Instant::now();
            let mut lockout = Lockout::default();
            let (mut all, mut locks): (Vec<(usize, Instant)>, HashMap<usize, Instant>) = Default::default();
            for (sender, wait) in tries {
                now += Duration::from_millis(wait);
                let locked = locks.get(&sender).is_some_and(|since| now - *since < LOCKED);
                prop_assert_eq!(lockout.is_locked(&jid(sender), now), locked);
                if locked {
                    continue;
                }
                all.push((sender, now));
                let count = all.iter().filter(|(who, at)| *who == sender && now - *at < WINDOW).count();
                prop_assert_eq!(lockout.wrong(&jid(sender), now), count >= TRIES);
                if count >= TRIES {
                    locks.insert(sender, now);
                }
            }
        }
    }

    #[test]
    fn when_all_places_are_taken_by_lock_outs_the_next_sender_is_not_remembered() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..=PLACES {
            for _ in 0..TRIES {
                lockout.wrong(&jid(n), start);
            }
        }
        assert!((0..PLACES).all(|n| lockout.is_locked(&jid(n), start)));
        assert!(!lockout.is_locked(&jid(PLACES), start));
        // As soon as a place is free again, it is.
        for _ in 0..TRIES {
            lockout.wrong(&jid(PLACES), start + LOCKED);
        }
        assert!(lockout.is_locked(&jid(PLACES), start + LOCKED));
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
