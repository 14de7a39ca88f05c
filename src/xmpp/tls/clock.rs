//! The time for certificate checks: the system's, but never before this program was built. A device without a real-time
//! clock starts in 1970, before the validity of every certificate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// When the program was built, in seconds since 1970.
const BUILD_TIME: &str = env!("XMPPD_BUILD_TIME");

static WARNED: AtomicBool = AtomicBool::new(false);

/// The clock of certificate checks.
#[derive(Debug)]
pub(super) struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(now())
    }
}

/// The later of the system's time and the build time. Logs a WARNING the first time that it is the build time.
pub(super) fn now() -> UnixTime {
    let built = Duration::from_secs(BUILD_TIME.parse().unwrap_or(0));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if now < built && !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the system's clock is before the time when this program was built; \
             certificates are checked as of the build time until it is set"
        );
    }
    UnixTime::since_unix_epoch(now.max(built))
}
