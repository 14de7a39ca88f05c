//! Looks up names in the hosts file, then at the name servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::ResolveError;
use super::hosts;
use super::message::{RecordData, name};
use super::name_servers::NameServers;
use super::resolv_conf::ResolvConf;
use crate::file::{ReadError, read};

/// Looks up names, for the whole process. It remembers which name servers are silent until `resolv.conf` changes, and
/// uses no other thread: those may all be deriving keys.
#[derive(Debug)]
pub struct Resolver {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    current: Mutex<Option<(Option<FileVersion>, Arc<NameServers>)>>,
}

/// Identifies a version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileVersion {
    modified: (i64, i64),
    size: u64,
    inode: (u64, u64),
}

impl FileVersion {
    /// Returns `None` if there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
            inode: (metadata.dev(), metadata.ino()),
        })
    }
}

impl Resolver {
    /// Creates a resolver that reads these files when it needs them.
    #[must_use]
    pub fn new(resolv_conf: PathBuf, hosts: PathBuf) -> Self {
        Self { resolv_conf, hosts, current: Mutex::default() }
    }

    /// Returns the SRV records of a name (A-labels), possibly none.
    ///
    /// # Errors
    /// The failures of the name servers.
    pub(super) async fn srv(&self, ascii: &str) -> Result<Vec<RecordData>, String> {
        let name = name(ascii).ok_or("a label is empty or longer than 63 bytes, or the name is longer than 255")?;
        self.name_servers().srv(name).await
    }

    /// Returns the addresses of a host (A-labels, or an IP address), at least one.
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
                tracing::warn!(parent: None, "hosts file skipped: {error}");
                vec![]
            }
        };
        if !known.is_empty() {
            return Ok(known);
        }
        // RFC 6761 6.3. The last label is the root.
        if absolute.iter().nth_back(1).is_some_and(|label| label == "localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let failed = |reason| ResolveError::Failed { name: host.to_owned(), reason };
        let found = self.name_servers().addresses(&ascii, absolute).await.map_err(failed)?;
        if found.is_empty() { Err(none()) } else { Ok(found) }
    }

    /// Returns the name servers of the present version of the file.
    fn name_servers(&self) -> Arc<NameServers> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before reading, so that the next lookup notices a change in between.
        let version = FileVersion::of(&self.resolv_conf);
        if let Some((of, servers)) = &*current
            && *of == version
        {
            return Arc::clone(servers);
        }
        let path = self.resolv_conf.display();
        let (text, is_settled) = match read(&self.resolv_conf) {
            Ok(contents) => (contents.text, true),
            Err(error) => {
                tracing::warn!(parent: None, "{path} cannot be read, using 127.0.0.1 and ::1 as name servers: {}", error.reason());
                // An existing file may become readable without a change: there may be too many open files.
                (Vec::new().into(), matches!(error, ReadError::Missing(_)))
            }
        };
        let (conf, skipped) = ResolvConf::parse(&text, &rustix::system::uname().nodename().to_string_lossy());
        for skipped in skipped {
            tracing::warn!(parent: None, "{path} {skipped}");
        }
        let servers = Arc::new(NameServers::new(conf));
        *current = is_settled.then(|| (version, Arc::clone(&servers)));
        servers
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::Log;

    #[test]
    fn resolv_conf_is_read_again_after_a_change() {
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
        // An unreadable file is read again at each lookup.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let unreadable = resolver.name_servers();
        assert_eq!(servers(&unreadable), ["127.0.0.1", "::1"]);
        assert!(!Arc::ptr_eq(&unreadable, &resolver.name_servers()));
    }
}
