//! Combines the two SRV lookups of a domain (RFC 2782, RFC 6120 3.2, XEP-0368).

use super::error::ResolveError;
use crate::xmpp::servers::Target;

/// The STARTTLS service (RFC 6120 3.2.1).
pub(super) const STARTTLS: &str = "_xmpp-client._tcp";
/// The direct TLS service (XEP-0368).
pub(super) const DIRECT_TLS: &str = "_xmpps-client._tcp";

/// The outcome of one SRV lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SrvOutcome {
    /// At least one record.
    Targets(Vec<Target>),
    /// NXDOMAIN, or no SRV record with that name.
    NoRecord,
    /// The target `.`: the domain does not have the service.
    NotAvailable,
    /// No name server answered; the reason.
    Failed(String),
}

/// The servers according to both lookups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Combined {
    /// Where to connect, at least one.
    pub(super) targets: Vec<Target>,
    /// The lookup that failed, if one of the two did, and why: for a WARNING.
    pub(super) unanswered: Option<String>,
}

/// Combines the lookups of STARTTLS (`_xmpp-client._tcp`) and of direct TLS (`_xmpps-client._tcp`; `None` if the
/// connection does not use TLS). `docs/connection.md` has the table.
///
/// # Errors
/// [`ResolveError::SrvFailed`]: no lookup was answered. [`ResolveError::Failed`]: STARTTLS is not available, and the
/// lookup of direct TLS failed. [`ResolveError::NoService`]: the domain has no service.
pub(super) fn combine(
    domain: &str,
    starttls: SrvOutcome,
    direct: Option<SrvOutcome>,
) -> Result<Combined, ResolveError> {
    use SrvOutcome::{Failed, NoRecord, NotAvailable, Targets};
    // The domain itself replaces the STARTTLS service. Direct TLS has no default port.
    let itself = || vec![Target::domain(domain)];
    let unanswered = |service, reason| Some(format!("{}: {reason}", service_name(service, domain)));
    let (targets, unanswered) = match (starttls, direct) {
        (Targets(starttls), Some(Targets(direct))) => ([direct, starttls].concat(), None),
        (Targets(found), None | Some(NoRecord | NotAvailable)) | (NoRecord | NotAvailable, Some(Targets(found))) => {
            (found, None)
        }
        (Targets(found), Some(Failed(reason))) => (found, unanswered(DIRECT_TLS, reason)),
        (NoRecord, None | Some(NoRecord | NotAvailable)) => (itself(), None),
        (NoRecord, Some(Failed(reason))) => (itself(), unanswered(DIRECT_TLS, reason)),
        (NotAvailable, None | Some(NoRecord | NotAvailable)) => {
            return Err(ResolveError::NoService(domain.to_owned()));
        }
        (NotAvailable, Some(Failed(reason))) => {
            return Err(ResolveError::Failed { name: service_name(DIRECT_TLS, domain), reason });
        }
        (Failed(reason), Some(Targets(found))) => (found, unanswered(STARTTLS, reason)),
        (Failed(reason), Some(NoRecord | NotAvailable)) => (itself(), unanswered(STARTTLS, reason)),
        (Failed(reason), None) => {
            return Err(ResolveError::SrvFailed { domain: domain.to_owned(), reason: format!("{STARTTLS}: {reason}") });
        }
        (Failed(starttls), Some(Failed(direct))) => {
            let reason = format!("{STARTTLS}: {starttls}; {DIRECT_TLS}: {direct}");
            return Err(ResolveError::SrvFailed { domain: domain.to_owned(), reason });
        }
    };
    Ok(Combined { targets, unanswered })
}

/// The name of a service's records.
pub(super) fn service_name(service: &str, domain: &str) -> String {
    format!("{service}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use SrvOutcome::{Failed, NoRecord, NotAvailable, Targets};

    /// The table of `docs/connection.md`. `-`: not looked up.
    #[rustfmt::skip]
    const TABLE: &[(&str, &str, &str)] = &[
        // STARTTLS   direct TLS   servers
        ("answered", "answered", "direct plain"),
        ("answered", "none",     "plain"),
        ("answered", ".",        "plain"),
        ("answered", "failed",   "plain; not answered: direct"),
        ("answered", "-",        "plain"),
        ("none",     "answered", "direct"),
        ("none",     "none",     "domain"),
        ("none",     ".",        "domain"),
        ("none",     "failed",   "domain; not answered: direct"),
        ("none",     "-",        "domain"),
        (".",        "answered", "direct"),
        (".",        "none",     "no service"),
        (".",        ".",        "no service"),
        (".",        "failed",   "failed: direct"),
        (".",        "-",        "no service"),
        ("failed",   "answered", "direct; not answered: plain"),
        ("failed",   "none",     "domain; not answered: plain"),
        ("failed",   ".",        "domain; not answered: plain"),
        ("failed",   "failed",   "both failed"),
        ("failed",   "-",        "both failed"),
    ];

    fn outcome(word: &str, host: &str) -> Option<SrvOutcome> {
        Some(match word {
            "answered" => Targets(vec![Target::domain(host)]),
            "none" => NoRecord,
            "." => NotAvailable,
            "failed" => Failed(format!("REFUSED for {host}")),
            _ => return None,
        })
    }

    #[test]
    fn the_two_lookups_are_combined_as_documented() {
        for (starttls, direct, expected) in TABLE {
            let found = combine("a.test", outcome(starttls, "plain").unwrap(), outcome(direct, "direct"));
            let described = match found {
                Ok(Combined { targets, unanswered }) => {
                    let hosts: Vec<&str> = targets.iter().map(|target| target.host.as_str()).collect();
                    let unanswered = unanswered.map(|reason| match reason.as_str() {
                        "_xmpp-client._tcp.a.test: REFUSED for plain" => "; not answered: plain",
                        "_xmpps-client._tcp.a.test: REFUSED for direct" => "; not answered: direct",
                        other => panic!("{other}"),
                    });
                    hosts.join(" ").replace("a.test", "domain") + unanswered.unwrap_or_default()
                }
                Err(ResolveError::NoService(domain)) if domain == "a.test" => "no service".to_owned(),
                Err(ResolveError::Failed { name, reason }) => {
                    assert_eq!((name.as_str(), reason.as_str()), ("_xmpps-client._tcp.a.test", "REFUSED for direct"));
                    "failed: direct".to_owned()
                }
                Err(ResolveError::SrvFailed { domain, reason }) => {
                    let direct = if *direct == "-" { "" } else { "; _xmpps-client._tcp: REFUSED for direct" };
                    assert_eq!(
                        (domain.as_str(), reason),
                        ("a.test", format!("_xmpp-client._tcp: REFUSED for plain{direct}"))
                    );
                    "both failed".to_owned()
                }
                Err(other) => panic!("{other}"),
            };
            assert_eq!(described, *expected, "STARTTLS {starttls}, direct TLS {direct}");
        }
        assert_eq!(TABLE.len(), 4 * 5);
    }
}
