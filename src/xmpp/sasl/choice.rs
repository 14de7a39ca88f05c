//! Chooses the login mechanism, and whether the login is bound to the TLS connection. Pure.

use super::scram::Hash;

/// The supported mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// draft-melnikov-scram-sha-512 with channel binding.
    ScramSha512Plus,
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// draft-melnikov-scram-sha-512
    ScramSha512,
    /// RFC 7677
    ScramSha256,
    /// RFC 5802
    ScramSha1,
    /// RFC 4616; used over TLS only.
    Plain,
}

impl Mechanism {
    /// All mechanisms, best first. Channel binding matters more than the hash: it is what detects a man in the middle
    /// of TLS. Then the longer hash (RFC 7677 4 requires SHA-256 before SHA-1). PLAIN is last: it reveals the password
    /// to the server.
    const BEST_FIRST: [Self; 7] = [
        Self::ScramSha512Plus,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha512,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::Plain,
    ];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    /// The hash function of SCRAM; `None` for PLAIN.
    pub(super) fn hash(self) -> Option<Hash> {
        match self {
            Self::ScramSha512 | Self::ScramSha512Plus => Some(Hash::Sha512),
            Self::ScramSha256 | Self::ScramSha256Plus => Some(Hash::Sha256),
            Self::ScramSha1 | Self::ScramSha1Plus => Some(Hash::Sha1),
            Self::Plain => None,
        }
    }

