//! Faults of a device in the field, one by one: xmppd keeps running, reports the fault, does not spin, and recovers
//! when the fault is over.

mod clock;
mod descriptors;
mod disk;
mod names;
mod server;
mod streams;

use connreq::{Answer, Credentials, Requester};

use crate::harness::{Daemon, LIMIT, Prosody, Section, Server, Setup};

const CPE: &str = "cpe@a.test/wan";

/// Sends a connection request and fails unless it is accepted.
async fn accepted(acs: &mut Requester) {
    let answer = request(acs).await;
    assert!(matches!(answer, Answer::Result { .. }), "{answer:?}");
}

/// Sends a connection request with valid credentials.
async fn request(acs: &mut Requester) -> Answer {
    acs.request(&CPE.parse().unwrap(), &Credentials::new("cpe-user", "cpe-secret"), LIMIT).await
}

/// One connection to a Prosody: enough for faults of the device itself.
struct Device {
    server: Prosody,
    general: Section,
    connection: Section,
    daemon: Daemon,
    acs: Requester,
}

impl Device {
    /// Starts a device with these options of the connection and these changes to the setup, and waits until it is
    /// online.
    async fn start(options: &[(&str, &str)], surroundings: impl FnOnce(Setup) -> Setup) -> Self {
        Self::beside(Prosody::start(&["a.test"]).await, options, surroundings).await
    }

    /// Like `start`, with this server.
    async fn beside(server: Prosody, options: &[(&str, &str)], surroundings: impl FnOnce(Setup) -> Setup) -> Self {
        server.account("cpe@a.test");
        let connection = Section::connection(1, CPE, &server).options(options);
        let general = Section::general(&[1]).option("connreq_limit", 0);
        let daemon = surroundings(Setup::new([&general, &connection, &Section::server(1, &server)])).start();
        server.wait_client(CPE, LIMIT).await;
        let acs = server.acs("acs@a.test/r").await;
        Self { server, general, connection, daemon, acs }
    }

    /// The text of the file with this additional option of the connection.
    fn text_with(&mut self, name: &str, value: &str) -> String {
        self.connection = self.connection.clone().option(name, value);
        crate::harness::uci::text([&self.general, &self.connection, &Section::server(1, &self.server)])
    }

    /// The client's port as the server sees it, which identifies the TCP connection.
    fn port(&self) -> Option<u16> {
        self.server.client_port(CPE)
    }

    /// Edits the alias and waits until it is applied.
    async fn edits(&mut self, alias: &str) {
        let text = self.text_with("con_alias", alias);
        self.daemon.xmpp().commit(&text);
        self.daemon.wait_for_value(1, "alias", alias).await;
    }
}
