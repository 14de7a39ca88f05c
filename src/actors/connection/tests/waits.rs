//! What changes the wait of a connection, and what does not.

use tracing::Level;

use super::*;
use crate::testing::{Log, paused, soon};

struct Fixture {
    status: StatusTable,
    address: Addr<Connection>,
    log: Log,
}

impl Fixture {
    /// A connection in its first wait: its server cannot be looked up.
    async fn waiting(retry: Retry) -> Self {
        let log = Log::capture();
        let connection = connection(retry);
        let status = connection.context.status.clone();
        let address = connection.start();
        let fixture = Self { status, address, log };
        soon(async {
            while fixture.failures() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        fixture
    }

    /// When the next attempt is due.
    fn due(&self) -> Instant {
        self.status.all()[&ID].next.expect("a wait")
    }

    fn remaining(&self) -> Duration {
        self.due().saturating_duration_since(Instant::now())
    }

    fn failures(&self) -> usize {
        // Repeated ones are folded.
        let lines = [Level::WARN, Level::DEBUG].map(|level| self.log.lines(level)).concat();
        lines.iter().filter(|line| line.contains("attempt failed")).count()
    }

    async fn update(&self, settings: ConnectionSettings) {
        self.address.send(Update(settings)).await.unwrap();
    }
}

/// Eighteen hours, at the most; a wait of less than a minute is one in a thousand.
const HOURS: u64 = 65_535;

/// The first wait is half a second at least: TR-181's could be over before the test looks at it.
const OWN_SCHEDULE: Retry = Retry { attempts: 0, initial: Duration::ZERO, multiplier: 0, max: Duration::ZERO };

#[test]
fn a_shorter_policy_ends_a_long_wait() {
    paused(async {
        let fixture = Fixture::waiting(retry(HOURS, HOURS)).await;
        let before = fixture.due();
        fixture.update(settings(retry(2, 2))).await;
        assert!(fixture.remaining() <= Duration::from_secs(2), "{:?}", fixture.remaining());
        assert!(fixture.due() <= before);
        // The waits that follow are of the new policy.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let failures = fixture.failures();
        assert!(failures >= 20, "{failures} failed attempts in a minute");
    });
}

#[test]
fn a_longer_policy_does_not_delay_the_next_attempt() {
    paused(async {
        for _ in 0..20 {
            let fixture = Fixture::waiting(OWN_SCHEDULE).await;
            let before = fixture.due();
            fixture.update(settings(retry(HOURS, HOURS))).await;
            assert!(fixture.due() <= before);
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(fixture.failures() >= 2);
        }
    });
}

#[test]
fn other_settings_leave_the_wait_as_it_is() {
    paused(async {
        let fixture = Fixture::waiting(retry(HOURS, HOURS)).await;
        let before = fixture.due();
        let changed = ConnectionSettings {
            alias: "wan".to_owned(),
            keepalive: KeepAlive::Every(Duration::from_secs(5)),
            ..settings(retry(HOURS, HOURS))
        };
        for _ in 0..20 {
            fixture.update(changed.clone()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(fixture.due(), before);
        assert_eq!(fixture.status.all()[&ID].alias, "wan");
        assert_eq!(fixture.failures(), 1);
    });
}

/// An interface that goes up and down cannot put the next attempt off.
#[test]
fn reconnect_only_shortens_the_wait() {
    paused(async {
        let fixture = Fixture::waiting(Retry { initial: Duration::from_secs(60), ..retry(60, HOURS) }).await;
        let mut before = fixture.due();
        for _ in 0..20 {
            fixture.address.send(Reconnect).await.unwrap();
            assert!(fixture.due() <= before);
            before = fixture.due();
        }
        assert!(fixture.remaining() < Duration::from_secs(60));
        let (failures, remaining) = (fixture.failures(), fixture.remaining());
        tokio::time::sleep(remaining + Duration::from_secs(1)).await;
        assert!(fixture.failures() > failures);
    });
}

#[test]
fn a_wait_does_not_delay_a_stop() {
    paused(async {
        let fixture = Fixture::waiting(retry(HOURS, HOURS)).await;
        let before = Instant::now();
        fixture.address.send(Stop).await.unwrap();
        soon(async {
            while fixture.address.connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(before.elapsed() < Duration::from_secs(1));
    });
}
