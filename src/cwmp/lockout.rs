//! Locks out senders after repeated wrong credentials. Pure: the time is an argument.
//!
//! At most [`MAX_SENDERS`] senders are remembered. When the table is full, the sender with the fewest failures that is
//! not locked out is evicted, the oldest one first. A lock-out is never evicted before it expires, so a sender cannot
//! end its own by flooding from other accounts. While every entry is a lock-out, failures of further senders are not
//! recorded. An `allowed_jid` list holds fewer senders than the table, so with such a list nothing is evicted.

use std::collections::HashMap;
use std::time::Duration;

use jid::BareJid;
use tokio::time::Instant;

/// Number of failures within [`WINDOW`] that locks a sender out.
pub const MAX_FAILURES: usize = 5;
/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Duration of a lock-out, from the failure that caused it.
pub const LOCKED: Duration = Duration::from_secs(60);
/// Maximum number of remembered senders, of at most 2 kB each.
pub const MAX_SENDERS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Record {
    Failures(Vec<Instant>),
    LockedSince(Instant),
}

/// Failures and lock-outs by bare JID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockout {
    senders: HashMap<BareJid, Record>,
}

impl Lockout {
    /// Time until the end of the sender's lock-out, more than 0; `None` if there is none.
    #[must_use]
    pub fn time_left(&self, sender: &BareJid, now: Instant) -> Option<Duration> {
        let Some(Record::LockedSince(since)) = self.senders.get(sender) else { return None };
        LOCKED.checked_sub(now.duration_since(*since)).filter(|left| !left.is_zero())
    }

    /// Records wrong credentials. Returns whether the sender is locked out afterwards.
    pub fn record_failure(&mut self, sender: &BareJid, now: Instant) -> bool {
        self.remove_expired(now);
        if !self.senders.contains_key(sender) && !self.make_room() {
            return false;
        }
        let record = self.senders.entry(sender.clone()).or_insert_with(|| Record::Failures(Vec::new()));
        let Record::Failures(failures) = record else { return true };
        failures.push(now);
        if failures.len() < MAX_FAILURES {
            return false;
        }
        *record = Record::LockedSince(now);
        true
    }

    /// Records right credentials, which reset the sender's failures: an ACS that tries several credentials in turn is
    /// not locked out. A lock-out stays in force.
    pub fn record_success(&mut self, sender: &BareJid) {
        if matches!(self.senders.get(sender), Some(Record::Failures(_))) {
            self.senders.remove(sender);
        }
    }

    fn remove_expired(&mut self, now: Instant) {
        self.senders.retain(|_, record| match record {
            Record::LockedSince(since) => now.duration_since(*since) < LOCKED,
            Record::Failures(failures) => {
                failures.retain(|at| now.duration_since(*at) < WINDOW);
                !failures.is_empty()
            }
        });
    }

    fn make_room(&mut self) -> bool {
        if self.senders.len() < MAX_SENDERS {
            return true;
        }
        let weakest = self
            .senders
            .iter()
            .filter_map(|(sender, record)| match record {
                Record::Failures(failures) => Some(((failures.len(), failures.last().copied()), sender.clone())),
                Record::LockedSince(_) => None,
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

    impl Lockout {
        fn is_locked(&self, sender: &BareJid, now: Instant) -> bool {
            self.time_left(sender, now).is_some()
        }
    }

    fn jid(n: usize) -> BareJid {
        BareJid::new(&format!("sender{n}@a.test")).unwrap()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn five_failures_within_60_s_lock_the_sender_out_for_60_s() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..4 {
            assert!(!lockout.record_failure(&jid(1), start + seconds(n)));
        }
        assert!(!lockout.is_locked(&jid(1), start + seconds(4)));
        assert!(lockout.record_failure(&jid(1), start + seconds(59)));
        assert!(lockout.is_locked(&jid(1), start + seconds(59)));
        assert_eq!(lockout.time_left(&jid(1), start + seconds(118)), Some(seconds(1)));
        assert_eq!(lockout.time_left(&jid(1), start + seconds(119)), None);
        assert!(!lockout.is_locked(&jid(2), start + seconds(60)));
    }

    #[test]
    fn a_failure_60_s_ago_does_not_count() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..4 {
            lockout.record_failure(&jid(1), start + seconds(n));
        }
        assert!(!lockout.record_failure(&jid(1), start + seconds(60)));
        assert!(!lockout.record_failure(&jid(1), start + seconds(61)));
    }

    #[test]
    fn right_credentials_reset_the_count_but_not_a_lock_out() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..4 {
            lockout.record_failure(&jid(1), start);
        }
        lockout.record_success(&jid(1));
        for _ in 0..4 {
            assert!(!lockout.record_failure(&jid(1), start));
        }
        assert!(lockout.record_failure(&jid(1), start));
        lockout.record_success(&jid(1));
        assert!(lockout.is_locked(&jid(1), start));
    }

    #[test]
    fn a_flood_neither_grows_the_table_nor_ends_a_lock_out() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..MAX_FAILURES {
            lockout.record_failure(&jid(0), start);
        }
        for n in 1..100_000 {
            lockout.record_failure(&jid(n), start + seconds(1));
        }
        assert!(lockout.senders.len() <= MAX_SENDERS);
        assert!(lockout.is_locked(&jid(0), start + seconds(2)));
    }

