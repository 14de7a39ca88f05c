//! A Prosody, and what it sees of its clients.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use super::host::Host;
use super::wait::{LIMIT, until};

/// A started server.
pub struct Server {
    host: Host,
}

/// A line of `harness/prosody/mod_sessions_view.lua`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `started`, `bind`, `unbind`, `hibernate` or `resume`.
    pub kind: String,
    pub jid: String,
    /// The client's port, as the server sees it.
    pub port: u16,
    /// The server's name for the session, which a resumption keeps.
    pub session: String,
}

impl Server {
    /// The server on this host.
    pub fn new(host: Host) -> Self {
        Self { host }
    }

    /// Waits until it accepts connections.
    pub fn wait_started(&self) {
        until("Prosody's start", LIMIT, || self.events().iter().any(|event| event.kind == "started").then_some(()));
    }

    /// All events since the host was started.
    pub fn events(&self) -> Vec<Event> {
        self.host.log().since(0, &["\t"]).iter().filter_map(|line| parse(&line.text)).collect()
    }

    /// The last event of each client that is bound.
    pub fn sessions(&self) -> BTreeMap<String, Event> {
        let mut sessions = BTreeMap::new();
        for event in self.events() {
            if event.kind == "unbind" {
                sessions.remove(&event.jid);
            } else {
                sessions.insert(event.jid.clone(), event);
            }
        }
        sessions.remove("-");
        sessions
    }

    /// Waits until a client is connected, and returns its session.
    pub fn wait_online(&self, jid: &str, limit: Duration) -> Event {
        until(&format!("{jid} online"), limit, || self.sessions().remove(jid).filter(|event| event.kind != "hibernate"))
    }

    /// Fails unless the session of this client is as it was, on the same TCP connection.
    pub fn assert_same(&self, before: &Event) {
        assert_eq!(self.sessions().get(&before.jid), Some(before), "{:?}", self.events());
    }

    /// Waits until the session goes on, on another TCP connection.
    pub fn wait_resumed(&self, before: &Event) -> Event {
        let resumed = until("the server's view of the resumption", LIMIT, || {
            let now = self.sessions().remove(&before.jid)?;
            (now.kind == "resume" && now.port != before.port).then_some(now)
        });
        assert_eq!(resumed.session, before.session, "{:?}", self.events());
        resumed
    }

    /// The addresses from which clients are connected, as the server sees them.
    pub fn peers(&self) -> String {
        self.host.exec(&["ss", "-Htn", "state", "established", "sport = :5222"])
    }
}

impl Deref for Server {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

fn parse(line: &str) -> Option<Event> {
    let fields: Vec<&str> = line.split('\t').collect();
    let &[time, kind, jid, port, session, _] = fields.as_slice() else { return None };
    time.parse::<f64>().ok()?;
    let [kind, jid, session] = [kind, jid, session].map(str::to_owned);
    Some(Event { kind, jid, port: port.parse().ok()?, session })
}

#[test]
fn lines_of_the_sessions_view_are_told_from_the_log() {
    let event = parse("2.5\tresume\ta@a.test/r\t4000\tid1\t-").unwrap();
    assert_eq!((&*event.kind, event.port, &*event.session), ("resume", 4000, "id1"));
    assert_eq!(parse("c2s1\tinfo\tClient connected"), None);
}
