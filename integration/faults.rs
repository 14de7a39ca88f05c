//! Every fault that a device in the field meets, one by one: xmppd stays up, says what is wrong, is not busy with it, and
//! comes back when it is over.

#[cfg(servers)]
mod clock;
#[cfg(servers)]
mod descriptors;
mod disk;
#[cfg(servers)]
mod names;
#[cfg(servers)]
mod server;
mod streams;

use connreq::{Answer, Credentials, Requester};

use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Prosody, Section, Server, Setup};

const CPE: &str = "cpe@a.test/wan";

/// A connection request that is to be accepted.
async fn accepted(acs: &mut Requester) {
    let answer = request(acs).await;
    assert!(matches!(answer, Answer::Result { .. }), "{answer:?}");
}

/// A connection request with the right credentials.
async fn request(acs: &mut Requester) -> Answer {
    acs.request(&CPE.parse().unwrap(), &Credentials::new("cpe-user", "cpe-secret"), LIMIT).await
}

/// One connection to a Prosody, which is all that the faults of the device itself need.
struct Device {
    server: Prosody,
    general: Section,
    connection: Section,
    daemon: Daemon,
    acs: Requester,
}

impl Device {
    /// With this option of the connection, in these surroundings; it is online.
    async fn start(options: &[(&str, &str)], surroundings: impl FnOnce(Setup) -> Setup) -> Self {
        Self::beside(Prosody::start(&["a.test"]).await, options, surroundings).await
    }

    /// The same, with this server.
    async fn beside(server: Prosody, options: &[(&str, &str)], surroundings: impl FnOnce(Setup) -> Setup) -> Self {
        server.add_account("cpe@a.test", PASSWORD);
        let connection = Section::connection(1, CPE, &server);
        let connection = options.iter().fold(connection, |section, (name, value)| section.option(name, value));
        let general = Section::general(&[1]).option("connreq_limit", 0);
        let daemon = surroundings(Setup::new([&general, &connection, &Section::server(1, &server)])).start();
        server.wait_client(CPE, LIMIT).await;
        let acs = server.acs("acs@a.test/r").await;
        Self { server, general, connection, daemon, acs }
    }

    /// The file as it is, with this further option of the connection.
    fn text_with(&mut self, name: &str, value: &str) -> String {
        self.connection = self.connection.clone().option(name, value);
        crate::harness::uci::text([&self.general, &self.connection, &Section::server(1, &self.server)])
    }

    /// The server's view of the connection, which stays the same for as long as the TCP connection does.
    fn port(&self) -> Option<u16> {
        self.server.client_port(CPE)
    }

    /// An edit is taken over.
    async fn edits(&mut self, alias: &str) {
        let text = self.text_with("con_alias", alias);
        self.daemon.xmpp().commit(&text);
        self.daemon.wait_for_value(1, "alias", alias).await;
    }
}
