//! Finds the servers of a connection: SRV records, and the addresses of their hosts (RFC 6120 3.2, RFC 2782, XEP-0368).

mod error;
mod exchange;
mod failover;
mod hosts;
mod message;
mod name_servers;
mod resolv_conf;
mod resolver;
mod srv;

use std::net::IpAddr;

use futures_util::future::{join, join_all};

pub use self::error::ResolveError;
use self::message::{RecordData, host};
pub use self::resolver::Resolver;
use self::srv::{Combined, DIRECT_TLS, STARTTLS, SrvOutcome, combine, service_name};
use super::servers::{ResolvedServer, Security, Target, order};
use crate::random;

/// What to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The SRV records of this domain, or the domain itself if it has none.
    Srv {
        /// A-labels, or an IP address.
        domain: String,
        /// Whether to look up the direct TLS service as well.
        use_tls: bool,
    },
    /// These hosts.
    Targets(Vec<Target>),
}

/// Returns the servers, at least one, in the order in which to try them. Each has at least one address. Takes at most 8
/// s for the SRV records, and 8 s for the addresses.
///
/// # Errors
/// No server with an address was found; see [`ResolveError`].
pub async fn resolve(query: Query, resolver: &Resolver) -> Result<Vec<ResolvedServer>, ResolveError> {
    let (targets, wanted) = match query {
        Query::Srv { domain, use_tls } => (services(resolver, &domain, use_tls).await?, domain),
        Query::Targets(targets) => {
            let wanted = targets.iter().map(|target| target.host.as_str()).collect::<Vec<_>>().join(", ");
            (targets, wanted)
        }
    };
    let targets = order(targets, &mut random::rng());
    let found = join_all(targets.iter().map(|target| resolver.addresses(&target.host))).await;
    let mut list = Vec::new();
    let mut failure = None;
    for (target, found) in targets.into_iter().zip(found) {
        match found {
            Ok(addresses) => list.push(ResolvedServer::new(target, &addresses)),
            // A failed lookup is the better explanation if no name has an address.
            Err(ResolveError::NoAddress(_)) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    // A name that cannot be looked up does not affect the others.
    if list.is_empty() { Err(failure.unwrap_or(ResolveError::NoAddress(wanted))) } else { Ok(list) }
}

/// Looks up the targets of a domain's services.
async fn services(resolver: &Resolver, domain: &str, use_tls: bool) -> Result<Vec<Target>, ResolveError> {
    let bare = domain.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(vec![Target::domain(bare)]);
    }
    let domain = idna::domain_to_ascii(domain).map_err(|_| ResolveError::NoAddress(domain.to_owned()))?;
    let starttls = service(resolver, STARTTLS, &domain, Security::StartTls);
    let direct =
        async { if use_tls { Some(service(resolver, DIRECT_TLS, &domain, Security::DirectTls).await) } else { None } };
    let (starttls, direct) = join(starttls, direct).await;
    let Combined { targets, unanswered } = combine(&domain, starttls, direct)?;
    if let Some(unanswered) = unanswered {
        tracing::warn!("SRV lookup failed, using the result of the other one: {unanswered}");
    }
    Ok(targets)
}

/// Looks up one service.
async fn service(resolver: &Resolver, service: &str, domain: &str, security: Security) -> SrvOutcome {
    let records = match resolver.srv(&service_name(service, domain)).await {
        Ok(records) => records,
        Err(reason) => return SrvOutcome::Failed(reason),
    };
    if records.is_empty() {
        return SrvOutcome::NoRecord;
    }
    let target = |data| match data {
        RecordData::Srv(srv) if !srv.target().is_root() => Some(Target {
            host: host(srv.target()),
            port: srv.port(),
            security,
            priority: srv.priority(),
            weight: Some(srv.weight()),
        }),
        _ => None,
    };
    let targets: Vec<Target> = records.into_iter().filter_map(target).collect();
    if targets.is_empty() { SrvOutcome::NotAvailable } else { SrvOutcome::Targets(targets) }
}

#[cfg(test)]
mod tests;
