//! Addresses that do not answer or cannot be reached, in networks of their own.

use std::net::SocketAddr;

use super::{at, daemon, online_at};
use crate::harness::namespace::{black_hole, entered};
use crate::harness::{Endpoint, LIMIT, Prosody, until};

/// The sum of all limits would be 90 s.
#[tokio::test]
async fn nine_of_ten_addresses_may_be_black_holes() {
    let holes: Vec<String> = (1..10).map(|n| format!("192.0.2.{n}")).collect();
    let holes: Vec<&str> = holes.iter().map(String::as_str).collect();
    if !entered("racing::namespaces::nine_of_ten_addresses_may_be_black_holes", &black_hole(&holes)) {
        return;
    }
    let prosody = Prosody::start(&["a.test"]).await;
    let all = [&holes[..], &["127.0.0.1"]].concat();
    let (_dns, daemon) = daemon(&prosody, &all, prosody.port()).await;
    let dead: Vec<SocketAddr> = holes.iter().map(|ip| at(ip, prosody.port())).collect();
    online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &dead).await;
}

/// With addresses of both families.
mod ipv6 {
    use super::*;

    /// How many IPv6 packets were sent into the hole, without those of ICMP, which the kernel sends by itself.
    fn sent_into_the_hole() -> u64 {
        let text = std::fs::read_to_string("/proc/self/net/dev_snmp6/hole").unwrap();
        let count = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        // One may be counted between the two.
        count("Ip6OutRequests").saturating_sub(count("Icmp6OutMsgs"))
    }

    #[tokio::test]
    async fn an_ipv6_black_hole_delays_little() {
        if !entered("racing::namespaces::ipv6::an_ipv6_black_hole_delays_little", &black_hole(&["2001:db8::1"])) {
            return;
        }
        let prosody = Prosody::start(&["a.test"]).await;
        assert_eq!(sent_into_the_hole(), 0);
        let (_dns, daemon) = daemon(&prosody, &["2001:db8::1", "127.0.0.1"], prosody.port()).await;
        // It is tried, and does not answer. Its socket exists for a quarter of a second only.
        until("a packet into the hole", LIMIT, || (sent_into_the_hole() > 0).then_some(())).await;
        let hole = at("2001:db8::1", prosody.port());
        online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &[hole]).await;
    }

    #[tokio::test]
    async fn an_ipv6_address_without_route_does_not_delay() {
        if !entered("racing::namespaces::ipv6::an_ipv6_address_without_route_does_not_delay", &[]) {
            return;
        }
        let prosody = Prosody::start(&["a.test"]).await;
        let (_dns, daemon) = daemon(&prosody, &["2001:db8::1", "127.0.0.1"], prosody.port()).await;
        online_at(&daemon, &prosody, at("127.0.0.1", prosody.port()), &[at("2001:db8::1", prosody.port())]).await;
    }

    /// IPv4 may be the broken family as well.
    #[tokio::test]
    async fn an_ipv4_black_hole_delays_little() {
        if !entered("racing::namespaces::ipv6::an_ipv4_black_hole_delays_little", &black_hole(&["192.0.2.1"])) {
            return;
        }
        let prosody = Prosody::start(&["a.test"]).await;
        let (_dns, daemon) = daemon(&prosody, &["192.0.2.1", "::1"], prosody.port()).await;
        online_at(&daemon, &prosody, at("::1", prosody.port()), &[at("192.0.2.1", prosody.port())]).await;
    }
}
