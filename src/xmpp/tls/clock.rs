//! The time for certificate checks: the system's, but not earlier than the build of this program. A device without a
//! real-time clock starts in 1970, before the validity of every certificate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;

use super::certificate::Certificate;

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

fn built() -> Duration {
    Duration::from_secs(BUILD_TIME.parse().unwrap_or(0))
}

fn system() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Returns the later of the system's time and the build time. Logs a WARNING the first time that it is the build time.
pub(super) fn now() -> UnixTime {
    let (built, now) = (built(), system());
    if now < built && !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            parent: None,
            "the system's clock is before the time when this program was built; \
             certificates are checked as of the build time until it is set"
        );
    }
    UnixTime::since_unix_epoch(now.max(built))
}

/// Returns as of when these certificates, which the server presents, are checked if it is `now`.
pub(super) fn as_of(now: UnixTime, presented: &[&CertificateDer<'_>]) -> UnixTime {
    if system() < built() { not_before_issue(now, presented) } else { now }
}

/// While the clock is not set, the time is only known not to be before the build. A server's certificate is renewed more often
/// than the program; one that was issued after the build says that the time is later.
fn not_before_issue(now: UnixTime, presented: &[&CertificateDer<'_>]) -> UnixTime {
    let issued = |der: &&CertificateDer<'_>| u64::try_from(Certificate::read(der)?.not_before).ok();
    let latest = presented.iter().filter_map(issued).max().unwrap_or(0);
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().max(latest)))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_that_was_issued_later_moves_the_time_on() {
        let issued = |year| {
            let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(year, 1, 1), date_time_ymd(year + 1, 1, 1));
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (y2020, y2025, y2030) = (1_577_836_800, 1_735_689_600, 1_893_456_000);
        let malformed = CertificateDer::from(vec![0]);
        let as_of = |presented: &[&CertificateDer<'_>]| not_before_issue(time(y2025), presented);
        assert_eq!(as_of(&[]), time(y2025));
        assert_eq!(as_of(&[&malformed, &issued(2020)]), time(y2025));
        assert_eq!(as_of(&[&issued(2020), &issued(2030)]), time(y2030));
        assert_eq!(not_before_issue(time(0), &[&issued(2020)]), time(y2020));
    }
}
