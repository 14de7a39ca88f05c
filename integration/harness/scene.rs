//! Two CPE accounts on one server, served by one daemon, and an ACS that watches: what most scenarios begin with.

use super::daemon::{Daemon, Setup};
use super::prosody::{Options, Prosody};
use super::sessions::{End, Kind, Session};
use super::stanzas::{assert_result, id, ping};
use super::status::Status;
use super::uci::{self, Section};
use super::wait::{LIMIT, until};
use super::wire::{Wire, attribute};

/// The first connection, which accepts requests.
pub const CPE1: &str = "cpe1@a.test/wan";
/// The second connection, which accepts requests too.
pub const CPE2: &str = "cpe2@a.test/lan";
/// The ACS.
pub const ACS: &str = "acs@a.test/r";

/// What /etc/config/xmpp says.
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
    /// Two connections that accept requests.
    pub fn two(prosody: &Prosody) -> Self {
        Self {
            general: Section::general(&[1, 2]),
            connections: vec![Section::connection(1, CPE1, prosody), Section::connection(2, CPE2, prosody)],
            servers: vec![Section::server(1, prosody), Section::server(2, prosody)],
        }
    }

    /// Sets an option of the section `xmpp`.
    pub fn set(&mut self, option: &str, value: impl std::fmt::Display) {
        self.general = self.general.clone().option(option, value);
    }

    /// Sets an option of connection `id`.
    pub fn set_connection(&mut self, id: usize, option: &str, value: impl std::fmt::Display) {
        self.connections[id - 1] = self.connections[id - 1].clone().option(option, value);
    }

    /// Sets an option of the server row of connection `id`.
    pub fn set_server(&mut self, id: usize, option: &str, value: impl std::fmt::Display) {
        self.servers[id - 1] = self.servers[id - 1].clone().option(option, value);
    }

    /// All sections, in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&self.general).chain(&self.connections).chain(&self.servers)
    }

    /// The file.
    pub fn text(&self) -> String {
        uci::text(self.sections())
    }
}

/// The two ways in which a file is changed.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// As an editor does.
    InPlace,
    /// As `uci commit` does.
    Commit,
}

/// Both connections are online.
pub struct Scene {
    /// The server.
    pub prosody: Prosody,
    /// xmppd
    pub daemon: Daemon,
    /// The ACS's session.
    pub acs: Wire,
    /// What the file says.
    pub settings: Settings,
    how: How,
    streams: [Session; 2],
}

impl Scene {
    /// A scene without peculiarities.
    pub async fn start() -> Self {
        Self::start_with(Options::default(), |_| {}, |setup| setup).await
    }

