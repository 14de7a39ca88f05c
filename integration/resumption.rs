//! Stream management on both real servers: stanzas in flight when a connection breaks, and half-open connections.

mod answers;
mod cut_off;
mod half_open;
mod resume;

use crate::harness::stanzas::{assert_result, good_request, id, ping};
use crate::harness::{Daemon, FaultProxy, LIMIT, LoginCounts, RawClient, Section, Server, ServerOptions, Setup, until};

const CPE: &str = "cpe@a.test/wan";

/// A connection through a proxy, and an ACS without one.
struct Fixture<S> {
    server: S,
    proxy: FaultProxy,
    daemon: Daemon,
    acs: RawClient,
    /// The last connection request.
    request: String,
    /// The client's port as the server saw it at the login.
    port: u16,
}

impl<S: Server> Fixture<S> {
    /// Starts a fixture with this keepalive interval.
    async fn start(interval: u32) -> Self {
        Self::start_beside(interval, &[]).await
    }

    /// Starts a fixture with these additional sections.
    async fn start_beside(interval: u32, others: &[Section]) -> Self {
        let server = S::launch(&["a.test"], ServerOptions { smacks: true, ..ServerOptions::default() }).await;
        server.account("cpe@a.test");
        let proxy = FaultProxy::to_port(server.port()).await;
        let connection = Section::connection(1, CPE, &server).option("interval", interval);
        let row = Section::server(1, &server).option("port", proxy.port());
        let general = Section::general(&[1, 2]);
        let daemon = Setup::new([&general, &connection, &row].into_iter().chain(others)).start();
        let port = server.wait_client(CPE, LIMIT).await;
        daemon.wait_for_value(1, "status", "Enabled").await;
        let acs = server.raw_client("acs@a.test/r").await;
        Self { server, proxy, daemon, acs, request: String::new(), port }
    }

    /// Waits until the stream is resumed; fails if a new session is started instead.
    async fn wait_resumed(&self) {
        self.daemon.wait_for_log(&["connection 1", "stream resumed as cpe@a.test/wan"], LIMIT).await;
        let resumed = LoginCounts { bound: 1, resumed: 1 };
        until("the server's view of the resumption", LIMIT, || {
            (self.server.login_counts(CPE) == resumed).then_some(())
        })
        .await;
        assert_ne!(self.server.client_port(CPE), Some(self.port));
    }

    /// Sends a connection request.
    async fn send_request(&mut self) {
        self.request = good_request(CPE);
        self.acs.send(&self.request).await;
    }

    /// Sends a connection request that cannot be answered now, and waits until the server has processed it.
    async fn send_request_in_vain(&mut self) {
        self.send_request().await;
        self.acs.ask(&ping("a.test")).await;
    }

    /// Fails unless the request is answered once, after one notification of the CWMP client.
    async fn answered_once(&mut self) {
        let answer = self.acs.expect(&id(&self.request)).await;
        assert_result(&answer);
        // Everything from the CPE in flight arrives before the answer to this ping.
        let ping = [ping(CPE)];
        self.acs.send(&ping[0]).await;
        self.acs.answers(&ping).await;
        assert_eq!(self.daemon.ubus().calls().len(), 1);
    }
}
