//! A timer that may be off.

use tokio::time::Instant;

/// Sleeps until `at`; without end if it is none.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
