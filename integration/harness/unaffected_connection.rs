//! A connection of the same daemon to another server, which the fault under test must not affect.

use xmpp::parsers::iq::Iq;
use xmpp::parsers::ping::Ping;

use super::prosody::{PASSWORD, Prosody};
use super::server::{Server, ServerOptions};
use super::uci::Section;
use super::wait::LIMIT;

/// The second server and the connection to it.
pub struct UnaffectedConnection {
    server: Prosody,
    port: Option<u16>,
}

impl UnaffectedConnection {
    /// The connection's full JID.
    pub const JID: &'static str = "cpe@b.test/lan";
    /// The connection's number.
    pub const ID: u32 = 2;

    /// Starts the second server.
    pub async fn start() -> Self {
        let server = Prosody::launch(&["b.test"], ServerOptions::default()).await;
        server.account("cpe@b.test");
        Self { server, port: None }
    }

    /// The sections of /etc/config/xmpp for this connection.
    pub fn sections(&self) -> [Section; 2] {
        [Section::connection(Self::ID, Self::JID, &self.server), Section::server(Self::ID, &self.server)]
    }

    /// Waits until it is online, and remembers its TCP connection.
    pub async fn online(&mut self) {
        self.port = Some(self.server.wait_client(Self::JID, LIMIT).await);
    }

    /// Fails unless it answers a ping, on the same TCP connection.
    pub async fn assert_unaffected(&self) {
        let mut acs = self.server.acs("acs@b.test/r").await;
        let ping = Iq::from_get("", Ping).with_to(Self::JID.parse().unwrap());
        let answer = acs.ask(ping, LIMIT).await;
        assert!(matches!(answer, Ok(Some(Iq::Result { .. }))), "{answer:?}");
        assert_eq!(self.server.client_port(Self::JID), self.port, "connection 2 was affected");
    }
}
