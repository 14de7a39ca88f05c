//! Several connections of one daemon to one server, each with an account of its own: connection 3 is
//! `cpe3@a.test/wan`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use connreq::{Answer, Credentials, Requester};

use super::daemon::{Daemon, Setup};
use super::prosody::Prosody;
use super::sessions::Session;
use super::uci::{self, Section};
use super::wait::LIMIT;

/// The connections of a file.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The section `xmpp`.
    pub general: Section,
    /// The sections of connection 1 and so on.
    pub connections: Vec<Section>,
    /// Their server rows.
    pub servers: Vec<Section>,
}

impl Fleet {
    /// So many connections, with accounts on the server; those in `accepting` take connection requests, as many as come.
    pub fn new(count: u32, accepting: &[u32], prosody: &Prosody) -> Self {
        for id in 1..=count {
            prosody.account(jid(id).split('/').next().unwrap());
        }
        Self {
            general: Section::general(accepting).option("connreq_limit", 0),
            connections: (1..=count).map(|id| Section::connection(id, &jid(id), prosody)).collect(),
            servers: (1..=count).map(|id| Section::server(id, prosody)).collect(),
        }
    }

    /// With this option in every connection.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.connections = self.connections.into_iter().map(|section| section.option(name, value)).collect();
        self
    }

    /// With this option in the connection of that number.
    pub fn change(&mut self, id: u32, name: &str, value: &str) {
        let section = &mut self.connections[id as usize - 1];
        *section = section.clone().option(name, value);
    }

    /// The connections' numbers.
    pub fn ids(&self) -> RangeInclusive<u32> {
        1..=u32::try_from(self.connections.len()).unwrap()
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.general).chain(&self.connections).chain(&self.servers)
    }

    /// The file.
    pub fn text(&self) -> String {
        uci::text(self.sections())
    }

    /// A daemon for this file, not started yet.
    pub fn setup(&self) -> Setup {
        Setup::new(self.sections())
    }

    /// A daemon with this file, when all of its connections are online and it knows that, and the server's view of them.
    pub async fn start(&self, prosody: &Prosody) -> (Daemon, BTreeMap<u32, Session>) {
        let daemon = self.setup().start();
        let sessions = self.all_online(prosody).await;
        for id in self.ids() {
            // The server knew it first.
            daemon.wait_for_value(id, "status", "Enabled").await;
        }
        (daemon, sessions)
    }

    /// Waits until all are online.
    pub async fn all_online(&self, prosody: &Prosody) -> BTreeMap<u32, Session> {
        let mut sessions = BTreeMap::new();
        for id in self.ids() {
            sessions.insert(id, prosody.wait_online(&jid(id), LIMIT).await);
        }
        sessions
    }
}

/// The full JID of a connection.
pub fn jid(id: u32) -> String {
    format!("cpe{id}@a.test/wan")
}

/// The server's view of one connection at this moment.
pub fn session(prosody: &Prosody, id: u32) -> Option<Session> {
    prosody.sessions().remove(&jid(id))
}

/// Waits until the connection is online on another TCP connection than this one.
pub async fn wait_back(prosody: &Prosody, id: u32, before: &Session) -> Session {
    super::until(&format!("connection {id} back online"), LIMIT, || {
        session(prosody, id).filter(|now| now.port != before.port || now.since > before.since)
    })
    .await
}

/// Sends a connection request with the right credentials.
pub async fn request(acs: &mut Requester, id: u32) -> Answer {
    let secret = Credentials::new("cpe-user", "cpe-secret");
    acs.request(&jid(id).parse().unwrap(), &secret, LIMIT).await
}

/// A connection request that is to be accepted.
pub async fn accepted(acs: &mut Requester, id: u32) {
    let answer = request(acs, id).await;
    assert!(matches!(answer, Answer::Result { .. }), "connection {id}: {answer:?}");
}

/// A connection request that is to be refused with this condition.
pub async fn refused(acs: &mut Requester, id: u32, expected: &str) {
    let answer = request(acs, id).await;
    assert!(matches!(&answer, Answer::Error { condition, .. } if condition == expected), "connection {id}: {answer:?}");
}
