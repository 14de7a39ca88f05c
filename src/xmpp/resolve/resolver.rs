//! The process's resolver: the hosts file first, then the name servers of `resolv.conf`.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::timeout;

use super::exchange::exchange;
use super::failover::{Failures, Memory, Patience, ask_in_turn};
use super::message::{MAX_ALIASES, Question, name};
use super::resolv_conf::ResolvConf;
use super::{ResolveError, hosts};
use crate::file::{ReadError, read};

/// How long one lookup may take: the SRV records of one name, or the addresses of one host. Each name server gets its turn
/// within it.
const LOOKUP_LIMIT: Duration = Duration::from_secs(8);

/// How long the second one of A and AAAA is waited for where the first has addresses (RFC 8305 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// Looks names up. One for the whole process: what it learns about the name servers is kept as long as `resolv.conf` is
/// unchanged. It needs no thread: those may all be deriving keys.
#[derive(Debug)]
pub struct Resolver {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    current: Mutex<Option<(Option<Stamp>, Arc<NameServers>)>>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: (u64, u64),
}

impl Stamp {
    /// Returns `None` where there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
            inode: (metadata.dev(), metadata.ino()),
        })
    }
}

#[derive(Debug)]
struct NameServers {
    conf: ResolvConf,
    memory: Memory,
}

impl Resolver {
    /// A resolver that reads these files when they are needed.
    #[must_use]
    pub fn new(resolv_conf: PathBuf, hosts: PathBuf) -> Self {
        Self { resolv_conf, hosts, current: Mutex::default() }
    }

    /// The SRV records of a name (A-labels); none where there are none.
    ///
    /// # Errors
    /// What the name servers said.
    pub(super) async fn srv(&self, ascii: &str) -> Result<Vec<RData>, String> {
        let name = name(ascii).ok_or("a label is empty or longer than 63 bytes, or the name is longer than 255")?;
        limited(self.name_servers().lookup(Question { name, kind: RecordType::SRV })).await
    }

    /// The addresses of a host (A-labels, or an IP address), at least one.
    ///
    /// # Errors
    /// [`ResolveError::NoAddress`], [`ResolveError::Failed`]
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let none = || ResolveError::NoAddress(host.to_owned());
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(vec![address]);
        }
        let ascii = idna::domain_to_ascii(host).map_err(|_| none())?;
        let absolute = name(&ascii).ok_or_else(none)?;
        let known = match read(&self.hosts) {
            Ok(contents) => hosts::lookup(&contents.text, &ascii),
            Err(ReadError::Missing(_)) => vec![],
            Err(error) => {
                tracing::warn!("hosts file skipped: {error}");
                vec![]
            }
        };
        if !known.is_empty() {
            return Ok(known);
        }
        // RFC 6761 6.3
        if absolute.is_localhost() {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let failed = |reason| ResolveError::Failed { name: host.to_owned(), reason };
        let found = limited(self.name_servers().host(&ascii, absolute)).await.map_err(failed)?;
        if found.is_empty() { Err(none()) } else { Ok(found) }
    }

    /// The name servers of the file as it is now.
    fn name_servers(&self) -> Arc<NameServers> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the file is read: a change in between has it read again at the next lookup.
        let stamp = Stamp::of(&self.resolv_conf);
        if let Some((of, servers)) = &*current
            && *of == stamp
        {
            return Arc::clone(servers);
        }
        let path = self.resolv_conf.display();
        let (text, is_settled) = match read(&self.resolv_conf) {
            Ok(contents) => (contents.text, true),
            Err(error) => {
                tracing::warn!("{path} cannot be read, using 127.0.0.1 and ::1 as name servers: {}", error.reason());
                // What is wrong with a file that is there may pass without a change of it: too many open files.
                (Vec::new().into(), matches!(error, ReadError::Missing(_)))
            }
        };
        let (conf, skipped) = ResolvConf::parse(&text, &rustix::system::uname().nodename().to_string_lossy());
        for skipped in skipped {
            tracing::warn!("{path} {skipped}");
        }
        let servers = Arc::new(NameServers { memory: Memory::new(conf.servers.len()), conf });
        *current = is_settled.then(|| (stamp, Arc::clone(&servers)));
        servers
    }
}

async fn limited<T>(lookup: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let too_late = |_| Err(format!("no answer within {} s", LOOKUP_LIMIT.as_secs()));
    timeout(LOOKUP_LIMIT, lookup).await.unwrap_or_else(too_late)
}

impl NameServers {
    /// The addresses of a host name; none where it has none. A name without a dot is looked up in the search list.
    async fn host(&self, ascii: &str, absolute: Name) -> Result<Vec<IpAddr>, String> {
        let mut failure = None;
        for name in self.conf.candidates(ascii, absolute) {
            match self.both_families(name).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(vec![]), Err)
    }

    /// AAAA and A side by side. What was answered is used, whatever became of the other.
    async fn both_families(&self, name: Name) -> Result<Vec<IpAddr>, String> {
        let v6 = pin!(self.family(name.clone(), RecordType::AAAA));
        let v4 = pin!(self.family(name, RecordType::A));
        match select(v6, v4).await {
            Either::Left((v6, v4)) => {
                let v4 = second(&v6, v4).await;
                merge(v6, v4)
            }
            Either::Right((v4, v6)) => {
                let v6 = second(&v4, v6).await;
                merge(v6, v4)
            }
        }
    }

    async fn family(&self, name: Name, kind: RecordType) -> Family {
        let address = |data: RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        let found = self.lookup(Question { name, kind }).await.map_err(|reason| format!("{kind}: {reason}"))?;
        Ok(found.into_iter().filter_map(address).collect())
    }

