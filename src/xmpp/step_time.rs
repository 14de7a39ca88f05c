//! The time limit of a step of an attempt.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The time for each step, and for each address of the first one. A healthy server needs milliseconds; this allows for
/// a satellite link and a lost packet.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(10);

/// The time that the server has left for a step. Our own work between its answers does not count.
#[derive(Debug)]
pub struct StepTime {
    left: Duration,
}

impl StepTime {
    /// The full time of a step.
    pub(super) fn new() -> Self {
        Self { left: STEP_LIMIT }
    }

    /// Waits for the server, and subtracts the time that it takes. Returns `None` when no time is left.
    pub(super) async fn limit<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let start = Instant::now();
        let result = timeout(self.left, wait).await.ok();
        self.left = self.left.saturating_sub(start.elapsed());
        result
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::testing::paused;

    #[test]
    fn only_waiting_for_the_server_takes_its_time() {
        paused(async {
            let server = |seconds| sleep(Duration::from_secs(seconds));
            let mut time = StepTime::new();
            assert!(time.limit(server(6)).await.is_some());
            sleep(Duration::from_secs(100)).await;
            assert!(time.limit(server(3)).await.is_some());
            assert!(time.limit(server(2)).await.is_none());
            assert!(time.limit(server(1)).await.is_none());
        });
    }
}
