//! A connection of the same daemon to another server, which nothing may happen to.

use std::time::Duration;

use xmpp::parsers::iq::Iq;
use xmpp::parsers::ping::Ping;

use super::prosody::{PASSWORD, Prosody};
use super::server::{Server, Wanted};
use super::uci::Section;
use super::wait::LIMIT;

/// How long its answers may take: they come at once.
const PROMPT: Duration = Duration::from_secs(2);

/// The other server, and the connection to it.
pub struct Bystander {
    server: Prosody,
    port: Option<u16>,
}

impl Bystander {
    /// Its full JID.
    pub const JID: &'static str = "cpe@b.test/lan";
    /// Its number.
    pub const ID: u32 = 2;

    /// Starts the other server.
    pub async fn start() -> Self {
        let server = Prosody::launch(&["b.test"], Wanted::default()).await;
        server.add_account("cpe@b.test", PASSWORD);
        Self { server, port: None }
    }

    /// What the file is to say of it.
    pub fn sections(&self) -> [Section; 2] {
        [Section::connection(Self::ID, Self::JID, &self.server), Section::server(Self::ID, &self.server)]
    }

    /// Waits until it is online, on the TCP connection that it is to keep.
    pub async fn online(&mut self) {
        self.port = Some(self.server.wait_client(Self::JID, LIMIT).await);
    }

    /// Fails unless it answers at once, on the connection that it had.
    pub async fn undisturbed(&self) {
        let mut acs = self.server.acs("acs@b.test/r").await;
        let ping = Iq::from_get("", Ping).with_to(Self::JID.parse().unwrap());
        let answer = acs.ask(ping, PROMPT).await;
        assert!(matches!(answer, Ok(Some(Iq::Result { .. }))), "{answer:?}");
        assert_eq!(self.server.client_port(Self::JID), self.port, "the bystander was disturbed");
    }
}
