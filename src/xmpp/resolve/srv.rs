//! What the two SRV lookups of a domain say together (RFC 2782, RFC 6120 3.2, XEP-0368).

use super::ResolveError;
use crate::xmpp::servers::Target;

/// The STARTTLS service (RFC 6120 3.2.1).
pub(super) const STARTTLS: &str = "_xmpp-client._tcp";
/// The direct TLS service (XEP-0368).
pub(super) const DIRECT_TLS: &str = "_xmpps-client._tcp";

/// What one SRV lookup found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Records, at least one.
    Targets(Vec<Target>),
    /// NXDOMAIN, or no SRV record at that name.
    NoRecord,
    /// The target `.`: the service is not there.
    NotAvailable,
    /// No name server answered. Says why.
    Failed(String),
}

/// What follows from the lookups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Combined {
    /// Where to connect to, at least one.
    pub(super) targets: Vec<Target>,
    /// The lookup that failed beside the one that was answered, and why, for a WARNING.
    pub(super) unanswered: Option<String>,
}

/// Combines the lookups of STARTTLS (`_xmpp-client._tcp`) and of direct TLS (`_xmpps-client._tcp`; `None` without TLS, where it
/// is of no use). `docs/connection.md` has the table.
///
/// # Errors
/// [`ResolveError::SrvFailed`] where no lookup was answered; [`ResolveError::Failed`] where STARTTLS is not available and direct
/// TLS is unknown; [`ResolveError::NoService`] where the domain has no service.
pub(super) fn combine(domain: &str, starttls: Outcome, direct: Option<Outcome>) -> Result<Combined, ResolveError> {
    use Outcome::{Failed, NoRecord, NotAvailable, Targets};
    // The domain itself stands in for the STARTTLS service: direct TLS has no default port.
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

/// The name at which a service's records are.
pub(super) fn service_name(service: &str, domain: &str) -> String {
    format!("{service}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Failed, NoRecord, NotAvailable, Targets};

    /// The table of `docs/connection.md`: STARTTLS in the rows, direct TLS in the columns, `-` where it is not looked up.
    #[rustfmt::skip]
    const TABLE: &[(&str, &str, &str)] = &[
        // STARTTLS   direct TLS   what follows
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

    fn outcome(word: &str, host: &str) -> Option<Outcome> {
        Some(match word {
            "answered" => Targets(vec![Target::domain(host)]),
            "none" => NoRecord,
            "." => NotAvailable,
            "failed" => Failed(format!("REFUSED for {host}")),
            _ => return None,
        })
    }

    #[test]
    fn what_follows_from_the_two_lookups() {
        for (starttls, direct, expected) in TABLE {
            let found = combine("a.test", outcome(starttls, "plain").unwrap(), outcome(direct, "direct"));
            let in_words = match found {
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
            assert_eq!(in_words, *expected, "STARTTLS {starttls}, direct TLS {direct}");
        }
        assert_eq!(TABLE.len(), 4 * 5);
    }
}
