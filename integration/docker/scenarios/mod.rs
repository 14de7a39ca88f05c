//! The scenarios.

mod clock;
mod cut_off;
mod fleet;
mod ipv6;
mod nat;
mod rough_network;
mod server_moves;
mod small_cpe;
mod two_servers;

use crate::harness::acs::Acs;
use crate::harness::{Connection, Cpe, Event, Host, LIMIT, Lab, Router, Server};

/// The full JID of the CPE.
const CPE: &str = "cpe1@isp.test/wan";

/// What most scenarios start from: a server with its name, an ACS, and a CPE behind NAT that answers. Hosts are dropped
/// before the lab.
struct Home {
    server: Server,
    names: Host,
    acs: Acs,
    router: Router,
    cpe: Cpe,
    lab: Lab,
}

impl Home {
    /// Starts one with this connection.
    fn start(connection: Connection) -> Self {
        Self::start_with(connection, &[], |_| {})
    }

    /// Starts one with this connection and these settings of the router's kernel, after this was done to the router.
    fn start_with(connection: Connection, settings: &[&str], prepare: impl FnOnce(&Router)) -> Self {
        let lab = Lab::new();
        let router = lab.router(settings);
        let names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core(10))]);
        let acs = lab.acs();
        let server = lab.server("xmpp", 10, "cpe1", "");
        prepare(&router);
        let cpe = lab.cpe(&[connection]);
        cpe.wait(0, &["online as", CPE]);
        let home = Self { server, names, acs, router, cpe, lab };
        // With the answer, all is known that a resumption needs.
        home.assert_answers();
        home
    }

    /// The session of the CPE.
    fn session(&self) -> Event {
        self.server.wait_online(CPE, LIMIT)
    }

    /// Fails unless a connection request is accepted, with one call of the CWMP client.
    fn assert_answers(&self) {
        let before = self.cpe.notified();
        self.acs.ask(&self.lab.core(10)).assert_accepted(1);
        assert_eq!(self.cpe.notified(), before + 1);
    }

    /// The address of the server's name from now on.
    fn rename(&self, address: &str) {
        self.names.pipe(&["sh", "-c", "cat > /srv/dns/hosts"], &format!("{address} xmpp.isp.test\n"));
        let mark = self.names.log().len();
        self.names.exec(&["sh", "-c", "kill -HUP $(pidof dnsmasq)"]);
        self.names.log().wait(mark, &["read /srv/dns/hosts"], LIMIT);
    }
}
