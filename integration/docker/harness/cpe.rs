//! A CPE.

use std::ops::Deref;
use std::time::Duration;

use serde_json::Value;

use super::host::Host;
use super::log::Line;
use super::wait::{LIMIT, until};

/// A started CPE.
pub struct Cpe {
    host: Host,
}

impl Cpe {
    /// The CPE on this host.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// The status of its connections.
    pub fn statuses(&self) -> Vec<Value> {
        let document: Value = serde_json::from_str(&self.host.exec(&["xmppd", "status", "--json"])).unwrap();
        document["connections"].as_array().unwrap().clone()
    }

    /// The status of its first connection.
    pub fn status(&self) -> Value {
        self.statuses().remove(0)
    }

    /// Waits for a line of xmppd that contains all of these texts.
    pub fn wait(&self, mark: usize, words: &[&str]) -> Line {
        self.wait_within(mark, words, LIMIT)
    }

    /// Waits for a line of xmppd that contains all of these texts.
    pub fn wait_within(&self, mark: usize, words: &[&str], limit: Duration) -> Line {
        self.host.log().wait(mark, words, limit)
    }

    /// Waits for so many lines of xmppd that contain this text.
    pub fn wait_lines(&self, mark: usize, count: usize, word: &str, limit: Duration) {
        let what = format!("{count} lines with {word:?}");
        until(&what, limit, || (self.host.log().since(mark, &[word]).len() >= count).then_some(()));
    }

    /// Fails if xmppd has printed a line with this text since.
    pub fn assert_not_logged(&self, mark: usize, word: &str) {
        let lines: Vec<String> = self.host.log().since(mark, &[word]).into_iter().map(|line| line.text).collect();
        assert_eq!(lines, [""; 0]);
    }

    /// The number of lines that xmppd has printed.
    pub fn mark(&self) -> usize {
        self.host.log().len()
    }

    /// How often the CWMP client was notified.
    pub fn notified(&self) -> usize {
        self.host.exec(&["find", "/var/cwmp/calls", "-name", "*.end"]).lines().count()
    }
}

impl Deref for Cpe {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}