    /// The records of a name, through its aliases; none where there are none.
    async fn lookup(&self, mut question: Question) -> Result<Vec<RData>, String> {
        let servers = &self.conf.servers;
        let turn = self.conf.timeout.min(LOOKUP_LIMIT / u32::try_from(servers.len()).unwrap_or(u32::MAX));
        let patience = Patience { turn, attempts: self.conf.attempts };
        for _ in 0..MAX_ALIASES {
            let ask = |server: usize| {
                let (socket, question) = (servers[server].socket(), question.clone());
                async move { exchange(socket?, &question).await }
            };
            let answer = ask_in_turn(&self.memory, patience, ask).await.map_err(|failures| self.describe(&failures))?;
            let (owner, found) = question.follow(&answer);
            if !found.is_empty() || owner == question.name {
                return Ok(found);
            }
            question.name = owner;
        }
        Err(format!("more than {MAX_ALIASES} aliases"))
    }

    fn describe(&self, failures: &Failures) -> String {
        let said = self.conf.servers.iter().zip(failures).map(|(server, failure)| match failure {
            Some(failure) => format!("{failure} ({server})"),
            None => format!("no answer ({server})"),
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

/// What the lookup of one address family found.
type Family = Result<Vec<IpAddr>, String>;

/// Waits for the second family: as long as it takes where the first has no address, and for [`RESOLUTION_DELAY`] where it has.
async fn second(first: &Family, second: impl Future<Output = Family>) -> Family {
    if first.as_ref().is_ok_and(|found| !found.is_empty()) {
        timeout(RESOLUTION_DELAY, second).await.unwrap_or_else(|_| Ok(vec![]))
    } else {
        second.await
    }
}

/// The addresses of both families, or what failed where there are none.
fn merge(v6: Family, v4: Family) -> Family {
    match (v6, v4) {
        (Ok(v6), Ok(v4)) => Ok([v6, v4].concat()),
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
        (Err(v6), Err(v4)) => Err(format!("{v6}; {v4}")),
        (Err(reason), Ok(_)) | (Ok(_), Err(reason)) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::testing::{Log, paused};

    #[test]
    fn the_file_is_read_when_it_has_changed() {
        let log = Log::capture();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("resolv.conf");
        let resolver = Resolver::new(path.clone(), directory.path().join("hosts"));
        let servers = |found: &NameServers| found.conf.servers.iter().map(ToString::to_string).collect::<Vec<_>>();
        let warnings = || log.lines(tracing::Level::WARN).len();
        let absent = resolver.name_servers();
        assert_eq!(servers(&absent), ["127.0.0.1", "::1"]);
        assert!(Arc::ptr_eq(&absent, &resolver.name_servers()));
        assert_eq!(warnings(), 1);
        fs::write(&path, "domain (none)\nnameserver 192.0.2.1\n").unwrap();
        let present = resolver.name_servers();
        assert_eq!(servers(&present), ["192.0.2.1"]);
        assert!(Arc::ptr_eq(&present, &resolver.name_servers()));
        assert_eq!(warnings(), 2);
        // Replaced by one of the same size.
        fs::write(directory.path().join("new"), "domain (none)\nnameserver 192.0.2.2\n").unwrap();
        fs::rename(directory.path().join("new"), &path).unwrap();
        assert_eq!(servers(&resolver.name_servers()), ["192.0.2.2"]);
        // What cannot be read is read again each time.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let unreadable = resolver.name_servers();
        assert_eq!(servers(&unreadable), ["127.0.0.1", "::1"]);
        assert!(!Arc::ptr_eq(&unreadable, &resolver.name_servers()));
    }

    /// What the second lookup yields, which takes this many ms, and how many ms it is waited for.
    async fn waited(first: &Family, takes: u64) -> (Family, u128) {
        let start = Instant::now();
        let lookup = async {
            sleep(Duration::from_millis(takes)).await;
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        };
        (second(first, lookup).await, start.elapsed().as_millis())
    }

    #[test]
    fn the_second_family_has_50_ms_after_an_address() {
        paused(async {
            let answer = || Ok(vec![Ipv4Addr::LOCALHOST.into()]);
            let first: Family = Ok(vec![Ipv6Addr::LOCALHOST.into()]);
            assert_eq!(waited(&first, 40).await, (answer(), 40));
            assert_eq!(waited(&first, 60).await, (Ok(vec![]), 50));
            // Without an address it is waited for.
            for first in [Ok(vec![]), Err("AAAA: REFUSED".to_owned())] {
                assert_eq!(waited(&first, 5000).await, (answer(), 5000));
            }
        });
    }

    #[test]
    fn what_one_family_has_is_used() {
        let (v6, v4) = (vec![IpAddr::from(Ipv6Addr::LOCALHOST)], vec![IpAddr::from(Ipv4Addr::LOCALHOST)]);
        let failed = |what: &str| Err(what.to_owned());
        assert_eq!(merge(Ok(v6.clone()), Ok(v4.clone())), Ok([v6.clone(), v4.clone()].concat()));
        assert_eq!(merge(failed("AAAA"), Ok(v4.clone())), Ok(v4));
        assert_eq!(merge(Ok(v6.clone()), failed("A")), Ok(v6));
        assert_eq!(merge(Ok(vec![]), Ok(vec![])), Ok(vec![]));
        // Without an address, a lookup that failed may have found one.
        assert_eq!(merge(failed("AAAA"), Ok(vec![])), failed("AAAA"));
        assert_eq!(merge(Ok(vec![]), failed("A")), failed("A"));
        assert_eq!(merge(failed("AAAA"), failed("A")), failed("AAAA; A"));
    }
}
