//! Finds the servers of a connection: SRV records, and the addresses of their hosts (RFC 6120 3.2, RFC 2782, XEP-0368).

mod exchange;
mod failover;
mod hosts;
mod message;
mod resolv_conf;
mod resolver;
mod srv;

use std::net::IpAddr;

use futures_util::future::{join, join_all};
use hickory_proto::rr::RData;

pub use self::resolver::Resolver;
use self::srv::{Combined, DIRECT_TLS, Outcome, STARTTLS, combine, service_name};
use super::servers::{ResolvedServer, Security, Target, order};

/// Why there is no list of servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No SRV lookup of the domain was answered. There are forwarders that never answer them: the domain's own addresses may
    /// still be found.
    #[error("DNS lookup of the SRV records of {domain} failed: {reason}")]
    SrvFailed {
        /// The domain.
        domain: String,
        /// What the name servers said, for each service.
        reason: String,
    },
    /// Another lookup failed. That is not the same as "there is no such record".
    #[error("DNS lookup of {name} failed: {reason}")]
    Failed {
        /// What was looked up.
        name: String,
        /// What the name servers said.
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
/// Takes at most 8 s for the SRV records, and 8 s for the addresses.
///
/// # Errors
/// [`ResolveError`]; there is at least one server otherwise.
pub async fn resolve(query: Query, resolver: &Resolver) -> Result<Vec<ResolvedServer>, ResolveError> {
    let (targets, wanted) = match query {
        Query::Srv { domain, use_tls } => (services(resolver, &domain, use_tls).await?, domain),
        Query::Targets(targets) => {
            let wanted = targets.iter().map(|target| target.host.as_str()).collect::<Vec<_>>().join(", ");
            (targets, wanted)
        }
    };
    let targets = order(targets, &mut rand::rng());
    let found = join_all(targets.iter().map(|target| resolver.addresses(&target.host))).await;
    let mut list = Vec::new();
    let mut failure = None;
    for (target, found) in targets.into_iter().zip(found) {
        match found {
            Ok(addresses) => list.push(ResolvedServer::new(target, &addresses)),
            // One name that has no address does not hide that another one could not be looked up.
            Err(ResolveError::NoAddress(_)) => {}
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    // One name that can't be looked up does not take the others with it.
    if list.is_empty() { Err(failure.unwrap_or(ResolveError::NoAddress(wanted))) } else { Ok(list) }
}

/// The targets of a domain's services.
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
        tracing::warn!("SRV lookup failed, using what the other one found: {unanswered}");
    }
    Ok(targets)
}

/// Looks one service up.
async fn service(resolver: &Resolver, service: &str, domain: &str, security: Security) -> Outcome {
    let records = match resolver.srv(&service_name(service, domain)).await {
        Ok(records) => records,
        Err(reason) => return Outcome::Failed(reason),
    };
    if records.is_empty() {
        return Outcome::NoRecord;
    }
    let target = |data: RData| match data {
        RData::SRV(srv) if !srv.target.is_root() => Some(Target {
            host: message::host(&srv.target),
            port: srv.port,
            security,
            priority: srv.priority,
            weight: Some(srv.weight),
        }),
        _ => None,
    };
    let targets: Vec<Target> = records.into_iter().filter_map(target).collect();
    if targets.is_empty() { Outcome::NotAvailable } else { Outcome::Targets(targets) }
}

#[cfg(test)]
mod tests;
