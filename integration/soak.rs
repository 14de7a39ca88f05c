//! Nothing leaks: what xmppd holds after much work is what it held after some.
//!
//! `soak.sh` runs these longer than `make test` does. It says how long in the environment, where nothing means as short as
//! still says something, and may put another program in the place of the xmppd of the tests.

#[cfg(servers)]
mod cycles;
mod deeds;
mod level;
mod meter;
#[cfg(servers)]
mod mix;
#[cfg(servers)]
mod requests;

use std::time::{Duration, Instant};

use crate::harness::{Daemon, Fleet, Options, Prosody, Section, Setup};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(5);

/// A number from the environment.
fn wanted(name: &str, default: u64) -> u64 {
    let Some(value) = std::env::var_os(name) else { return default };
    value
        .to_str()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{name} is not a number: {}", value.display()))
}

/// With the program that is to be measured.
fn measured(setup: Setup) -> Setup {
    match std::env::var_os("SOAK_PROGRAM") {
        Some(program) => setup.program(program),
        None => setup,
    }
}

/// A server that writes little down.
fn options() -> Options {
    Options { require_tls: false, log: "warn", ..Options::default() }
}

/// So many connections that all take requests, as many as come; every other one has TLS.
fn fleet(count: u32, prosody: &Prosody) -> Fleet {
    let all: Vec<u32> = (1..=count).collect();
    let mut fleet = Fleet::new(count, &all, prosody);
    fleet.general = fleet.general.option("loglevel", "ERROR");
    for id in (2..=count).step_by(2) {
        fleet.change(id, "usetls", "0");
    }
    fleet
}

/// A daemon with this file, all of whose connections are online.
async fn start(fleet: &Fleet) -> Daemon {
    let daemon = measured(fleet.setup()).start();
    for id in fleet.ids() {
        daemon.wait_for_value(id, "status", "Enabled").await;
    }
    daemon
}

/// The sections with all connections enabled, or none.
fn enabled(fleet: &Fleet, enable: bool) -> Fleet {
    fleet.clone().with("enable", if enable { "1" } else { "0" })
}

/// With the server's port replaced by a gate's before it.
fn through(fleet: &mut Fleet, ids: impl IntoIterator<Item = u32>, port: u16) {
    for id in ids {
        let section: &mut Section = &mut fleet.servers[id as usize - 1];
        *section = section.clone().option("port", port);
    }
}

/// Says how far it has come, not too often.
struct Progress {
    start: Instant,
    told: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { start: Instant::now(), told: Instant::now() }
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        if self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            eprintln!("soak: {:>5} s: {}", self.start.elapsed().as_secs(), words());
        }
    }
}
