//! The daemon's control socket: status, reconnect, and fault injection.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Index;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::str::FromStr;

use serde_json::Value;

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

/// Errors while the actor of the socket restarts.
const TRANSIENT_ERRORS: [ErrorKind; 4] =
    [ErrorKind::NotFound, ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];

/// The status of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(BTreeMap<String, String>);

impl Status {
    /// The value of a field, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// TR-181's `Status`.
    pub fn word(&self) -> &str {
        &self.0["status"]
    }

    /// The value of a field as a number.
    pub fn number<T: FromStr>(&self, name: &str) -> T {
        self[name].parse().unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    /// Seconds until the next attempt; none if there is none to come.
    pub fn next_attempt(&self) -> Option<f64> {
        self.get("next_attempt_in").map(|_| self.number("next_attempt_in"))
    }
}

impl Index<&str> for Status {
    type Output = String;

    fn index(&self, name: &str) -> &String {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// Reads the status document. A section that has no number is left out.
pub fn parse(text: &str) -> BTreeMap<u32, Status> {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let connections = document["connections"].as_array().unwrap_or_else(|| panic!("no connections in {text}"));
    let mut statuses = BTreeMap::new();
    for connection in connections {
        let number = u32::try_from(connection["connection"].as_u64().unwrap()).unwrap();
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = connection.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value)));
        let status = Status(fields.collect());
        assert!(WORDS.contains(&status.word()), "no word of TR-181 in {connection}");
        if number > 0 {
            statuses.insert(number, status);
        }
    }
    statuses
}

impl Daemon {
    /// Sends a request to the control socket and returns the answer. Waits while the daemon or the socket's actor restarts.
    pub async fn ask(&self, request: &str) -> String {
        let socket = self.socket();
        let answer = until("an answer on the control socket", LIMIT, || match ask(&socket, request) {
            // Whoever listened there was stopped before it was our turn.
            Ok(answer) if answer.is_empty() => None,
            Ok(answer) => Some(answer),
            Err(error) if TRANSIENT_ERRORS.contains(&error.kind()) => None,
            Err(error) => panic!("{}: {error}", socket.display()),
        });
        answer.await
    }

    /// Returns the status of all connections.
    pub async fn statuses(&self) -> BTreeMap<u32, Status> {
        parse(&self.ask("status json").await)
    }

    /// The status of all connections; none while the socket's actor restarts.
    pub fn statuses_now(&self) -> Option<BTreeMap<u32, Status>> {
        let answer = ask(&self.socket(), "status json").ok()?;
        // It is empty if the actor is stopped after it has accepted the connection.
        (!answer.is_empty()).then(|| parse(&answer))
    }

    /// Returns the status of one connection.
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
        until(&format!("connection {connection}: {what}"), LIMIT, || {
            let status = self.statuses_now()?.remove(&connection)?;
            fits(&status).then_some(status)
        })
        .await
    }

    /// Waits until a field of a connection has this value.
    pub async fn wait_for_value(&self, connection: u32, name: &str, value: &str) -> Status {
        self.wait_for_status(connection, &format!("{name}: {value}"), |status| status.get(name) == Some(value)).await
    }

    /// Waits until a connection has no status any more.
    pub async fn wait_removed(&self, connection: u32) {
        until(&format!("no word of connection {connection}"), LIMIT, || {
            (!self.statuses_now()?.contains_key(&connection)).then_some(())
        })
        .await;
    }

    /// When the daemon last took up its file, in seconds since 1970; `None` while it does not say.
    pub fn taken_up(&self) -> Option<u64> {
        let document: Value = serde_json::from_str(&ask(&self.socket(), "status json").ok()?).ok()?;
        document["daemon"]["config"]["taken_up"].as_u64()
    }

    /// The bytes that the daemon has allocated; `None` for a program without fault injection.
    pub async fn allocated(&self) -> Option<u64> {
        self.ask("allocated").await.trim().parse().ok()
    }

    /// Makes actors fail, as `src/actors/fault_injection/enabled.rs` says: `router`, `connection 1 start 2, config`.
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
    assert!(parse(r#"{"connections": []}"#).is_empty());
    let text = r#"{"connections": [
        {"connection": 1, "status": "Enabled", "next_attempt_in": 1.5},
        {"connection": 0, "status": "Disabled"},
        {"connection": 7, "status": "Error"}
    ]}"#;
    let status = parse(text);
    assert_eq!(status.keys().copied().collect::<Vec<_>>(), [1, 7]);
    assert_eq!((status[&1].word(), status[&1].next_attempt()), ("Enabled", Some(1.5)));
    assert_eq!((status[&7].word(), status[&7].next_attempt()), ("Error", None));
}
