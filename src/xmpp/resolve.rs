//! Looking servers up (RFC 6120 3.2, RFC 2782, XEP-0368).

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::{join, join_all};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::system_conf::parse_resolv_conf;

use super::servers::{ResolvedServer, Security, Target, order};
use crate::config::read;

/// How long the addresses of one host may take. All are looked up side by side, so that one whose name servers are silent
/// does not use up the time of the others.
const HOST_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no list of servers.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The resolver's configuration is of no use: the WAN is not up yet.
    #[error("no resolver in {path}: {reason}")]
    NoResolver {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A lookup failed. That is not the same as "there is no such record".
    #[error("DNS lookup of {name} failed: {reason}")]
    Failed {
        /// What was asked for.
        name: String,
        /// Timeout, SERVFAIL and the like.
        reason: String,
    },
    /// The domain says by SRV that it has no XMPP service (RFC 2782: target `.`).
    #[error("{0} offers no XMPP service (its SRV record says so)")]
    NoService(String),
    /// No address for any of the servers.
    #[error("{0} has no address")]
    NoAddress(String),
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The SRV records of this domain, or the domain itself where there are none.
    Srv {
        /// A-labels, or an IP address.
        domain: String,
        /// Without TLS the direct TLS service is of no use.
        use_tls: bool,
    },
    /// These hosts.
    Targets(Vec<Target>),
}

/// Looks the query up and returns the servers in the order in which they are tried. Each of them has at least one address.
/// The resolver's configuration is read anew each time: the WAN may have changed.
///
/// # Errors
/// [`ResolveError`]; there is at least one server otherwise.
pub async fn resolve(query: Query, resolv_conf: &Path) -> Result<Vec<ResolvedServer>, ResolveError> {
    let mut names = Names { resolv_conf, resolver: None };
    let (targets, wanted) = match query {
        Query::Srv { domain, use_tls } => (names.srv(&domain, use_tls).await?, domain),
        Query::Targets(targets) => {
            let wanted = targets.iter().map(|target| target.host.as_str()).collect::<Vec<_>>().join(", ");
            (targets, wanted)
        }
    };
    let targets = order(targets, &mut rand::rng());
    // Addresses need no resolver; where a name does and there is none, its lookup says so.
    let no_resolver = names.resolver().err();
    let lookups = targets.iter().map(|target| addresses(&target.host, names.resolver.as_ref()));
    let found = join_all(lookups).await;
    let mut list = Vec::new();
    let mut failure = no_resolver;
    for (target, found) in targets.into_iter().zip(found) {
        match found {
            // Without an address it is no server to try.
            Ok(addresses) if addresses.is_empty() => {}
            Ok(addresses) => list.push(ResolvedServer::new(target, &addresses)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    // One name that can't be looked up does not take the others with it.
    if list.is_empty() { Err(failure.unwrap_or(ResolveError::NoAddress(wanted))) } else { Ok(list) }
}

struct Names<'a> {
    resolv_conf: &'a Path,
    resolver: Option<TokioResolver>,
}

impl Names<'_> {
    /// The resolver, made when the first name needs it: addresses need none.
    fn resolver(&mut self) -> Result<&TokioResolver, ResolveError> {
        if self.resolver.is_none() {
            let unusable =
                |reason: String| ResolveError::NoResolver { path: self.resolv_conf.display().to_string(), reason };
            // Here and not on another thread: those may all be deriving keys.
            let text = read(self.resolv_conf).map_err(|error| unusable(error.reason()))?.text;
            let (config, mut options) = parse_resolv_conf(text).map_err(|error| unusable(error.to_string()))?;
            options.use_hosts_file = ResolveHosts::Always;
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            *builder.options_mut() = options;
            self.resolver = Some(builder.build().map_err(|error| unusable(error.to_string()))?);
        }
        self.resolver.as_ref().ok_or_else(|| ResolveError::NoResolver {
            path: self.resolv_conf.display().to_string(),
            reason: "not made".to_owned(),
        })
    }

    async fn srv(&mut self, domain: &str, use_tls: bool) -> Result<Vec<Target>, ResolveError> {
        let bare = domain.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() {
            return Ok(vec![Target::domain(bare)]);
        }
        let resolver = self.resolver()?;
        let starttls = service(resolver, "_xmpp-client._tcp", domain, Security::StartTls);
        let direct = async {
            if use_tls { service(resolver, "_xmpps-client._tcp", domain, Security::DirectTls).await } else { Ok(None) }
        };
        let (starttls, direct) = join(starttls, direct).await;
        let (starttls, direct) = (starttls?, direct?);
        if starttls.is_none() && direct.is_none() {
            return Ok(vec![Target::domain(domain)]);
        }
        let targets: Vec<Target> = direct.into_iter().chain(starttls).flatten().collect();
        if targets.is_empty() { Err(ResolveError::NoService(domain.to_owned())) } else { Ok(targets) }
    }
}

/// The addresses of one host.
async fn addresses(host: &str, resolver: Option<&TokioResolver>) -> Result<Vec<IpAddr>, ResolveError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Ok(vec![address]);
    }
    let none = || ResolveError::NoAddress(host.to_owned());
    let ascii = idna::domain_to_ascii(host).map_err(|_| none())?;
    // With a dot in it, it is a full name: the search list must not turn it into somebody else's.
    let name = if ascii.contains('.') && !ascii.ends_with('.') { format!("{ascii}.") } else { ascii };
    let lookup = resolver.ok_or_else(none)?.lookup_ip(name.as_str());
    match tokio::time::timeout(HOST_LIMIT, lookup).await {
        Ok(Ok(found)) => Ok(found.iter().collect()),
        Ok(Err(error)) if error.is_no_records_found() => Err(none()),
        Ok(Err(error)) => Err(failed(host, &error)),
        Err(_) => Err(ResolveError::Failed {
            name: host.to_owned(),
            reason: format!("no answer within {} s", HOST_LIMIT.as_secs()),
        }),
    }
}