    /// An operation of an attacker who has 500 accounts.
    #[derive(Debug, Clone)]
    enum Op {
        Attempt { sender: usize, count: usize },
        Flood { from: usize, count: usize },
        Wait(Duration),
    }

    fn ops() -> impl Strategy<Value = Op> {
        let wait = select(vec![1, 20_000, 59_999, 60_000]).prop_map(|ms| Op::Wait(Duration::from_millis(ms)));
        proptest::prop_oneof![
            12 => (0..500_usize, 1..=MAX_FAILURES).prop_map(|(sender, count)| Op::Attempt { sender, count }),
            2 => (0..400_usize, 50..100_usize).prop_map(|(from, count)| Op::Flood { from, count }),
            1 => wait,
        ]
    }

    thread_local! {
        /// Parsing a JID is slow, so the list is built once.
        static SENDERS: Vec<BareJid> = (0..500).map(jid).collect();
    }

    proptest! {
        #[test]
        fn the_table_is_bounded_and_lock_outs_last_until_they_expire(ops in vec(ops(), 1..200)) {
            let senders: Vec<BareJid> = SENDERS.with(Clone::clone);
            let mut now = Instant::now();
            let mut lockout = Lockout::default();
            let mut since: HashMap<usize, Instant> = HashMap::new();
            for op in ops {
                let tries: Vec<usize> = match op {
                    Op::Attempt { sender, count } => vec![sender; count],
                    Op::Flood { from, count } => (from..from + count).collect(),
                    Op::Wait(time) => {
                        now += time;
                        Vec::new()
                    }
                };
                since.retain(|_, since| now - *since < LOCKED);
                for sender in tries {
                    let locks = lockout.record_failure(&senders[sender], now);
                    if locks {
                        // A failure during a lock-out does not extend it.
                        since.entry(sender).or_insert(now);
                    }
                    prop_assert_eq!(locks, since.contains_key(&sender));
                    prop_assert!(lockout.senders.len() <= MAX_SENDERS);
                }
                for record in lockout.senders.values() {
                    prop_assert!(!matches!(record, Record::Failures(failures) if failures.len() >= MAX_FAILURES));
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

        /// Below the table's limit, the result equals that of an unbounded table.
        #[test]
        fn the_fifth_failure_within_60_s_locks_out_and_no_other(
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
                prop_assert_eq!(lockout.record_failure(&jid(sender), now), count >= MAX_FAILURES);
                if count >= MAX_FAILURES {
                    locks.insert(sender, now);
                }
            }
        }
    }

    #[test]
    fn a_table_full_of_lock_outs_records_no_further_sender() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for n in 0..=MAX_SENDERS {
            for _ in 0..MAX_FAILURES {
                lockout.record_failure(&jid(n), start);
            }
        }
        assert!((0..MAX_SENDERS).all(|n| lockout.is_locked(&jid(n), start)));
        assert!(!lockout.is_locked(&jid(MAX_SENDERS), start));
        // The sender is recorded as soon as an entry expires.
        for _ in 0..MAX_FAILURES {
            lockout.record_failure(&jid(MAX_SENDERS), start + LOCKED);
        }
        assert!(lockout.is_locked(&jid(MAX_SENDERS), start + LOCKED));
    }

    #[test]
    fn the_sender_with_the_most_failures_is_evicted_last() {
        let start = Instant::now();
        let mut lockout = Lockout::default();
        for _ in 0..MAX_FAILURES - 1 {
            lockout.record_failure(&jid(0), start);
        }
        for n in 1..1000 {
            lockout.record_failure(&jid(n), start + seconds(1));
        }
        assert!(lockout.record_failure(&jid(0), start + seconds(2)), "its four failures were evicted");
    }
}
