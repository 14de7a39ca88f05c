//! Leaks: after a lot of work xmppd holds no more resources than after some of it.
//!
//! `soak.sh` runs these tests longer than `make test` does. The environment sets how long (by default as short as is
//! still significant), and may name another program than the xmppd of the tests.

mod actions;
#[cfg(servers)]
mod cycles;
mod level;
mod meter;
#[cfg(servers)]
mod mix;
#[cfg(servers)]
mod requests;

use std::time::{Duration, Instant};

use crate::harness::{Daemon, Options, Prosody, Section, Settings};

/// Time between two progress messages.
const PROGRESS: Duration = Duration::from_secs(5);

/// Reads a number from the environment.
fn from_environment(name: &str, default: u64) -> u64 {
    let Some(value) = std::env::var_os(name) else { return default };
    value
        .to_str()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{name} is not a number: {}", value.display()))
}

/// Options for a server that logs little.
fn options() -> Options {
    Options { require_tls: false, log: "warn", ..Options::default() }
}

/// A number of connections that accept unlimited requests; every other one uses TLS.
fn fleet(count: u32, prosody: &Prosody) -> Settings {
    let all: Vec<u32> = (1..=count).collect();
    let mut fleet = Settings::fleet(count, &all, prosody);
    fleet.set("loglevel", "ERROR");
    for id in (2..=count).step_by(2) {
        fleet.set_connection(id, "usetls", "0");
    }
    fleet
}

/// Starts a daemon with this file, and waits until all its connections are online.
async fn start(fleet: &Settings) -> Daemon {
    let daemon = fleet.setup().start();
    for id in fleet.ids() {
        daemon.wait_for_value(id, "status", "Enabled").await;
    }
    daemon
}

/// The sections with all connections enabled or disabled.
fn enabled(fleet: &Settings, enable: bool) -> Settings {
    fleet.clone().with("enable", if enable { "1" } else { "0" })
}

/// Replaces the server's port by that of a proxy.
fn connect_through(fleet: &mut Settings, ids: impl IntoIterator<Item = u32>, port: u16) {
    for id in ids {
        let section: &mut Section = &mut fleet.servers[id as usize - 1];
        *section = section.clone().option("port", port);
    }
}

/// Prints progress messages, with a minimum interval.
struct Progress {
    start: Instant,
    told: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { start: Instant::now(), told: Instant::now() }
    }

    fn print(&mut self, words: impl FnOnce() -> String) {
        if self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            eprintln!("soak: {:>5} s: {}", self.start.elapsed().as_secs(), words());
        }
    }
}
