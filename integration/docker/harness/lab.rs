//! The networks of a scenario: `core` with servers and the ACS, `lan` with CPEs, and a NAT router between them.

use std::sync::atomic::{AtomicU8, Ordering};

use super::acs::Acs;
use super::cpe::Cpe;
use super::engine::{docker, run};
use super::host::{Host, Plan};
use super::router::Router;
use super::server::Server;
use super::uci::{DOMAIN, PASSWORD, xmpp_file};
use super::{Connection, LIMIT};

/// What the containers and networks of the tests are labelled with. `run.sh` removes those of killed runs.
const LABEL: &str = "xmppd.harness=test";

/// Two networks. Containers and networks are removed with it; declare it before the hosts.
pub struct Lab {
    number: u8,
    name: String,
}

impl Lab {
    /// Creates the networks. Nothing leaves them: Docker masquerades none, the default gateway on `core` does not exist, and
    /// the one on `lan` is the router. See also `compose.yaml`.
    pub fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            assert!(number < 100, "no free networks in 10.231.0.0/16");
            let lab = Self { number, name: format!("xmppd-harness-test-{number}") };
            if lab.create_networks() {
                docker(&["volume", "create", "--label", LABEL, "--label", &lab.label(), &lab.trust()]);
                return lab;
            }
        }
    }

    /// Returns whether its addresses are free.
    fn create_networks(&self) -> bool {
        let label = self.label();
        [
            (self.core_network(), Self::core as fn(&Self, u8) -> String, Self::core6 as fn(&Self, u8) -> String),
            (self.lan_network(), Self::lan, Self::lan6),
        ]
        .into_iter()
        .all(|(network, address, address6)| {
            let subnet = format!("{}/24", address(self, 0));
            let subnet6 = format!("{}/64", address6(self, 0));
            let gateway = format!("DefaultGatewayIPv4={}", address(self, 254));
            let gateway6 = format!("DefaultGatewayIPv6={}", address6(self, 254));
            let words = [
                &["network", "create", "--label", LABEL, "--label", &label][..],
                &["--opt", "com.docker.network.bridge.enable_ip_masquerade=false", "--ipv6"],
                &["--subnet", &subnet, "--subnet", &subnet6, "--aux-address", &gateway, "--aux-address", &gateway6],
                &[&network],
            ]
            .concat();
            let output = run(&words, None, LIMIT);
            let taken = output.stderr.contains("overlaps") || output.stderr.contains("already exists");
            assert!(output.code == Some(0) || taken, "{words:?}: {output:?}");
            !taken
        })
    }

    /// The address of host `number` on `core`.
    pub fn core(&self, number: u8) -> String {
        format!("10.231.{}.{number}", self.number * 2)
    }

    /// The address of host `number` on `lan`.
    pub fn lan(&self, number: u8) -> String {
        format!("10.231.{}.{number}", self.number * 2 + 1)
    }

    /// The IPv6 address of host `number` on `core`.
    pub fn core6(&self, number: u8) -> String {
        ipv6(self.number * 2, number)
    }

    /// The IPv6 address of host `number` on `lan`.
    pub fn lan6(&self, number: u8) -> String {
        ipv6(self.number * 2 + 1, number)
    }

    /// The name of the network `core`.
    pub fn core_network(&self) -> String {
        format!("{}-core", self.name)
    }

    /// The name of the network `lan`.
    pub fn lan_network(&self) -> String {
        format!("{}-lan", self.name)
    }

    fn trust(&self) -> String {
        format!("{}-trust", self.name)
    }

    fn label(&self) -> String {
        format!("xmppd.harness.lab={}", self.name)
    }

    fn plan(&self, name: &str, image: &str, network: &str, address: &str) -> Plan {
        let volume = format!("{}:/trust", self.trust());
        let plan = Plan::new(&format!("{}-{name}", self.name), image, LABEL, network, address);
        plan.arguments(["--label", &self.label(), "--hostname", name, "--volume", &volume])
    }

    /// Starts the router, with these settings of its kernel.
    pub fn router(&self, settings: &[&str]) -> Router {
        let mut plan = self
            .plan("router", "router", &self.core_network(), &self.core(2))
            .network(&self.lan_network(), &self.lan(2))
            .arguments(["--cap-add", "NET_ADMIN", "--device", "/dev/net/tun"])
            .env("GATEWAYS", &format!("{}/24 {}/64", self.lan(254), self.lan6(254)));
        let fixed = [
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv6.conf.all.disable_ipv6=0",
            "net.ipv6.conf.all.forwarding=1",
            // What belongs to no mapping is not taken up.
            "net.netfilter.nf_conntrack_tcp_loose=0",
        ];
        for setting in fixed.iter().chain(settings) {
            plan = plan.arguments(["--sysctl", setting]);
        }
        let host = plan.start();
        host.log().wait(0, &["ready"], LIMIT);
        Router::new(host)
    }

    /// Starts a server for [`DOMAIN`] with these accounts and one of the ACS, and waits until it listens.
    pub fn server(&self, name: &str, number: u8, accounts: &str, settings: &str) -> Server {
        let plan = self
            .plan(name, "prosody", &self.core_network(), &self.core(number))
            .arguments(["--ip6", &self.core6(number)])
            .env("DOMAIN", DOMAIN)
            .env("ACCOUNTS", &format!("acs {accounts}"))
            .env("PASSWORD", PASSWORD)
            .env("SETTINGS", settings);
        let server = Server::new(plan.start());
        server.wait_started();
        server
    }

    /// Starts a name server with these SRV records of [`DOMAIN`] (`NAME PRIORITY`) and these addresses (`NAME=ADDRESS`).
    pub fn names(&self, services: &[(&str, u16)], hosts: &[(&str, &str)]) -> Host {
        let services: Vec<String> = services
            .iter()
            .map(|(target, priority)| format!("_xmpp-client._tcp.{DOMAIN},{target},5222,{priority}"))
            .collect();
        let hosts: Vec<String> = hosts.iter().map(|(name, address)| format!("{name}={address}")).collect();
        let plan = self
            .plan("dns", "dns", &self.core_network(), &self.core(53))
            .arguments(["--ip6", &self.core6(53)])
            .env("SRV", &services.join(" "))
            .env("HOSTS", &hosts.join(" "));
        let host = plan.start();
        host.log().wait(0, &["read /srv/dns/hosts"], LIMIT);
        host
    }

    /// Starts the host of the ACS.
    pub fn acs(&self) -> Acs {
        let plan = self.plan("acs", "acs", &self.core_network(), &self.core(20));
        Acs::new(plan.env("CONNREQ_PASSWORD", PASSWORD).env("CONNREQ_SECRET", "cpe-secret").start())
    }

    /// What a CPE with these connections is created from.
    pub fn cpe_plan(&self, connections: &[Connection]) -> Plan {
        self.plan("cpe", "cpe", &self.lan_network(), &self.lan(10))
            .arguments(["--cap-add", "NET_ADMIN"])
            .env("DNS", &self.core(53))
            .env("SECRET", "cpe-secret")
            .file("/etc/config/xmpp", &xmpp_file(connections))
    }

    /// Starts a CPE with these connections.
    pub fn cpe(&self, connections: &[Connection]) -> Cpe {
        Cpe::new(self.cpe_plan(connections).start())
    }

    /// The names of its containers, networks or volumes.
    fn own(&self, kind: &str) -> Vec<String> {
        let all: &[&str] = if kind == "container" { &["--all"] } else { &[] };
        let column = if kind == "container" { "{{.Names}}" } else { "{{.Name}}" };
        let filter = format!("label={}", self.label());
        let words = [&[kind, "ls"], all, &["--filter", &filter, "--format", column]].concat();
        run(&words, None, LIMIT).stdout.lines().map(str::to_owned).collect()
    }
}

fn ipv6(network: u8, host: u8) -> String {
    if host == 0 { format!("fd31:{network:x}::") } else { format!("fd31:{network:x}::{host:x}") }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let containers = self.own("container");
        if std::thread::panicking() {
            for container in &containers {
                let log = run(&["container", "logs", "--timestamps", "--tail", "60", container], None, LIMIT);
                eprintln!("--- {container}:\n{}{}", log.stdout, log.stderr);
            }
        }
        let remove = [&["container", "rm", "--force", "--volumes"].map(str::to_owned)[..], &containers].concat();
        run(&remove, None, LIMIT);
        for kind in ["network", "volume"] {
            for name in self.own(kind) {
                run(&[kind, "rm", &name], None, LIMIT);
            }
        }
    }
}
