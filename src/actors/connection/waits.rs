//! A connection that waits: what changes its wait, and what does not. No name is ever resolved here, and nothing waits but
//! for the paused clock.

use actix::Addr;
use tracing::Level;

use super::*;
use crate::config::model::{KeepAlive, Retry, Server, ServerAlgorithm};
use crate::testing::{Log, paused, soon};

const ID: ConnectionId = ConnectionId(1);

pub(super) fn retry(initial: u64, max: u64) -> Retry {
    Retry { attempts: 16, initial: Duration::from_secs(initial), multiplier: 1000, max: Duration::from_secs(max) }
}

fn settings(retry: Retry) -> Settings {
    Settings {
        id: ID,
        enable: true,
        alias: "cpe-1".to_owned(),
        username: "cpe".to_owned(),
        password: String::new().into(),
        domain: "a.test".to_owned(),
        resource: None,
        use_tls: true,
        tls_ca: None,
        tls_verify: true,
        keepalive: KeepAlive::Off,
        retry,
        algorithm: ServerAlgorithm::ServerTable,
        servers: vec![Server {
            instance: 1,
            enable: true,
            alias: "cpe-1".to_owned(),
            address: Some("xmpp.a.test".to_owned()),
            port: 5222,
            priority: 0,
            weight: None,
        }],
    }
}

/// A connection that has no resolver.
pub(super) fn connection(retry: Retry) -> Connection {
    let context = ConnectionContext {
        authorize: Slot::default(),
        disco: Slot::default(),
        status: StatusTable::default(),
        resolver: Arc::new(Resolver::new("/nonexistent/resolv.conf".into(), "/nonexistent/hosts".into())),
        trust: TrustStores::default(),
    };
    Connection::new(settings(retry), context)
}

struct Scene {
    status: StatusTable,
    address: Addr<Connection>,
    log: Log,
}

impl Scene {
    /// A connection in its first wait: there is no resolver.
    async fn waiting(retry: Retry) -> Self {
        let log = Log::capture();
        let connection = connection(retry);
        let status = connection.context.status.clone();
        let address = connection.start();
        let scene = Self { status, address, log };
        soon(async {
            while scene.failures() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        scene
    }

    /// When the next attempt is due.
    fn due(&self) -> Instant {
        self.status.all()[&ID].next.expect("a wait")
    }

    fn remaining(&self) -> Duration {
        self.due().saturating_duration_since(Instant::now())
    }

    fn failures(&self) -> usize {
        self.log.lines(Level::WARN).iter().filter(|line| line.contains("attempt failed")).count()
    }

    async fn update(&self, settings: Settings) {
        self.address.send(Update(settings)).await.unwrap();
    }
}

/// Half a day, at the most; a wait of less than a minute is one in a thousand.
const HOURS: u64 = 65_535;

#[test]
fn a_shorter_policy_ends_a_long_wait() {
    paused(async {
        let scene = Scene::waiting(retry(HOURS, HOURS)).await;
        let before = scene.due();
        scene.update(settings(retry(2, 2))).await;
        assert!(scene.remaining() <= Duration::from_secs(2), "{:?}", scene.remaining());
        assert!(scene.due() <= before);
        // And it is the new policy that goes on.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let failures = scene.failures();
        assert!(failures >= 20, "{failures} failed attempts in a minute");
    });
}

#[test]
fn a_longer_policy_does_not_put_the_next_attempt_off() {
    paused(async {
        for _ in 0..20 {
            let scene = Scene::waiting(retry(2, 2)).await;
            let before = scene.due();
            scene.update(settings(retry(HOURS, HOURS))).await;
            assert!(scene.due() <= before);
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(scene.failures() >= 2);
        }
    });
}

#[test]
fn other_settings_leave_the_wait_as_it_is() {
    paused(async {
        let scene = Scene::waiting(retry(HOURS, HOURS)).await;
        let before = scene.due();
        let changed = Settings {
            alias: "wan".to_owned(),
            keepalive: KeepAlive::Every(Duration::from_secs(5)),
            ..settings(retry(HOURS, HOURS))
        };
        for _ in 0..20 {
            scene.update(changed.clone()).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(scene.due(), before);
        assert_eq!(scene.status.all()[&ID].alias, "wan");
        assert_eq!(scene.failures(), 1);
    });
}

/// An interface that comes and goes brings the next attempt nearer each time, and never further away.
#[test]
fn being_told_that_the_network_is_back() {
    paused(async {
        let scene = Scene::waiting(Retry { initial: Duration::from_secs(60), ..retry(60, HOURS) }).await;
        let mut before = scene.due();
        for _ in 0..20 {
            scene.address.send(Reconnect).await.unwrap();
            assert!(scene.due() <= before);
            before = scene.due();
        }
        assert!(scene.remaining() < Duration::from_secs(60));
        let (failures, remaining) = (scene.failures(), scene.remaining());
        tokio::time::sleep(remaining + Duration::from_secs(1)).await;
        assert!(scene.failures() > failures);
    });
}

/// Whoever waits can be stopped.
#[test]
fn a_wait_does_not_hold_a_stop_up() {
    paused(async {
        let scene = Scene::waiting(retry(HOURS, HOURS)).await;
        let before = Instant::now();
        scene.address.send(Stop).await.unwrap();
        soon(async {
            while scene.address.connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(before.elapsed() < Duration::from_secs(1));
    });
}
