//! Waiting for what is to happen, never for time to pass.

use std::time::{Duration, Instant};

/// How long an event may take that is expected at once: far more than it needs on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(15);

/// Looks at `condition` until it gives something, and fails the test when that takes longer than `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
