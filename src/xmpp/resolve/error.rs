//! Why no servers were found.

/// Why no servers were found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No SRV lookup of the domain was answered. Some forwarders never answer them, so the domain itself may still have
    /// addresses.
    #[error("DNS lookup of the SRV records of {domain} failed: {reason}")]
    SrvFailed {
        /// The domain.
        domain: String,
        /// The failures of the name servers, for each service.
        reason: String,
    },
    /// Another lookup failed. The record may exist.
    #[error("DNS lookup of {name} failed: {reason}")]
    Failed {
        /// The name that was looked up.
        name: String,
        /// The failures of the name servers.
        reason: String,
    },
    /// The domain has no XMPP service, according to its SRV record (RFC 2782: target `.`).
    #[error("{0} offers no XMPP service (its SRV record says so)")]
    NoService(String),
    /// None of the servers has an address.
    #[error("{0} has no address")]
    NoAddress(String),
}
