//! Parses `resolv.conf` (resolv.conf(5)). Invalid lines are skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;
use std::{fmt, fs, io};

use super::message::{Name, host, name};

/// Time until the next name server is asked, and until one counts as silent.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often to ask a silent name server in one lookup.
const DEFAULT_ATTEMPTS: u32 = 2;
/// Limits of resolv.conf(5).
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;
const MAX_NDOTS: u32 = 15;
/// Maximum length of a skipped line in a message, characters.
const MAX_SHOWN: usize = 80;

/// The contents of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvConf {
    /// The name servers, at least one.
    pub(super) servers: Vec<NameServer>,
    /// The domains to append to a name without a dot.
    pub(super) search: Vec<Name>,
    /// A name with at least this many dots is first looked up without appending a domain.
    pub(super) ndots: u32,
    /// Time until the next name server is asked.
    pub(super) timeout: Duration,
    /// How often to ask each silent name server in one lookup, at least 1.
    pub(super) attempts: u32,
}

/// The address of a name server, on port 53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameServer {
    ip: IpAddr,
    /// The interface of a link-local address: its name or index.
    scope: Option<String>,
}

impl NameServer {
    fn parse(text: &str) -> Option<Self> {
        let (ip, scope) = match text.split_once('%') {
            Some((ip, scope)) if !scope.is_empty() => (IpAddr::V6(ip.parse().ok()?), Some(scope.to_owned())),
            Some(_) => return None,
            None => (text.parse().ok()?, None),
        };
        // The unspecified address means this host, as for connect(2).
        let ip = match ip {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Some(Self { ip, scope })
    }

    /// The socket address. Not cached: an interface may be recreated with another index.
    ///
    /// # Errors
    /// There is no such interface.
    pub(super) fn socket(&self) -> io::Result<SocketAddr> {
        let IpAddr::V6(ip) = self.ip else { return Ok((self.ip, 53).into()) };
        let scope = match &self.scope {
            None => 0,
            Some(scope) => match scope.parse() {
                Ok(index) => index,
                Err(_) => interface_index(scope)?,
            },
        };
        Ok(SocketAddrV6::new(ip, 53, 0, scope).into())
    }
}

/// Returns the index of an interface with an IPv6 address. Not by ioctl(2), as the jail of OpenWrt kills a process that calls it.
fn interface_index(interface: &str) -> io::Result<u32> {
    index_in(&fs::read_to_string("/proc/net/if_inet6")?, interface)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no IPv6 on an interface '{interface}'")))
}

/// Finds the index in the contents of `/proc/net/if_inet6`, a line for each address: the address, the interface's index in
/// hexadecimal, three more numbers, and its name.
fn index_in(addresses: &str, interface: &str) -> Option<u32> {
    addresses.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let index = words.nth(1)?;
        (words.last()? == interface).then(|| u32::from_str_radix(index, 16).ok())?
    })
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        self.scope.iter().try_for_each(|scope| write!(f, "%{scope}"))
    }
}

impl ResolvConf {
    /// Parses the file's text. `host_name`: the device's, whose domain is searched if the file names none. Also returns
    /// a message for each skipped line.
    pub(super) fn parse(text: &[u8], host_name: &str) -> (Self, Vec<String>) {
        let text = String::from_utf8_lossy(text);
        let mut search = None;
        let mut conf =
            Self { servers: vec![], search: vec![], ndots: 1, timeout: DEFAULT_TIMEOUT, attempts: DEFAULT_ATTEMPTS };
        let mut skipped = Vec::new();
        for (n, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(keyword) = words.next() else { continue };
            let unusable: Vec<&str> = match keyword {
                "nameserver" => match words.next().map(|word| (word, NameServer::parse(word))) {
                    Some((_, Some(server))) => {
                        conf.servers.push(server);
                        vec![]
                    }
                    Some((word, None)) => vec![word],
                    None => vec![keyword],
                },
                // Each overrides the previous one.
                "domain" | "search" => {
                    let count = if keyword == "domain" { 1 } else { usize::MAX };
                    let (usable, unusable): (Vec<_>, Vec<_>) =
                        words.take(count).map(|word| (word, search_domain(word))).partition(|(_, name)| name.is_some());
                    if unusable.is_empty() || !usable.is_empty() {
                        search = Some(usable.into_iter().filter_map(|(_, name)| name).collect());
                    }
                    unusable.into_iter().map(|(word, _)| word).collect()
                }
                "options" => words.filter(|word| !conf.set_option(word)).collect(),
                "sortlist" | "family" | "lookup" | "interface" => vec![],
                other => vec![other],
            };
            if !unusable.is_empty() {
                let words: String = unusable.join(" ").chars().take(MAX_SHOWN).collect();
                skipped.push(format!("line {} skipped: {words:?}", n + 1));
            }
        }
        conf.search = search.unwrap_or_else(|| {
            host_name.split_once('.').and_then(|(_, domain)| search_domain(domain)).into_iter().collect()
        });
        if conf.servers.is_empty() {
            let local = |ip| NameServer { ip, scope: None };
            conf.servers = vec![local(Ipv4Addr::LOCALHOST.into()), local(Ipv6Addr::LOCALHOST.into())];
        }
        (conf, skipped)
    }

    /// Returns the names under which to look up a host (A-labels; `absolute`: the same as a name), in order.
    ///
    /// The search list does not apply to names with a dot: it might turn them into the name of another host.
    pub(super) fn candidates(&self, ascii: &str, absolute: Name) -> Vec<Name> {
        if ascii.contains('.') {
            return vec![absolute];
        }
        let searched = self.search.iter().filter_map(|domain| name(&format!("{ascii}.{}", host(domain))));
        let mut names: Vec<Name> = searched.collect();
        names.retain(|name| *name != absolute);
        names.insert(if self.ndots == 0 { 0 } else { names.len() }, absolute);
        names
    }

    /// Returns false if the value is invalid. Unknown options are ignored.
    fn set_option(&mut self, option: &str) -> bool {
        let Some((option, value)) = option.split_once(':') else { return true };
        let number = value.parse::<u32>().ok();
        match (option, number) {
            // 0 means the default.
            ("timeout", Some(0)) => self.timeout = DEFAULT_TIMEOUT,
            ("timeout", Some(seconds)) => self.timeout = Duration::from_secs(seconds.min(MAX_TIMEOUT).into()),
            ("attempts", Some(0)) => self.attempts = DEFAULT_ATTEMPTS,
            ("attempts", Some(attempts)) => self.attempts = attempts.min(MAX_ATTEMPTS),
            ("ndots", Some(ndots)) => self.ndots = ndots.min(MAX_NDOTS),
            ("timeout" | "attempts" | "ndots", None) => return false,
            _ => {}
        }
        true
    }
}

/// A domain of the search list. `.` is the root.
fn search_domain(word: &str) -> Option<Name> {
    if word == "." {
        return Some(Name::root());
    }
    // The C library calls a host without a domain `(none)`.
    word.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).then(|| name(word)).flatten()
}

#[cfg(test)]
mod tests;
