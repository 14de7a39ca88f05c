//! Stream management on both real servers: what is lost on the way when a connection breaks, and links that are dead.

mod answers;
mod half_open;
mod resume;

use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, Entries, Gate, LIMIT, Section, Server, Setup, Wanted, Wire, until};

const CPE: &str = "cpe@a.test/wan";

/// A connection that goes through a gate, and an ACS that does not.
struct Scene<S> {
    server: S,
    gate: Gate,
    daemon: Daemon,
    acs: Wire,
    /// The client's port on the server's side when it came online.
    port: u16,
}

impl<S: Server> Scene<S> {
    /// With this keepalive interval.
    async fn start(interval: u32) -> Self {
        Self::start_beside(interval, &[]).await
    }

    /// With these further sections.
    async fn start_beside(interval: u32, others: &[Section]) -> Self {
        let server = S::launch(&["a.test"], Wanted { smacks: true, ..Wanted::default() }).await;
        server.add_account("cpe@a.test", PASSWORD);
        let gate = Gate::before(server.port()).await;
        let connection = Section::connection(1, CPE, &server).option("interval", interval);
        let row = Section::server(1, &server).option("port", gate.port());
        let general = Section::general(&[1, 2]);
        let daemon = Setup::new([&general, &connection, &row].into_iter().chain(others)).start();
        let port = server.wait_client(CPE, LIMIT).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        let acs = server.raw("acs@a.test/r").await;
        Self { server, gate, daemon, acs, port }
    }

    /// Waits until the stream is resumed; fails if a new session came about instead.
    async fn wait_resumed(&self) {
        self.daemon.wait_for_log(&["connection 1", "stream resumed as cpe@a.test/wan"], LIMIT).await;
        let resumed = Entries { bound: 1, resumed: 1 };
        until("the server's view of the resumption", LIMIT, || (self.server.entries(CPE) == resumed).then_some(()))
            .await;
        assert_ne!(self.server.client_port(CPE), Some(self.port));
    }

    /// Sends a connection request.
    async fn send_request(&mut self) {
        self.acs
            .send(
                "<iq type='get' id='request' to='cpe@a.test/wan'>\
                 <connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
                 <username>cpe-user</username><password>cpe-secret</password></connectionRequest></iq>",
            )
            .await;
    }

    /// Sends a connection request that cannot be answered now, and makes sure that the server has dealt with it.
    async fn send_request_in_vain(&mut self) {
        self.send_request().await;
        self.acs.ask("<iq type='get' id='own' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>").await;
    }

    /// Fails unless the answer to the request comes, once, and the CWMP client was told once.
    async fn answered_once(&mut self) {
        let answer = self.acs.expect(" id='request'").await;
        assert!(answer.contains("type='result'"), "{answer}");
        // Whatever else is still under way from the CPE comes before the answer to this.
        self.acs.send("<iq type='get' id='after' to='cpe@a.test/wan'><ping xmlns='urn:xmpp:ping'/></iq>").await;
        loop {
            let stanza = self.acs.next(LIMIT).await.expect("the answer to the ping");
            if stanza.contains(" id='after'") {
                break;
            }
            assert!(!stanza.contains(" id='request'"), "answered twice: {answer} and {stanza}");
        }
        assert_eq!(self.daemon.ubus().calls().len(), 1);
    }
}
