//! Matches senders of connection requests against `allowed_jid` (`ManagementServer.ConnReqAllowedJabberIDs`).

use jid::{BareJid, Jid};

/// Returns the name of a sender for the log and the notification. Without `from` it is the account: its own server sends
/// in its name (RFC 6120 8.1.2.1).
#[must_use]
pub fn sender_name<'a>(from: Option<&'a str>, account: &'a BareJid) -> &'a str {
    from.unwrap_or(account.as_str())
}

/// Whether `sender` is allowed. JIDs are compared after normalization (RFC 7622), never as text. An empty list allows
/// every sender.
#[must_use]
pub fn is_allowed(allowed: &[Jid], sender: &Jid) -> bool {
    allowed.is_empty() || is_listed(allowed, sender)
}

/// Whether an entry of the list matches `sender`.
#[must_use]
pub fn is_listed(allowed: &[Jid], sender: &Jid) -> bool {
    allowed.iter().any(|entry| matches(entry, sender))
}

/// A full JID matches itself alone; a bare JID matches itself and its resources; a domain matches itself and its
/// resources, but not the users at it.
fn matches(entry: &Jid, sender: &Jid) -> bool {
    match entry.resource() {
        Some(_) => entry == sender,
        None => entry.node() == sender.node() && entry.domain() == sender.domain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::new(text).unwrap()
    }

    #[test]
    fn entries_match_as_jids_and_never_as_prefixes() {
        let cases = [
            ("acs@a.test", "acs@a.test", true),
            ("acs@a.test", "acs@a.test/any", true),
            ("acs@a.test", "acs@a.test.evil.test/any", false),
            ("acs@a.test", "acs2@a.test/any", false),
            ("acs@a.test", "xacs@a.test/any", false),
            ("acs@a.test", "a.test", false),
            ("ACS@A.Test", "acs@a.test/any", true),
            ("acs@a.test/one", "acs@a.test/one", true),
            ("acs@a.test/one", "acs@a.test/One", false),
            ("acs@a.test/one", "acs@a.test", false),
            ("acs@a.test/one", "acs@a.test/one1", false),
            ("a.test", "a.test", true),
            ("a.test", "a.test/resource", true),
            ("a.test", "acs@a.test", false),
            ("a.test", "acs@a.test/any", false),
            ("a.test", "sub.a.test", false),
            ("a.test/resource", "a.test/resource", true),
            ("a.test/resource", "a.test", false),
            ("m\u{fc}ller@b\u{fc}cher.test", "M\u{dc}LLER@b\u{fc}cher.test/r", true),
        ];
        for (entry, sender, expected) in cases {
            assert_eq!(is_allowed(&[jid(entry)], &jid(sender)), expected, "{entry} and {sender}");
        }
    }

    #[test]
    fn an_empty_list_allows_every_sender() {
        assert!(is_allowed(&[], &jid("anyone@anywhere.test/r")));
        assert!(!is_listed(&[], &jid("anyone@anywhere.test/r")));
    }

    #[test]
    fn one_matching_entry_suffices() {
        let list = [jid("one@a.test"), jid("two@a.test")];
        assert!(is_allowed(&list, &jid("two@a.test/r")));
        assert!(!is_allowed(&list, &jid("three@a.test/r")));
    }
}
