//! The addresses of a server are raced (RFC 8305): some of them may be dead, and the server sees one login.

mod ipv6;
mod namespaces;

use std::net::SocketAddr;

use crate::harness::dns::own_address;
use crate::harness::proc::tcp_clients_of;
use crate::harness::{Daemon, Dns, Endpoint, EventKind, FaultProxy, LIMIT, Prosody, Record, Section, Server, Setup};

const CPE: &str = "cpe@a.test/wan";

/// Starts a daemon with one server: a name with these addresses, and this port. After a failed pass it waits for hours, so that
/// its status stays that of the first one.
async fn daemon(prosody: &Prosody, addresses: &[&str], port: u16) -> (Dns, Daemon) {
    prosody.account("cpe@a.test");
    let dns = Dns::start(&[Record::host("xmpp.a.test", addresses)]).await;
    let connection = Section::connection(1, CPE, prosody)
        .option("initial_retry_interval", 65535)
        .option("retry_max_interval", 65535);
    let row = Section::server(1, prosody).option("server_address", "xmpp.a.test").option("port", port);
    let sections = [Section::general(&[1]), connection, row];
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    (dns, daemon)
}

/// Fails unless the connection gets online at this address in its first attempt, without another TCP connection.
async fn online_at(daemon: &Daemon, prosody: &Prosody, address: SocketAddr, dead: &[SocketAddr]) {
    let shown = format!("xmpp.a.test ({address})");
    daemon.wait_for_log(&["online as", CPE, &shown], LIMIT).await;
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
    let status = daemon.wait_for_value(1, "status", "Enabled").await;
    assert_eq!((status.get("address"), status.get("attempt")), (Some(&*shown), Some("1")), "{status:?}");
    for dead in dead {
        assert_eq!(tcp_clients_of(*dead), 0, "{dead} is still being connected to");
    }
    assert_eq!(tcp_clients_of(address), 1);
    let bound = prosody.events().iter().filter(|event| event.jid == CPE && event.kind == EventKind::Bind).count();
    assert_eq!(bound, 1);
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

#[tokio::test]
async fn nine_of_ten_addresses_may_refuse() {
    let prosody = Prosody::start(&["a.test"]).await;
    let addresses: Vec<String> = (0..10).map(|_| own_address().to_string()).collect();
    let proxy = FaultProxy::listen_at(at(&addresses[9], 0), prosody.port()).await;
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (_dns, daemon) = daemon(&prosody, &all, proxy.port()).await;
    let dead: Vec<SocketAddr> = all[..9].iter().map(|ip| at(ip, proxy.port())).collect();
    online_at(&daemon, &prosody, proxy.address(), &dead).await;
    assert_eq!(proxy.connections(), 1);
}