    /// A scene in which xmppd's file differs.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(Options::default(), change, |setup| setup).await
    }

    /// A scene with a server, a file and surroundings of its own. The accounts of both connections are there.
    pub async fn start_with(
        options: Options,
        change: impl FnOnce(&mut Settings),
        setup: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let prosody = Prosody::start_with(&["a.test", "b.test"], options).await;
        for account in ["cpe1@a.test", "cpe2@a.test"] {
            prosody.account(account);
        }
        let mut settings = Settings::two(&prosody);
        change(&mut settings);
        let daemon = setup(Setup::new(settings.sections())).start();
        let acs = prosody.wire(ACS).await;
        let streams = [prosody.wait_online(CPE1, LIMIT).await, prosody.wait_online(CPE2, LIMIT).await];
        for connection in [1, 2] {
            daemon.wait_for_value(connection, "status", "Enabled").await;
        }
        Self { prosody, daemon, acs, settings, how: How::InPlace, streams }
    }

    /// Changes the file in this way from now on.
    pub fn by(&mut self, how: How) {
        self.how = how;
    }

    /// Edits the file; gives the place in the log from which on its effects are to be seen.
    pub fn edit(&mut self, change: impl FnOnce(&mut Settings)) -> usize {
        change(&mut self.settings);
        let text = self.settings.text();
        self.write(&text)
    }

    /// Gives the file any text at all.
    pub fn write(&self, text: &str) -> usize {
        let mark = self.daemon.log().mark();
        match self.how {
            How::InPlace => self.daemon.xmpp().write_in_place(text),
            How::Commit => self.daemon.xmpp().commit(text),
        }
        mark
    }

    /// Edits the file where only the router's rules are touched, and waits until they hold.
    pub async fn edit_rules(&mut self, change: impl FnOnce(&mut Settings)) {
        let mark = self.edit(change);
        self.daemon.log().wait(mark, &["general settings taken over"], LIMIT).await;
    }

    /// What a connection says of itself.
    pub async fn status(&self, connection: u32) -> Status {
        self.daemon.status(connection).await
    }

    /// The session as it is remembered.
    pub fn stream(&self, jid: &str) -> &Session {
        &self.streams[index(jid)]
    }

    /// Fails unless the connection still answers, on the TCP connection that it had.
    ///
    /// A connection that was told to stop or to restart does not answer any more: so this is also true of all that was
    /// decided before.
    pub async fn assert_same(&mut self, jid: &str) {
        assert_result(&self.acs.ask(&ping(jid)).await);
        assert_eq!(self.prosody.sessions().get(jid), Some(self.stream(jid)), "{jid} is not where it was");
    }

    /// As [`assert_same`](Self::assert_same), for both.
    pub async fn assert_both_same(&mut self) {
        self.assert_same(CPE1).await;
        self.assert_same(CPE2).await;
    }

    /// Fails if the server ever saw anything happen to the connection but that it came online, once.
    pub fn assert_never_cut(&self, jid: &str) {
        let bare = jid.split('/').next().unwrap();
        let seen = |event: &super::sessions::Event| event.jid.split('/').next() == Some(bare);
        let seen: Vec<_> = self.prosody.events().into_iter().filter(seen).collect();
        assert!(matches!(seen.as_slice(), [first] if first.kind == Kind::Bind), "{seen:?}");
        assert_eq!(self.prosody.sessions().get(jid), Some(self.stream(jid)));
    }

    /// Waits until the connection's stream was ended cleanly and `new` (the same JID, or what it became) is online on
    /// another one, which is remembered.
    pub async fn wait_restart(&mut self, jid: &str, new: &str) {
        let before = self.stream(jid).clone();
        let after = until(&format!("another stream of {new}"), LIMIT, || {
            self.prosody.sessions().remove(new).filter(|session| *session != before)
        })
        .await;
        assert_ne!(after.port, before.port);
        let ended = |event: &super::sessions::Event| event.port == before.port && event.time >= before.since;
        let ends: Vec<Kind> = self.prosody.events().into_iter().filter(ended).map(|event| event.kind).collect();
        assert_eq!(ends.get(1), Some(&Kind::Unbind(End::ByClient)), "{ends:?}");
        assert_result(&self.acs.ask(&ping(new)).await);
        self.streams[index(jid)] = after;
    }

    /// Waits until the connection has no session any more; it was ended cleanly.
    pub async fn wait_stop(&mut self, jid: &str) {
        assert_eq!(self.prosody.wait_gone(jid, LIMIT).await, Some(End::ByClient));
    }

    /// Waits until a connection that had no session has one, which is remembered.
    pub async fn wait_start(&mut self, jid: &str) {
        self.streams[index(jid)] = self.prosody.wait_online(jid, LIMIT).await;
    }

    /// Sends an IQ and waits for its answer; fails if a second one follows, or anything else that was not asked for.
    pub async fn ask_once(&mut self, iq: &str) -> String {
        let answer = self.acs.ask(iq).await;
        assert_eq!(self.uninvited(&attribute(iq, "to")).await, [""; 0], "after {answer}");
        answer
    }

    /// What has arrived from the connection and is not the answer to a ping that is sent now.
    pub async fn uninvited(&mut self, jid: &str) -> Vec<String> {
        let ping = ping(jid);
        self.acs.send(&ping).await;
        let mut others = Vec::new();
        loop {
            let stanza = self.acs.next(LIMIT).await.expect("the answer to the ping");
            if stanza.contains(&format!("id='{}'", id(&ping))) {
                assert_result(&stanza);
                return others;
            }
            others.push(stanza);
        }
    }
}

/// The connections by name; one whose JID changes keeps its place.
fn index(jid: &str) -> usize {
    usize::from(jid.starts_with("cpe2"))
}
