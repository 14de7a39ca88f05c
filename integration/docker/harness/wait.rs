//! Waits for events, never for a fixed time.

use std::time::{Duration, Instant};

/// Maximum time for an event that is expected at once: far more than it needs even on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(40);
/// How often a condition is checked. Many of them start a program.
const INTERVAL: Duration = Duration::from_millis(100);

/// Checks `condition` until it returns a value. Fails the test after `limit`.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(INTERVAL);
    }
}
