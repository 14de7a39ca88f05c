//! What the running daemon says of itself on its control socket, and what it must never say.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::daemon::Daemon;
use super::wait::{LIMIT, until};

/// The lines `name: value` of one connection.
pub type Status = BTreeMap<String, String>;

impl Daemon {
    /// One question on the control socket, as `xmppd status` puts it.
    pub fn control(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("the control socket");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// `status`, by `con_inst`.
    pub fn status(&self) -> BTreeMap<u32, Status> {
        let mut connections = BTreeMap::new();
        for block in self.control("status").split("\n\n") {
            let mut status: Status =
                block.lines().filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.into(), v.into())).collect();
            if let Some(id) = status.remove("connection") {
                connections.insert(id.parse().unwrap(), status);
            }
        }
        connections
    }

    /// One of the counts of a connection.
    pub fn count(&self, connection: u32, name: &str) -> u64 {
        self.status()[&connection][name].parse().unwrap()
    }

    /// Waits until a connection's status says so.
    pub async fn wait_status(&self, connection: u32, name: &str, value: &str) {
        until(&format!("{name}: {value} of connection {connection}"), LIMIT, || {
            let status = self.status();
            (status.get(&connection)?.get(name)? == value).then_some(())
        })
        .await;
    }

    /// Stops it, and fails if any of these is anywhere in the whole of its log.
    pub async fn stop_and_look_for(&mut self, secrets: &[&str]) {
        assert!(self.stop().await.0.success());
        for line in self.log().lines() {
            for secret in secrets {
                assert!(!line.contains(secret), "{secret:?} in the log: {line}");
            }
        }
    }
}
