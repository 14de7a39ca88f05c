//! Servers, and the order in which they are tried (RFC 2782, RFC 6120 3.2, XEP-0368, TR-181 `ServerConnectAlgorithm`). Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rand::{Rng, RngExt as _};

use crate::config::model::Server;

/// The default port of the STARTTLS service (RFC 6120 3.2.2).
pub const CLIENT_PORT: u16 = 5222;

/// Maximum number of addresses of a server that are tried. Further ones would begin more than 10 s after the first one, when
/// that has timed out.
pub const MAX_ADDRESSES: usize = 40;

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// With STARTTLS (RFC 6120 5), or not at all.
    StartTls,
    /// At once (XEP-0368).
    DirectTls,
}

/// A host that may offer the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A host name (A-labels) or an IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How TLS begins there.
    pub security: Security,
    /// Lowest first.
    pub priority: u16,
    /// The share within the priority; none: the given order counts.
    pub weight: Option<u16>,
}

impl Target {
    /// The domain itself (RFC 6120 3.2.2).
    #[must_use]
    pub fn domain(host: &str) -> Self {
        Self { host: host.to_owned(), port: CLIENT_PORT, security: Security::StartTls, priority: 0, weight: None }
    }

    /// The enabled rows of a server table, by `con_srv_inst`.
    #[must_use]
    pub fn table(rows: &[Server]) -> Vec<Self> {
        let mut rows: Vec<&Server> = rows.iter().filter(|row| row.enable).collect();
        rows.sort_by_key(|row| row.instance);
        rows.iter()
            .filter_map(|row| {
                Some(Self {
                    host: row.address.clone()?,
                    port: row.port,
                    security: Security::StartTls,
                    priority: row.priority,
                    weight: row.weight,
                })
            })
            .collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ip_address(&self.host) {
            Some(ip) => write!(f, "{}", SocketAddr::from((ip, self.port))),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A server with the addresses of its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedServer {
    /// The host, its port, and how TLS begins there.
    pub target: Target,
    /// Addresses of the host in the order of the attempts (RFC 8305 4), at most [`MAX_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
}

impl ResolvedServer {
    /// A server from the addresses of its host, in the resolver's order.
    #[must_use]
    pub fn new(target: Target, addresses: &[IpAddr]) -> Self {
        let mut addresses = interleave_families(addresses);
        addresses.truncate(MAX_ADDRESSES);
        Self { target, addresses }
    }

    /// The socket addresses, in the order of the attempts.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketAddr> {
        self.addresses.iter().map(|ip| (*ip, self.target.port).into()).collect()
    }
}

/// `host (address:port, address:port)`, or `address:port` if the host is an address.
impl fmt::Display for ResolvedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if ip_address(&self.target.host).is_some() {
            return self.target.fmt(f);
        }
        write!(f, "{} (", self.target.host)?;
        for (n, socket) in self.sockets().iter().enumerate() {
            write!(f, "{}{socket}", if n == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}

/// The address of a server that is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// The server's host: a name or an IP address.
    pub host: String,
    /// IP address and port.
    pub socket: SocketAddr,
}

/// `host (address:port)`, or `address:port` if the host is an address.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if ip_address(&self.host).is_some() {
            write!(f, "{}", self.socket)
        } else {
            write!(f, "{} ({})", self.host, self.socket)
        }
    }
}

/// The host as an IP address, with or without the brackets of an IPv6 literal.
fn ip_address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Orders targets by priority, and within a priority randomly by weight (RFC 2782). If no target of a priority has a weight,
/// their order stays; if some have, the others weigh nothing.
#[must_use]
pub fn order(mut targets: Vec<Target>, rng: &mut impl Rng) -> Vec<Target> {
    targets.sort_by_key(|target| target.priority);
    let mut ordered = Vec::with_capacity(targets.len());
    while let Some(priority) = targets.first().map(|target| target.priority) {
        let end = targets.iter().position(|target| target.priority != priority).unwrap_or(targets.len());
        let group: Vec<Target> = targets.drain(..end).collect();
        if group.iter().all(|target| target.weight.is_none()) {
            ordered.extend(group);
        } else {
            draw_by_weight(group, rng, &mut ordered);
        }
    }
    ordered
}

fn draw_by_weight(mut group: Vec<Target>, rng: &mut impl Rng, ordered: &mut Vec<Target>) {
    let weight = |target: &Target| u32::from(target.weight.unwrap_or(0));
    // RFC 2782: targets of weight 0 come first, which gives them a very small chance of being selected.
    group.sort_by_key(|target| weight(target) != 0);
    while !group.is_empty() {
        let sum: u32 = group.iter().map(weight).sum();
        let drawn = rng.random_range(0..=sum);
        let mut running = 0;
        let chosen = group
            .iter()
            .position(|target| {
                running += weight(target);
                running >= drawn
            })
            .unwrap_or(0);
        ordered.push(group.remove(chosen));
    }
}

