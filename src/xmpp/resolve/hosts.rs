//! Looks up names in the hosts file (hosts(5)).

use std::net::IpAddr;

/// Returns the addresses of a name (A-labels, in any case, with or without a trailing dot), in the order of the file.
/// Invalid lines are skipped.
pub(super) fn lookup(text: &[u8], name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let text = String::from_utf8_lossy(text);
    let address = |line: &str| {
        let line = line.split('#').next()?;
        let mut words = line.split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)).then_some(ip)
    };
    let mut found = Vec::new();
    for ip in text.trim_start_matches('\u{feff}').lines().filter_map(address) {
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8], name: &str) -> Vec<String> {
        lookup(text, name).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_found_in_every_line_and_form() {
        let text = b"\xef\xbb\xbf127.0.0.1 localhost # loopback\n\n# 192.0.2.9 xmpp.test\n192.0.2.1\tother.test XMPP.test.\r\n\
            2001:db8::1 xmpp.test\nnot-an-address xmpp.test\n192.0.2.1 xmpp.test\n192.0.2.2 caf\xe9 under_score\n";
        assert_eq!(found(text, "xmpp.test"), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(found(text, "Xmpp.Test."), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(found(text, "localhost"), ["127.0.0.1"]);
        assert_eq!(found(text, "under_score"), ["192.0.2.2"]);
        for absent in ["test", "loopback", "192.0.2.1", "xmpp", "#", ""] {
            assert_eq!(found(text, absent), [""; 0], "{absent}");
        }
    }
}