    fn binds(self) -> bool {
        matches!(self, Self::ScramSha512Plus | Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

/// The GS2 channel binding flag (RFC 5802 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gs2Flag {
    /// `p`: the login is bound to the channel.
    Bound,
    /// `y`: we support binding, the server seems not to. A server that does detects that -PLUS was removed from its
    /// list.
    ServerCannot,
    /// `n`: we do not support binding.
    Unused,
}

/// Chooses among the offered mechanisms. `bindings`: the server's list of channel bindings (XEP-0440), if it sent one.
/// `can_bind`: whether this TLS connection has a `tls-exporter` value.
#[must_use]
pub fn choose(
    offered: &[String],
    bindings: Option<&[String]>,
    can_bind: bool,
    tls: bool,
) -> Option<(Mechanism, Gs2Flag)> {
    let has = |mechanism: Mechanism| offered.iter().any(|name| name == mechanism.name());
    let plus = Mechanism::BEST_FIRST.into_iter().any(|mechanism| mechanism.binds() && has(mechanism));
    // A server without a list that offers -PLUS over TLS 1.3 should support tls-exporter, the only binding that is
    // defined there (RFC 9266).
    let exporter = bindings.is_none_or(|list| list.iter().any(|name| name == "tls-exporter"));
    let flag = match (can_bind, plus) {
        (true, true) if exporter => Gs2Flag::Bound,
        (true, false) => Gs2Flag::ServerCannot,
        _ => Gs2Flag::Unused,
    };
    let usable = |mechanism: &Mechanism| match mechanism {
        Mechanism::Plain => tls,
        plus if plus.binds() => flag == Gs2Flag::Bound,
        _ => true,
    };
    let chosen = Mechanism::BEST_FIRST.into_iter().filter(usable).find(|mechanism| has(*mechanism))?;
    // PLAIN has no flag: if it is refused, the password is wrong, and must not be sent twice. Neither is a flag claimed
    // for a server that has -PLUS for another hash only.
    let unflagged = chosen == Mechanism::Plain || (flag == Gs2Flag::Bound && !chosen.binds());
    let flag = if unflagged { Gs2Flag::Unused } else { flag };
    Some((chosen, flag))
}

/// Returns the mechanism to try once without binding after a server has refused the bound exchange at its first
/// message.
///
/// A server that lists no bindings (XEP-0440) may offer -PLUS over TLS 1.3 and support `tls-unique` only, which is not
/// defined there. There is no fallback if the server lists our binding, as an attacker could force it; nor after the
/// flag `y` (RFC 5802 6), as a second try with `n` would defeat its purpose.
pub(super) fn fallback_without_binding(
    offered: &[String],
    bindings: Option<&[String]>,
    flag: Gs2Flag,
) -> Option<Mechanism> {
    let fallback = flag == Gs2Flag::Bound && bindings.is_none();
    fallback.then(|| choose(offered, None, false, false)).flatten().map(|(mechanism, _)| mechanism)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    const ALL: [&str; 6] =
        ["PLAIN", "ANONYMOUS", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    const SHA_512: [&str; 4] = ["PLAIN", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS"];

    /// Offered mechanisms, listed bindings, whether we can bind, whether TLS is on; the choice.
    type Case<'a> = (&'a [&'a str], Option<&'a [&'a str]>, bool, bool, Option<(Mechanism, Gs2Flag)>);

    #[test]
    fn the_best_usable_mechanism_is_chosen() {
        use Mechanism::*;
        let plain = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"];
        let exporter = ["tls-server-end-point", "tls-exporter"];
        let other = ["tls-server-end-point"];
        let cases: [Case<'_>; 17] = [
            (&ALL, Some(&exporter), true, true, Some((ScramSha256Plus, Gs2Flag::Bound))),
            (&ALL, None, true, true, Some((ScramSha256Plus, Gs2Flag::Bound))),
            (&ALL, Some(&other), true, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&ALL, Some(&exporter), false, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&plain, None, true, true, Some((ScramSha256, Gs2Flag::ServerCannot))),
            (&plain, None, false, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&["SCRAM-SHA-1", "PLAIN"], None, false, false, Some((ScramSha1, Gs2Flag::Unused))),
            (&["SCRAM-SHA-1-PLUS"], Some(&exporter), true, true, Some((ScramSha1Plus, Gs2Flag::Bound))),
            (&SHA_512, None, true, true, Some((ScramSha512Plus, Gs2Flag::Bound))),
            (&SHA_512, None, false, true, Some((ScramSha512, Gs2Flag::Unused))),
            (&["SCRAM-SHA-512", "SCRAM-SHA-1-PLUS"], None, true, true, Some((ScramSha1Plus, Gs2Flag::Bound))),
            (&["PLAIN", "SCRAM-SHA-512"], None, true, true, Some((ScramSha512, Gs2Flag::ServerCannot))),
            (&["PLAIN"], None, false, true, Some((Plain, Gs2Flag::Unused))),
            (&["PLAIN"], None, true, true, Some((Plain, Gs2Flag::Unused))),
            (&["PLAIN", "SCRAM-SHA-1-PLUS"], Some(&other), true, true, Some((Plain, Gs2Flag::Unused))),
            (&["PLAIN"], None, false, false, None),
            (&["ANONYMOUS", "X-OAUTH2"], None, true, true, None),
        ];
        for (offered, bindings, can_bind, tls, expected) in cases {
            let bindings = bindings.map(names);
            assert_eq!(
                choose(&names(offered), bindings.as_deref(), can_bind, tls),
                expected,
                "{offered:?} {bindings:?} {can_bind} {tls}"
            );
        }
    }

    #[test]
    fn a_refused_binding_is_given_up_only_if_the_server_listed_none() {
        let both = names(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]);
        let bare = Some(Mechanism::ScramSha256);
        assert_eq!(fallback_without_binding(&both, None, Gs2Flag::Bound), bare);
        assert_eq!(fallback_without_binding(&both, Some(&names(&["tls-exporter"])), Gs2Flag::Bound), None);
        assert_eq!(
            fallback_without_binding(&names(&["SCRAM-SHA-256-PLUS", "PLAIN"]), None, Gs2Flag::Bound),
            None,
            "never PLAIN"
        );
        assert_eq!(
            fallback_without_binding(&both, None, Gs2Flag::ServerCannot),
            None,
            "that would defeat the flag's purpose"
        );
        assert_eq!(fallback_without_binding(&both, None, Gs2Flag::Unused), None);
    }

    #[test]
    fn mechanisms_are_ordered_best_first() {
        let names = Mechanism::BEST_FIRST.map(Mechanism::name);
        let expected = [
            "SCRAM-SHA-512-PLUS",
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-512",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1",
            "PLAIN",
        ];
        assert_eq!(names, expected);
    }
}
