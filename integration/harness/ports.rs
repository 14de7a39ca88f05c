//! Ports that are free, and stay so while a server is down for a moment.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Mutex;

use rand::RngExt as _;

/// Below the range that the system takes clients' ports from: a server that is started again finds its port free.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// What this process gave away already.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens on, on 127.0.0.1 and `::1` alike, and that no other test of this process gets.
pub fn free() -> u16 {
    for _ in 0..1000 {
        let port = rand::rng().random_range(RANGE);
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok();
        if free && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
    panic!("no free port found in {RANGE:?} on 127.0.0.1 and ::1");
}
