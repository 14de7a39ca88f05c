//! Connections that are started and ended repeatedly.

use std::time::{Duration, Instant};

use super::meter::Meter;
use super::{Progress, connect_through, enabled, fleet, from_environment, options, start};
use crate::harness::{Daemon, Endpoint, EventKind, FaultProxy, LIMIT, Prosody, Settings};

/// Connections per cycle.
const CONNECTIONS: u32 = 15;
/// Number of measurements.
const SAMPLES: u64 = 30;

/// How a stream ends, in turn.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A RST.
    Cut,
    /// A FIN.
    Close,
    /// The section is disabled, and enabled when the stream has closed.
    Switch,
    /// Another resource, which restarts the connection.
    Restart,
}

const WAYS: [Way; 4] = [Way::Cut, Way::Close, Way::Switch, Way::Restart];

/// Waits until this number of resources was bound since the last call, cutting the connections' waits short.
async fn bound(prosody: &Prosody, daemon: &Daemon, read: &mut usize, count: u64) {
    let (mut seen, start) = (0, Instant::now());
    loop {
        seen += prosody.events_since(read).iter().filter(|event| event.kind == EventKind::Bind).count() as u64;
        if seen >= count {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{seen} of {count} are back");
        assert_eq!(daemon.ask("reconnect").await, "ok\n");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn end(way: Way, round: u64, fleet: &Settings, daemon: &Daemon, proxy: &FaultProxy) {
    match way {
        Way::Cut => proxy.reset_connections(),
        Way::Close => proxy.close_connections(),
        Way::Switch => {
            daemon.xmpp().commit(&enabled(fleet, false).text());
            for id in fleet.ids() {
                daemon.wait_for_value(id, "status", "Disabled").await;
            }
            daemon.xmpp().write_in_place(&fleet.text());
        }
        Way::Restart => daemon.xmpp().commit(&fleet.clone().with("resource", format!("r{round}")).text()),
    }
}

#[tokio::test]
async fn restarted_connections_do_not_leak() {
    let wanted = from_environment("SOAK_CYCLES", 300).next_multiple_of(SAMPLES);
    let prosody = Prosody::start_with(&["a.test"], options()).await;
    let mut fleet = fleet(CONNECTIONS, &prosody);
    let proxy = FaultProxy::to_port(prosody.port()).await;
    connect_through(&mut fleet, 1..=CONNECTIONS, proxy.port());
    let mut daemon = start(&fleet).await;
    let (mut read, mut meter, mut progress) = (0, Meter::of(daemon.pid()), Progress::new());
    bound(&prosody, &daemon, &mut read, u64::from(CONNECTIONS)).await;

    let (mut cycles, mut samples) = (0, 0);
    for round in 0.. {
        if cycles * SAMPLES >= samples * wanted {
            let sample = meter.measure_daemon(&daemon).await;
            samples += 1;
            progress.print(|| format!("{cycles} of {wanted} cycles, {sample}"));
        }
        if cycles >= wanted {
            break;
        }
        let way = WAYS[usize::try_from(round % 4).unwrap()];
        end(way, round, &fleet, &daemon, &proxy).await;
        bound(&prosody, &daemon, &mut read, u64::from(CONNECTIONS)).await;
        if matches!(way, Way::Restart) {
            // Back to the original resource, which is another cycle.
            daemon.xmpp().commit(&fleet.text());
            bound(&prosody, &daemon, &mut read, u64::from(CONNECTIONS)).await;
            cycles += u64::from(CONNECTIONS);
        }
        cycles += u64::from(CONNECTIONS);
        for id in fleet.ids() {
            daemon.wait_for_value(id, "status", "Enabled").await;
        }
    }
    assert!(daemon.running());
    eprintln!("soak: {cycles} cycles in {} s, {}", progress.start.elapsed().as_secs(), meter.verdict().await);
}
