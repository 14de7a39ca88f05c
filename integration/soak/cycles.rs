//! Connections that come and go.

use std::time::{Duration, Instant};

use super::meter::Meter;
use super::{Progress, enabled, fleet, options, start, through, wanted};
use crate::harness::{Daemon, Fleet, Gate, Kind, LIMIT, Prosody};

/// How many connections come and go together.
const CONNECTIONS: u32 = 15;
/// How many times the whole is measured.
const SAMPLES: u64 = 30;

/// The ways in which a stream ends, in turn.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A RST.
    Cut,
    /// A FIN.
    Close,
    /// The section is disabled, and enabled when the stream is closed.
    Switch,
    /// Another resource: the connection is started anew.
    Restart,
}

const WAYS: [Way; 4] = [Way::Cut, Way::Close, Way::Switch, Way::Restart];

/// Waits until so many resources were bound since the last time, without waiting out the connections' own waits.
async fn bound(prosody: &Prosody, daemon: &Daemon, read: &mut usize, count: u64) {
    let (mut seen, start) = (0, Instant::now());
    loop {
        seen += prosody.events_since(read).iter().filter(|event| event.kind == Kind::Bind).count() as u64;
        if seen >= count {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{seen} of {count} are back");
        assert_eq!(daemon.ask("reconnect").await, "ok\n");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn end(way: Way, round: u64, fleet: &Fleet, daemon: &Daemon, gate: &Gate) {
    match way {
        Way::Cut => gate.cut(),
        Way::Close => gate.close(),
        Way::Switch => {
            daemon.xmpp().commit(&enabled(fleet, false).text());
            for id in fleet.ids() {
                daemon.wait_for_value(id, "status", "Disabled").await;
            }
            daemon.xmpp().write_in_place(&fleet.text());
        }
        Way::Restart => daemon.xmpp().commit(&fleet.clone().with("resource", &format!("r{round}")).text()),
    }
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let wanted = wanted("SOAK_CYCLES", 300).next_multiple_of(SAMPLES);
    let prosody = Prosody::start_with(&["a.test"], options()).await;
    let mut fleet = fleet(CONNECTIONS, &prosody);
    let gate = Gate::before(prosody.port()).await;
    through(&mut fleet, 1..=CONNECTIONS, gate.port());
    let mut daemon = start(&fleet).await;
    let (mut read, mut meter, mut progress) = (0, Meter::of(daemon.pid()), Progress::new());
    bound(&prosody, &daemon, &mut read, u64::from(CONNECTIONS)).await;

    let (mut cycles, mut samples) = (0, 0);
    for round in 0.. {
        if cycles * SAMPLES >= samples * wanted {
            let sample = meter.measure_daemon(&daemon).await;
            samples += 1;
            progress.say(|| format!("{cycles} of {wanted} cycles, {sample}"));
        }
        if cycles >= wanted {
            break;
        }
        let way = WAYS[usize::try_from(round % 4).unwrap()];
        end(way, round, &fleet, &daemon, &gate).await;
        bound(&prosody, &daemon, &mut read, u64::from(CONNECTIONS)).await;
        if matches!(way, Way::Restart) {
            // Back to the resource of the file, a cycle of its own.
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
