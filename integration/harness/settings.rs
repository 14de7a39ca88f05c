//! The sections of /etc/config/xmpp, as tests edit them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::daemon::{Daemon, Setup};
use super::fixture::{CPE1, CPE2};
use super::fleet::jid;
use super::prosody::Prosody;
use super::server::Server;
use super::sessions::Session;
use super::uci::{self, Section};
use super::wait::LIMIT;

/// The contents of /etc/config/xmpp. Connections are numbered from 1.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `config xmpp 'xmpp'`
    pub general: Section,
    /// `config connection`
    pub connections: Vec<Section>,
    /// `config connection_server`, one for each connection.
    pub servers: Vec<Section>,
}

impl Settings {
    /// Connections with these full JIDs. Those in `accepting` accept connection requests.
    fn new<'a>(jids: impl IntoIterator<Item = &'a str>, accepting: &[u32], prosody: &Prosody) -> Self {
        let general = Section::general(accepting);
        let mut settings = Self { general, connections: Vec::new(), servers: Vec::new() };
        for (id, jid) in (1..).zip(jids) {
            settings.add(id, jid, prosody);
        }
        settings
    }

    /// Two connections that accept connection requests.
    pub fn two(prosody: &Prosody) -> Self {
        Self::new([CPE1, CPE2], &[1, 2], prosody)
    }

    /// Connections with the JIDs of a [fleet](super::fleet), whose accounts are created. Those in `accepting` accept
    /// connection requests, without a limit.
    pub fn fleet(count: u32, accepting: &[u32], prosody: &Prosody) -> Self {
        let jids: Vec<String> = (1..=count).map(jid).collect();
        for jid in &jids {
            prosody.account(jid.split('/').next().unwrap());
        }
        let mut settings = Self::new(jids.iter().map(String::as_str), accepting, prosody);
        settings.set("connreq_limit", 0);
        settings
    }

    /// Adds a connection and its server row.
    pub fn add(&mut self, id: u32, full_jid: &str, prosody: &Prosody) {
        self.connections.push(Section::connection(id, full_jid, prosody));
        self.servers.push(Section::server(id, prosody));
    }

    /// Removes a connection and its server rows.
    pub fn remove(&mut self, id: u32) {
        let id = id.to_string();
        self.connections.retain(|section| section.get("con_inst") != Some(&id));
        self.servers.retain(|section| section.get("con_id") != Some(&id));
    }

    /// Sets an option of every connection.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Display) -> Self {
        for id in self.ids() {
            self.set_connection(id, option, &value);
        }
        self
    }

    /// Sets an option of the section `xmpp`.
    pub fn set(&mut self, option: &str, value: impl Display) {
        self.general = self.general.clone().option(option, value);
    }

    /// Sets an option of connection `id`.
    pub fn set_connection(&mut self, id: u32, option: &str, value: impl Display) {
        let section = &mut self.connections[id as usize - 1];
        *section = section.clone().option(option, value);
    }

    /// Sets an option of the server row of connection `id`.
    pub fn set_server(&mut self, id: u32, option: &str, value: impl Display) {
        let section = &mut self.servers[id as usize - 1];
        *section = section.clone().option(option, value);
    }

    /// The connections' numbers.
    pub fn ids(&self) -> RangeInclusive<u32> {
        1..=u32::try_from(self.connections.len()).unwrap()
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.general).chain(&self.connections).chain(&self.servers)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        uci::text(self.sections())
    }

    /// Returns a daemon for this file, not started yet.
    pub fn setup(&self) -> Setup {
        Setup::new(self.sections())
    }

    /// Starts a daemon with this file and waits until all connections of the fleet are online, for the server and in the
    /// status.
    pub async fn start(&self, prosody: &Prosody) -> (Daemon, BTreeMap<u32, Session>) {
        let daemon = self.setup().start();
        let sessions = self.wait_online(&daemon, prosody).await;
        (daemon, sessions)
    }

    /// Waits until all connections of the fleet are online, for the server and in the status.
    pub async fn wait_online(&self, daemon: &Daemon, prosody: &Prosody) -> BTreeMap<u32, Session> {
        let sessions = self.all_online(prosody).await;
        for id in self.ids() {
            // The server knows it first.
            daemon.wait_for_value(id, "status", "Enabled").await;
        }
        sessions
    }

    /// Waits until all connections of the fleet are online for the server.
    pub async fn all_online(&self, prosody: &Prosody) -> BTreeMap<u32, Session> {
        let mut sessions = BTreeMap::new();
        for id in self.ids() {
            sessions.insert(id, prosody.wait_online(&jid(id), LIMIT).await);
        }
        sessions
    }
}
