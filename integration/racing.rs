//! The addresses of one server are raced (RFC 8305): some of them may be dead, and the server sees one login.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::dns::own_address;
use crate::harness::namespace::{black_hole, entered};
use crate::harness::proc::tcp_clients_of;
use crate::harness::{Daemon, Dns, Gate, Kind, LIMIT, Prosody, Record, Section, Server, Setup, until};

const CPE: &str = "cpe@a.test/wan";

/// A daemon with TR-181's default schedule and one server: a name with these addresses, and this port.
async fn daemon(prosody: &Prosody, addresses: &[&str], port: u16) -> (Dns, Daemon) {
    prosody.add_account("cpe@a.test", crate::harness::prosody::PASSWORD);
    let dns = Dns::start(&[Record::host("xmpp.a.test", addresses)]).await;
    let connection = ["initial_retry_interval", "retry_interval_multiplier", "retry_max_interval"]
        .into_iter()
        .fold(Section::connection(1, CPE, prosody), Section::without);
    let row = Section::server(1, prosody).option("server_address", "xmpp.a.test").option("port", port);
    let sections = [Section::general(&[1]), connection, row];
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.resolv_conf_file()).start();
    (dns, daemon)
}

/// The connection is online at this address in its first attempt, the only one that is connected to.
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
    let bound = prosody.events().iter().filter(|event| event.jid == CPE && event.kind == Kind::Bind).count();
    assert_eq!(bound, 1);
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

#[tokio::test]
async fn ipv6_that_refuses() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address().to_string();
    let gate = Gate::at(at(&address, 0), prosody.port()).await;
    let (_dns, daemon) = daemon(&prosody, &["::1", &address], gate.port()).await;
    online_at(&daemon, &prosody, gate.address(), &[at("::1", gate.port())]).await;
    assert_eq!(gate.connections(), 1);
}

#[tokio::test]
async fn ipv6_that_is_a_black_hole() {
    if !entered("racing::ipv6_that_is_a_black_hole", &black_hole(&["2001:db8::1"])) {
        return;
    }
    let prosody = Prosody::start(&["a.test"]).await;
    let (_dns, daemon) = daemon(&prosody, &["2001:db8::1", "127.0.0.1"], prosody.port()).await;
    // It is really tried, and says nothing.
    let hole = at("2001:db8::1", prosody.port());
    until("a packet into the hole", LIMIT, || (tcp_clients_of(hole) > 0).then_some(())).await;
    online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &[hole]).await;
}

#[tokio::test]
async fn ipv6_that_has_no_route() {
    if !entered("racing::ipv6_that_has_no_route", &[]) {
        return;
    }
    let prosody = Prosody::start(&["a.test"]).await;
    let (_dns, daemon) = daemon(&prosody, &["2001:db8::1", "127.0.0.1"], prosody.port()).await;
    online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &[at("2001:db8::1", prosody.port())]).await;
}

/// IPv4 may be the broken family as well.
#[tokio::test]
async fn ipv4_that_is_a_black_hole() {
    if !entered("racing::ipv4_that_is_a_black_hole", &black_hole(&["192.0.2.1"])) {
        return;
    }
    let prosody = Prosody::start(&["a.test"]).await;
    let (_dns, daemon) = daemon(&prosody, &["192.0.2.1", "::1"], prosody.port()).await;
    online_at(&daemon, &prosody, at("::1", prosody.port()), &[at("192.0.2.1", prosody.port())]).await;
}

#[tokio::test]
async fn nine_of_ten_addresses_refuse() {
    let prosody = Prosody::start(&["a.test"]).await;
    let addresses: Vec<String> = (0..10).map(|_| own_address().to_string()).collect();
    let gate = Gate::at(at(&addresses[9], 0), prosody.port()).await;
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (_dns, daemon) = daemon(&prosody, &all, gate.port()).await;
    let dead: Vec<SocketAddr> = all[..9].iter().map(|ip| at(ip, gate.port())).collect();
    online_at(&daemon, &prosody, gate.address(), &dead).await;
    assert_eq!(gate.connections(), 1);
}

#[tokio::test]
async fn nine_of_ten_addresses_are_black_holes() {
    let holes: Vec<String> = (1..10).map(|n| format!("192.0.2.{n}")).collect();
    let holes: Vec<&str> = holes.iter().map(String::as_str).collect();
    if !entered("racing::nine_of_ten_addresses_are_black_holes", &black_hole(&holes)) {
        return;
    }
    let prosody = Prosody::start(&["a.test"]).await;
    let all = [&holes[..], &["127.0.0.1"]].concat();
    let start = Instant::now();
    let (_dns, daemon) = daemon(&prosody, &all, prosody.port()).await;
    let dead: Vec<SocketAddr> = holes.iter().map(|ip| at(ip, prosody.port())).collect();
    online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &dead).await;
    // 2.25 s where it stands last; not one step's limit after the other.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// The error names each address with its reason.
#[tokio::test]
async fn a_lost_race_is_one_failed_attempt() {
    let prosody = Prosody::start(&["a.test"]).await;
    let addresses = [own_address().to_string(), "::1".to_owned()];
    let (_dns, daemon) = daemon(&prosody, &[&addresses[0], &addresses[1]], 9).await;
    let line = daemon.wait_for_log(&["attempt failed at xmpp.a.test:9: connecting: "], LIMIT).await;
    let refused = "Connection refused (os error 111)";
    let expected = format!("[::1]:9: {refused}; {}:9: {refused}; next try in ", addresses[0]);
    assert!(line.contains(&expected), "{line}");
    let status = daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    assert!(status.get("error").unwrap().contains(&addresses[0]), "{status:?}");
    assert_eq!(status.get("attempt"), Some("1"));
}