/// One service's SRV records: none where there is no such record, an empty list where the target is `.`.
async fn service(
    resolver: &TokioResolver,
    service: &str,
    domain: &str,
    security: Security,
) -> Result<Option<Vec<Target>>, ResolveError> {
    let ascii = idna::domain_to_ascii(domain).map_err(|_| ResolveError::NoAddress(domain.to_owned()))?;
    let name = format!("{service}.{}.", ascii.trim_end_matches('.'));
    let answer = match resolver.srv_lookup(name.as_str()).await {
        Ok(answer) => answer,
        Err(error) if error.is_no_records_found() => return Ok(None),
        Err(error) => return Err(failed(&name, &error)),
    };
    let mut any = false;
    let mut targets = Vec::new();
    for record in answer.answers() {
        let RData::SRV(srv) = &record.data else { continue };
        any = true;
        if !srv.target.is_root() {
            targets.push(Target {
                host: srv.target.to_ascii(),
                port: srv.port,
                security,
                priority: srv.priority,
                weight: Some(srv.weight),
            });
        }
    }
    Ok(any.then_some(targets))
}

fn failed(name: &str, error: &NetError) -> ResolveError {
    ResolveError::Failed { name: name.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that has the keys of its logins derived for long must not keep others' servers from being found.
    #[test]
    fn no_other_thread_is_needed() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || held.recv());
        let query = Query::Srv { domain: "a.test".to_owned(), use_tls: true };
        let found = runtime.block_on(async {
            let work = resolve(query, Path::new("/nonexistent/resolv.conf"));
            tokio::time::timeout(Duration::from_secs(20), work).await
        });
        drop(release);
        let error = found.expect("it waits for a thread").unwrap_err();
        assert_eq!(error.to_string(), "no resolver in /nonexistent/resolv.conf: there is no such file");
    }
}
