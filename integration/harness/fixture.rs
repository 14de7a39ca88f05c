//! What most scenarios start from: one server, one daemon with two connections to it, and an ACS.

use super::daemon::{Daemon, Setup};
use super::prosody::{Options, Prosody};
use super::raw_client::{RawClient, attribute};
use super::server::Server;
use super::sessions::{EventKind, Session, SessionEnd};
use super::settings::Settings;
use super::stanzas::{assert_result, id, ping};
use super::status::Status;
use super::wait::{LIMIT, until};

/// The full JID of connection 1, which accepts connection requests.
pub const CPE1: &str = "cpe1@a.test/wan";
/// The full JID of connection 2, which accepts connection requests.
pub const CPE2: &str = "cpe2@a.test/lan";
/// The full JID of the ACS.
pub const ACS: &str = "acs@a.test/r";

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub enum WriteMethod {
    /// Truncated and rewritten, as by an editor.
    InPlace,
    /// Replaced by a rename, as by `uci commit`.
    Commit,
}

/// A server, a daemon whose two connections are online, and an ACS.
pub struct Fixture {
    /// The server.
    pub prosody: Prosody,
    /// xmppd
    pub daemon: Daemon,
    /// The ACS's session.
    pub acs: RawClient,
    /// What was last written with [`edit`](Self::edit).
    pub settings: Settings,
    write_method: WriteMethod,
    /// The sessions that the assertions compare with.
    streams: [Session; 2],
}

impl Fixture {
    /// Starts everything with default options.
    pub async fn start() -> Self {
        Self::start_with(Options::default(), |_| {}, |setup| setup).await
    }

    /// Starts everything with changed settings of xmppd.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(Options::default(), change, |setup| setup).await
    }

    /// Starts everything with these options of the server, settings of xmppd, and changes to how xmppd is started.
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
        let acs = prosody.raw_client(ACS).await;
        let streams = [prosody.wait_online(CPE1, LIMIT).await, prosody.wait_online(CPE2, LIMIT).await];
        for connection in [1, 2] {
            daemon.wait_for_value(connection, "status", "Enabled").await;
        }
        Self { prosody, daemon, acs, settings, write_method: WriteMethod::InPlace, streams }
    }

    /// Sets how the file is written from now on; initially [`WriteMethod::InPlace`].
    pub fn set_write_method(&mut self, method: WriteMethod) {
        self.write_method = method;
    }

    /// Edits the file. Returns the mark in the log after which its effects show.
    pub fn edit(&mut self, change: impl FnOnce(&mut Settings)) -> usize {
        change(&mut self.settings);
        let text = self.settings.text();
        self.write(&text)
    }

    /// Writes any text to the file. Returns the mark in the log after which its effects show.
    pub fn write(&self, text: &str) -> usize {
        let mark = self.daemon.log().mark();
        match self.write_method {
            WriteMethod::InPlace => self.daemon.xmpp().write_in_place(text),
            WriteMethod::Commit => self.daemon.xmpp().commit(text),
        }
        mark
    }

    /// Edits options that only the router uses, and waits until they are applied.
    pub async fn edit_rules(&mut self, change: impl FnOnce(&mut Settings)) {
        let mark = self.edit(change);
        self.daemon.log().wait(mark, &["general settings applied"], LIMIT).await;
    }

    /// The status of a connection.
    pub async fn status(&self, connection: u32) -> Status {
        self.daemon.status(connection).await
    }

    /// The remembered session of a connection.
    pub fn stream(&self, jid: &str) -> &Session {
        &self.streams[index(jid)]
    }

    /// Fails unless the connection answers a ping on its remembered TCP connection.
    ///
    /// A connection that has been told to stop or restart no longer answers, so this also rules out a pending restart.
    pub async fn assert_same_stream(&mut self, jid: &str) {
        assert_result(&self.acs.ask(&ping(jid)).await);
        assert_eq!(self.prosody.sessions().get(jid), Some(self.stream(jid)), "{jid} has another session");
    }

    /// As [`assert_same_stream`](Self::assert_same_stream), for both connections.
    pub async fn assert_same_streams(&mut self) {
        self.assert_same_stream(CPE1).await;
        self.assert_same_stream(CPE2).await;
    }

    /// Fails unless the server's only event for the connection is that it came online, once.
    pub fn assert_never_disconnected(&self, jid: &str) {
        let bare = jid.split('/').next().unwrap();
        let seen = |event: &super::sessions::Event| event.jid.split('/').next() == Some(bare);
        let seen: Vec<_> = self.prosody.events().into_iter().filter(seen).collect();
        assert!(matches!(seen.as_slice(), [first] if first.kind == EventKind::Bind), "{seen:?}");
        assert_eq!(self.prosody.sessions().get(jid), Some(self.stream(jid)));
    }

    /// Waits until the connection has closed its stream cleanly and `new` (the same JID, or its new one) is online on
    /// another one. Remembers the new session.
    pub async fn wait_restart(&mut self, jid: &str, new: &str) {
        let before = self.stream(jid).clone();
        let after = until(&format!("another stream of {new}"), LIMIT, || {
            self.prosody.sessions().remove(new).filter(|session| *session != before)
        })
        .await;
        assert_ne!(after.port, before.port);
        let ended = |event: &super::sessions::Event| event.port == before.port && event.time >= before.since;
        let ends: Vec<EventKind> = self.prosody.events().into_iter().filter(ended).map(|event| event.kind).collect();
        assert_eq!(ends.get(1), Some(&EventKind::Unbind(SessionEnd::ByClient)), "{ends:?}");
        assert_result(&self.acs.ask(&ping(new)).await);
        self.streams[index(jid)] = after;
    }

    /// Waits until the connection's session has ended; fails unless it was closed cleanly.
    pub async fn wait_stop(&mut self, jid: &str) {
        assert_eq!(self.prosody.wait_gone(jid, LIMIT).await, Some(SessionEnd::ByClient));
    }

    /// Waits until the connection is online, and remembers its session.
    pub async fn wait_start(&mut self, jid: &str) {
        self.streams[index(jid)] = self.prosody.wait_online(jid, LIMIT).await;
    }

    /// Sends an IQ and returns its answer; fails if any other stanza follows.
    pub async fn ask_once(&mut self, iq: &str) -> String {
        let answer = self.acs.ask(iq).await;
        assert_eq!(self.unsolicited(&attribute(iq, "to")).await, [""; 0], "after {answer}");
        answer
    }

    /// Pings the connection and returns all stanzas that arrive before the answer.
    pub async fn unsolicited(&mut self, jid: &str) -> Vec<String> {
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

/// The index of a connection in `streams`; a changed JID keeps its user name.
fn index(jid: &str) -> usize {
    usize::from(jid.starts_with("cpe2"))
}