/// Alternates the address families, IPv6 first (RFC 8305 4). Within a family the order stays.
fn interleave_families(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|address| address.is_ipv6());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut interleaved = Vec::with_capacity(addresses.len());
    while interleaved.len() < addresses.len() {
        interleaved.extend(six.next());
        interleaved.extend(four.next());
    }
    interleaved
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn target(host: &str, priority: u16, weight: Option<u16>) -> Target {
        Target { priority, weight, ..Target::domain(host) }
    }

    fn hosts(targets: &[Target]) -> Vec<&str> {
        targets.iter().map(|target| target.host.as_str()).collect()
    }

    #[test]
    fn lower_priorities_come_first() {
        let rng = &mut StdRng::seed_from_u64(1);
        let ordered = order(vec![target("c", 20, Some(1)), target("a", 0, Some(0)), target("b", 10, None)], rng);
        assert_eq!(hosts(&ordered), ["a", "b", "c"]);
    }

    #[test]
    fn without_weights_the_order_stays() {
        let rng = &mut StdRng::seed_from_u64(1);
        let ordered = order(vec![target("3", 0, None), target("1", 0, None), target("2", 0, None)], rng);
        assert_eq!(hosts(&ordered), ["3", "1", "2"]);
    }

    #[test]
    fn weights_are_shares_of_the_first_place() {
        let rng = &mut StdRng::seed_from_u64(1);
        let mut first: HashMap<String, u32> = HashMap::new();
        for _ in 0..10_000 {
            let group = vec![target("heavy", 0, Some(300)), target("light", 0, Some(100)), target("nil", 0, Some(0))];
            let ordered = order(group, rng);
            assert_eq!(ordered.len(), 3);
            *first.entry(ordered[0].host.clone()).or_default() += 1;
        }
        assert!((7_200..7_800).contains(&first["heavy"]), "{first:?}");
        assert!((2_200..2_800).contains(&first["light"]), "{first:?}");
        assert!((1..100).contains(&first["nil"]), "{first:?}");
    }

    #[test]
    fn only_enabled_rows_of_the_table_count_by_instance() {
        let row = |instance, enable, address: &str| Server {
            instance,
            enable,
            alias: String::new(),
            address: Some(address.to_owned()),
            port: 5000,
            priority: 0,
            weight: None,
        };
        let table = Target::table(&[row(3, true, "c"), row(1, true, "a"), row(2, false, "b")]);
        assert_eq!(hosts(&table), ["a", "c"]);
        assert!(table.iter().all(|target| target.port == 5000));
    }

    #[test]
    fn address_families_are_interleaved_with_ipv6_first() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let list = [ip("10.0.0.1"), ip("10.0.0.2"), ip("10.0.0.3"), ip("::1"), ip("::2")];
        let expected = [ip("::1"), ip("10.0.0.1"), ip("::2"), ip("10.0.0.2"), ip("10.0.0.3")];
        assert_eq!(ResolvedServer::new(Target::domain("a.test"), &list).addresses, expected);
        assert_eq!(interleave_families(&[ip("::2"), ip("::1")]), [ip("::2"), ip("::1")]);
        assert!(interleave_families(&[]).is_empty());
    }

    #[test]
    fn a_server_has_a_bounded_number_of_addresses() {
        let all: Vec<IpAddr> = (0..=255).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        assert_eq!(ResolvedServer::new(Target::domain("a.test"), &all).addresses, all[..MAX_ADDRESSES]);
    }

    #[test]
    fn servers_and_addresses_in_the_log() {
        let server = |host: &str, addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
            ResolvedServer::new(Target::domain(host), &addresses)
        };
        let named = server("a.test", &["10.0.0.1", "::1"]);
        assert_eq!(named.to_string(), "a.test ([::1]:5222, 10.0.0.1:5222)");
        assert_eq!(named.target.to_string(), "a.test:5222");
        let socket = named.sockets()[0];
        assert_eq!(ServerAddress { host: "a.test".to_owned(), socket }.to_string(), "a.test ([::1]:5222)");
        for host in ["::1", "[::1]"] {
            let literal = server(host, &["::1"]);
            assert_eq!((literal.to_string(), literal.target.to_string()), ("[::1]:5222".into(), "[::1]:5222".into()));
            assert_eq!(ServerAddress { host: host.to_owned(), socket }.to_string(), "[::1]:5222");
        }
    }
}
