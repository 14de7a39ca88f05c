//! The ACS: `connreq` on a host of its own.

use std::time::Duration;

use serde_json::Value;

use super::host::Host;
use super::uci::DOMAIN;

/// The host of the ACS.
pub struct Acs {
    host: Host,
}

/// What became of the requests.
#[derive(Debug)]
pub struct Outcome {
    summary: Value,
}

impl Outcome {
    /// How many had this outcome: `accepted`, `timeout` and so on.
    pub fn count(&self, outcome: &str) -> u64 {
        self.summary[outcome].as_u64().unwrap_or_default()
    }

    /// A round trip time: `min`, `p50`, `max`.
    pub fn round_trip(&self, which: &str) -> Duration {
        Duration::from_secs_f64(self.summary["ms"][which].as_f64().expect("an answer") / 1000.0)
    }

    /// Fails unless so many were accepted, and no others were sent.
    pub fn assert_accepted(&self, count: u64) {
        assert_eq!((self.count("sent"), self.count("accepted")), (count, count), "{}", self.summary);
    }
}

impl Acs {
    /// The ACS on this host.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// Logs in at this address and sends one request to `cpe1`.
    pub fn ask(&self, server: &str) -> Outcome {
        self.ask_with(server, &["--timeout", "20"], &["cpe1"])
    }

    /// Logs in at this address and sends requests to these accounts, with these options of `connreq`.
    pub fn ask_with(&self, server: &str, options: &[&str], accounts: &[&str]) -> Outcome {
        let (jid, server) = (format!("acs@{DOMAIN}"), format!("{server}:5222"));
        let mut words = vec!["connreq", "--jid", &jid, "--server", &server, "--ca", "/trust", "--json"];
        if !options.contains(&"--connreq-user") {
            words.extend(["--connreq-user", "cpe-user"]);
        }
        words.extend(options);
        let targets: Vec<String> = accounts.iter().map(|account| format!("{account}@{DOMAIN}/wan")).collect();
        words.extend(targets.iter().map(String::as_str));
        let output = self.host.try_exec(&words, Duration::from_secs(180));
        let last = output.stdout.lines().last().unwrap_or_else(|| panic!("{words:?}: {output:?}"));
        Outcome { summary: serde_json::from_str(last).unwrap_or_else(|error| panic!("{last}: {error}")) }
    }
}
