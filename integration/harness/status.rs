//! The daemon's control socket: what `xmppd status` and `xmppd reconnect` speak to, and how tests make actors crash.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Index;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;

use super::daemon::Daemon;
use super::wait::{LIMIT, until};

/// The words of TR-181, `Device.XMPP.Connection.{i}.Status`, and the one of this implementation's own.
pub const WORDS: [&str; 8] = [
    "Disabled",
    "Connecting",
    "Enabled",
    "Dormant",
    "ServerNotPresent",
    "Error_AuthenticationFailure",
    "Error_Misconfigured",
    "Error",
];

/// While the actor behind the socket is being restarted.
const PASSING: [ErrorKind; 4] =
    [ErrorKind::NotFound, ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];

/// What the daemon says of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(BTreeMap<String, String>);

impl Status {
    /// The value after `name: `; none if there is no such line.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// TR-181's `Status`.
    pub fn word(&self) -> &str {
        &self.0["status"]
    }

    /// The value after `name: ` as a number.
    pub fn number<T: FromStr>(&self, name: &str) -> T {
        self[name].parse().unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    /// Seconds until the next attempt; none if there is none to come.
    pub fn next_attempt(&self) -> Option<f64> {
        self.get("next attempt in").map(|_| self.number("next attempt in"))
    }
}

impl Index<&str> for Status {
    type Output = String;

    fn index(&self, name: &str) -> &String {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// Reads the answer to `status`.
pub fn parse(text: &str) -> BTreeMap<u32, Status> {
    if text == "no connections\n" {
        return BTreeMap::new();
    }
    let mut connections = BTreeMap::new();
    for block in text.trim_end().split("\n\n") {
        let line = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a line of the status: {line:?}"));
            (name.to_owned(), value.to_owned())
        };
        let status = Status(block.lines().map(line).collect());
        assert!(WORDS.contains(&status.word()), "no word of TR-181 in {block:?}");
        connections.insert(status.0["connection"].parse().unwrap(), status);
    }
    connections
}

impl Daemon {
    /// Asks one thing on the control socket; waits for the socket while the daemon is starting (again).
    pub async fn ask(&self, request: &str) -> String {
        let socket = self.socket();
        let answer = until("an answer on the control socket", LIMIT, || match ask(&socket, request) {
            // Whoever listened there was stopped before it was our turn.
            Ok(answer) if answer.is_empty() => None,
            Ok(answer) => Some(answer),
            Err(error) if PASSING.contains(&error.kind()) => None,
            Err(error) => panic!("{}: {error}", socket.display()),
        });
        answer.await
    }

    /// What it says of all connections.
    pub async fn statuses(&self) -> BTreeMap<u32, Status> {
        parse(&self.ask("status").await)
    }

    /// What it says of one connection.
    pub async fn status(&self, connection: u32) -> Status {
        let status = self.statuses().await.remove(&connection);
        status.unwrap_or_else(|| panic!("no word of connection {connection}"))
    }

    /// One of the counts of a connection.
    pub async fn count(&self, connection: u32, name: &str) -> u64 {
        self.status(connection).await.number(name)
    }

    /// Waits until the status of a connection fits.
    pub async fn wait_for_status(&self, connection: u32, what: &str, fits: impl Fn(&Status) -> bool) -> Status {
        let socket = self.socket();
        until(&format!("connection {connection}: {what}"), LIMIT, || {
            let status = parse(&ask(&socket, "status").ok()?).remove(&connection)?;
            fits(&status).then_some(status)
        })
        .await
    }

    /// Waits until the status of a connection has a line `name: value`.
    pub async fn wait_for_value(&self, connection: u32, name: &str, value: &str) -> Status {
        self.wait_for_status(connection, &format!("{name}: {value}"), |status| status.get(name) == Some(value)).await
    }

    /// Waits until a connection is no longer spoken of.
    pub async fn wait_forgotten(&self, connection: u32) {
        let socket = self.socket();
        until(&format!("no word of connection {connection}"), LIMIT, || {
            (!parse(&ask(&socket, "status").ok()?).contains_key(&connection)).then_some(())
        })
        .await;
    }

    /// The bytes that the daemon has allocated; `None` for a program without fault injection.
    pub async fn allocated(&self) -> Option<u64> {
        self.ask("allocated").await.trim().parse().ok()
    }

    /// Makes actors fail, as `src/actors/fault_injection/enabled.rs` says: `router`, `connection 1 started 2, config`.
    pub async fn crash(&self, who: &str) {
        assert_eq!(self.ask(&format!("crash {who}")).await, "ok\n", "{who}");
    }
}

fn ask(socket: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_status_is_read_by_connection() {
    assert!(parse("no connections\n").is_empty());
    let status = parse("connection: 1\nstatus: Enabled\nnext attempt in: 1.5\n\nconnection: 7\nstatus: Error\n");
    assert_eq!(status.keys().copied().collect::<Vec<_>>(), [1, 7]);
    assert_eq!((status[&1].word(), status[&1].next_attempt()), ("Enabled", Some(1.5)));
    assert_eq!((status[&7].word(), status[&7].next_attempt()), ("Error", None));
}
