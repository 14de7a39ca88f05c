//! How a connection reacts to a stream error (RFC 6120 4.9.3). Pure.

use std::net::IpAddr;

use super::error_condition::ErrorCondition;
use super::servers::{CLIENT_PORT, Security, Target};

/// The reaction to a stream error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// Another client has taken the resource: wait longer, so that two devices do not displace each other in turn.
    Conflict,
    /// Connect to this server next.
    SeeOther(Target),
    /// As after a failed attempt at this address.
    FailedAttempt,
    /// Reconnect at once, with a full TLS handshake.
    Reset,
    /// As after a lost stream.
    Lost,
}

/// Returns the reaction to a stream error.
#[must_use]
pub fn consequence(error: &ErrorCondition) -> Consequence {
    match error.name() {
        "conflict" => Consequence::Conflict,
        "see-other-host" => other_host(&error.content).map_or(Consequence::Lost, Consequence::SeeOther),
        "not-authorized" | "host-unknown" | "host-gone" | "policy-violation" => Consequence::FailedAttempt,
        "reset" => Consequence::Reset,
        _ => Consequence::Lost,
    }
}

/// Parses `host`, `host:port`, `[IPv6]:port` or `IPv6` (RFC 6120 4.9.3.19).
fn other_host(text: &str) -> Option<Target> {
    let text = text.trim();
    let (host, port) = if let Ok(address) = text.parse::<IpAddr>() {
        (address.to_string(), CLIENT_PORT)
    } else if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address = address.parse::<IpAddr>().ok()?;
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if rest.is_empty() => CLIENT_PORT,
            None => return None,
        };
        (address.to_string(), port)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), port.parse().ok()?),
            None => (text.to_owned(), CLIENT_PORT),
        }
    };
    let usable = !host.is_empty() && port != 0 && idna::domain_to_ascii(&host).is_ok();
    usable.then_some(Target { host, port, security: Security::StartTls, priority: 0, weight: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(condition: &str, content: &str) -> ErrorCondition {
        ErrorCondition { condition: Some(condition.to_owned()), content: content.to_owned(), text: None }
    }

    #[test]
    fn each_condition_has_its_consequence() {
        let cases = [
            ("conflict", Consequence::Conflict),
            ("not-authorized", Consequence::FailedAttempt),
            ("host-unknown", Consequence::FailedAttempt),
            ("host-gone", Consequence::FailedAttempt),
            ("policy-violation", Consequence::FailedAttempt),
            ("reset", Consequence::Reset),
            ("system-shutdown", Consequence::Lost),
            ("something-new", Consequence::Lost),
        ];
        for (condition, expected) in cases {
            assert_eq!(consequence(&error(condition, "")), expected, "{condition}");
        }
        assert_eq!(consequence(&ErrorCondition::default()), Consequence::Lost);
    }

    #[test]
    fn another_host_is_parsed_in_all_its_forms() {
        let cases = [
            ("other.test", Some(("other.test", 5222))),
            (" other.test:9222 ", Some(("other.test", 9222))),
            ("10.0.0.1:9222", Some(("10.0.0.1", 9222))),
            ("[2001:db8::1]:9222", Some(("2001:db8::1", 9222))),
            ("[2001:db8::1]", Some(("2001:db8::1", 5222))),
            ("2001:db8::1", Some(("2001:db8::1", 5222))),
            ("", None),
            (":5222", None),
            ("other.test:0", None),
            ("other.test:99999", None),
            ("[other.test]:5222", None),
            ("[::1]x", None),
        ];
        for (text, expected) in cases {
            let host = other_host(text);
            assert_eq!(host.as_ref().map(|target| (target.host.as_str(), target.port)), expected, "{text}");
        }
    }
}
