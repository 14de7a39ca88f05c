//! The NAT router, and what it does to packets.

use std::fmt::Write as _;
use std::time::Duration;

use super::engine::docker;
use super::host::Host;
use super::wait::{LIMIT, until};

/// A started router.
pub struct Router {
    host: Host,
}

impl Router {
    /// The router on this host.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// What it does to packets that it forwards: rules of nft. A rule with `counter` can be watched.
    pub fn trouble(&self, rules: &[&str]) {
        let mut text = "flush chain inet router trouble\n".to_owned();
        for rule in rules {
            let _ = writeln!(text, "add rule inet router trouble {rule}");
        }
        self.host.pipe(&["nft", "-f", "-"], &text);
    }

    /// Ends the [`trouble`](Self::trouble).
    pub fn heal(&self) {
        self.trouble(&[]);
    }

    /// How many packets fitted the rules of the [`trouble`](Self::trouble).
    pub fn troubled(&self) -> u64 {
        let chain = self.host.exec(&["nft", "list", "chain", "inet", "router", "trouble"]);
        let mut words = chain.split_whitespace();
        let mut sum = 0;
        while words.any(|word| word == "packets") {
            sum += words.next().unwrap().parse::<u64>().unwrap();
        }
        sum
    }

    /// Waits until so many packets fitted them.
    pub fn wait_troubled(&self, count: u64) {
        until(&format!("{count} packets in trouble"), LIMIT, || (self.troubled() >= count).then_some(()));
    }

    /// Waits until so many packets with data have gone to a server at this address, and lets them pass: its clients probe it.
    pub fn wait_data(&self, server: &str, count: u64, limit: Duration) {
        self.trouble(&[&format!("ip daddr {server} tcp dport 5222 meta length > 60 counter")]);
        until(&format!("{count} packets to {server}"), limit, || (self.troubled() >= count).then_some(()));
        self.heal();
    }

    /// The TCP mappings from this address, with the port of the client.
    pub fn mappings(&self, client: &str, port: u16) -> Vec<String> {
        let list =
            self.host.exec(&["conntrack", "-L", "-p", "tcp", "--orig-src", client, "--sport", &port.to_string()]);
        list.lines().map(str::to_owned).collect()
    }

    /// Waits until it has forgotten that mapping.
    pub fn wait_forgotten(&self, client: &str, port: u16) {
        until("the end of the mapping", LIMIT, || self.mappings(client, port).is_empty().then_some(()));
    }

    /// Delays what passes between its networks: each packet by so much, and every `nth` one longer, so that the next ones
    /// overtake it.
    pub fn delay(&self, delay: Duration, nth: u32) {
        let delay = delay.as_millis().to_string();
        docker(&[
            "container",
            "exec",
            "--detach",
            self.host.name(),
            "delay",
            &delay,
            &nth.to_string(),
            "/var/run/delay",
        ]);
        until("the forwarder's start", LIMIT, || self.reordered());
    }

    /// How many packets were overtaken by a later one; none if nothing is delayed.
    pub fn reordered(&self) -> Option<u64> {
        let output = self.host.try_exec(&["cat", "/var/run/delay"], LIMIT);
        output.stdout.trim().parse().ok()
    }
}
