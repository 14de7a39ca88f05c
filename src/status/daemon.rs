//! What is known of the daemon itself.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::supervision::spec::ExitReason;
use crate::ubus::BusState;

/// The daemon's part of the status.
#[derive(Debug, Clone)]
pub struct DaemonReport {
    /// When the daemon was started.
    pub started: Instant,
    /// The configuration file.
    pub config: ConfigReport,
    /// How often each actor of the tree was started.
    pub starts: BTreeMap<&'static str, u32>,
    /// The last crash of each actor of the tree that crashed.
    pub crashes: BTreeMap<&'static str, Crash>,
    /// The connection to ubus.
    pub bus: BusState,
    /// When that began.
    pub bus_since: Instant,
}

/// A crash of an actor: it ended without being asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// When it happened.
    pub time: Instant,
    /// What happened, in words.
    pub reason: String,
}

impl Crash {
    /// A crash that happens now.
    #[must_use]
    pub fn now(reason: &ExitReason) -> Self {
        Self { time: Instant::now(), reason: reason.to_string() }
    }
}

/// What became of `/etc/config/xmpp`.
#[derive(Debug, Clone, Default)]
pub struct ConfigReport {
    /// When it was last taken up.
    pub taken_up: Option<Instant>,
    /// When it was last refused as a whole, and why.
    pub refused: Option<(Instant, String)>,
    /// Whether the file is in effect as it was when it was last read, except for sections that are refused by themselves.
    pub in_effect: bool,
}

impl Default for DaemonReport {
    fn default() -> Self {
        let started = Instant::now();
        Self {
            started,
            config: ConfigReport::default(),
            starts: BTreeMap::new(),
            crashes: BTreeMap::new(),
            bus: BusState::default(),
            bus_since: started,
        }
    }
}

impl DaemonReport {
    /// Counts a start of an actor.
    pub fn count_start(&mut self, actor: &'static str) {
        *self.starts.entry(actor).or_default() += 1;
    }

    /// Notes a new state of the connection to ubus.
    pub fn set_bus(&mut self, bus: BusState) {
        if (self.bus == BusState::Connected) != (bus == BusState::Connected) {
            self.bus_since = Instant::now();
        }
        self.bus = bus;
    }
}
