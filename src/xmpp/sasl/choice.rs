//! Which mechanism, and whether the login is bound to the TLS connection. Pure.

/// The mechanisms that are used, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677
    ScramSha256,
    /// RFC 5802
    ScramSha1,
    /// RFC 4616; over TLS alone.
    Plain,
}

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::Plain => "PLAIN",
        }
    }

    fn binds(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

/// The GS2 channel binding flag (RFC 5802 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gs2Flag {
    /// `p`: the channel is bound.
    Bound,
    /// `y`: we could have, the server seems unable to. A server that is able sees that somebody took it off its list.
    ServerCannot,
    /// `n`: we could not.
    Unused,
}

/// Chooses among what the server offers. `bindings` is the server's list of channel bindings (XEP-0440) where it sent one;
/// `can_bind` says that this TLS connection has a `tls-exporter` value.
#[must_use]
pub fn choose(
    offered: &[String],
    bindings: Option<&[String]>,
    can_bind: bool,
    tls: bool,
) -> Option<(Mechanism, Gs2Flag)> {
    let has = |mechanism: Mechanism| offered.iter().any(|name| name == mechanism.name());
    let plus = has(Mechanism::ScramSha256Plus) || has(Mechanism::ScramSha1Plus);
    // Without a list we take a server that offers -PLUS over TLS 1.3 at its word: tls-exporter is the one binding that is
    // defined there (RFC 9266).
    let exporter = bindings.is_none_or(|list| list.iter().any(|name| name == "tls-exporter"));
    let flag = match (can_bind, plus) {
        (true, true) if exporter => Gs2Flag::Bound,
        (true, false) => Gs2Flag::ServerCannot,
        _ => Gs2Flag::Unused,
    };
    let best = [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ];
    let usable = |mechanism: &Mechanism| match mechanism {
        Mechanism::Plain => tls,
        plus if plus.binds() => flag == Gs2Flag::Bound,
        _ => true,
    };
    let chosen = best.into_iter().filter(usable).find(|mechanism| has(*mechanism))?;
    // PLAIN has no such flag: its refusal is that of the password, which is not to be sent twice. And a server with -PLUS
    // for another hash alone: nothing is bound then, and nothing is claimed.
    let unflagged = chosen == Mechanism::Plain || (flag == Gs2Flag::Bound && !chosen.binds());
    let flag = if unflagged { Gs2Flag::Unused } else { flag };
    Some((chosen, flag))
}

/// What is tried once where a server refuses an exchange at its first message: the flag `y` or the type of the binding may
/// be what it rejects. Servers without a list of bindings (XEP-0440) offer -PLUS over TLS 1.3 and know `tls-unique` alone,
/// which is not defined there. A list that names ours is taken at its word: nobody in between can talk us out of it.
pub(super) fn unbound(
    offered: &[String],
    bindings: Option<&[String]>,
    mechanism: Mechanism,
    flag: Gs2Flag,
) -> Option<Mechanism> {
    match flag {
        Gs2Flag::ServerCannot => Some(mechanism),
        Gs2Flag::Bound if bindings.is_none() => choose(offered, None, false, false).map(|(mechanism, _)| mechanism),
        Gs2Flag::Bound | Gs2Flag::Unused => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    const ALL: [&str; 6] =
        ["PLAIN", "ANONYMOUS", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

    /// Offered, bindings, whether we can bind, whether there is TLS; and what is chosen.
    type Case<'a> = (&'a [&'a str], Option<&'a [&'a str]>, bool, bool, Option<(Mechanism, Gs2Flag)>);

    #[test]
    fn the_best_that_is_possible_is_chosen() {
        use Mechanism::*;
        let plain = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"];
        let exporter = ["tls-server-end-point", "tls-exporter"];
        let other = ["tls-server-end-point"];
        let cases: [Case<'_>; 13] = [
            (&ALL, Some(&exporter), true, true, Some((ScramSha256Plus, Gs2Flag::Bound))),
            (&ALL, None, true, true, Some((ScramSha256Plus, Gs2Flag::Bound))),
            (&ALL, Some(&other), true, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&ALL, Some(&exporter), false, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&plain, None, true, true, Some((ScramSha256, Gs2Flag::ServerCannot))),
            (&plain, None, false, true, Some((ScramSha256, Gs2Flag::Unused))),
            (&["SCRAM-SHA-1", "PLAIN"], None, false, false, Some((ScramSha1, Gs2Flag::Unused))),
            (&["SCRAM-SHA-1-PLUS"], Some(&exporter), true, true, Some((ScramSha1Plus, Gs2Flag::Bound))),
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
    fn a_binding_that_is_refused_is_given_up_only_where_the_server_named_none() {
        let both = names(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"]);
        let (plus, bare) = (Mechanism::ScramSha256Plus, Mechanism::ScramSha256);
        assert_eq!(unbound(&both, None, plus, Gs2Flag::Bound), Some(bare));
        assert_eq!(unbound(&both, Some(&names(&["tls-exporter"])), plus, Gs2Flag::Bound), None);
        assert_eq!(unbound(&names(&["SCRAM-SHA-256-PLUS", "PLAIN"]), None, plus, Gs2Flag::Bound), None, "never PLAIN");
        assert_eq!(unbound(&both, None, bare, Gs2Flag::ServerCannot), Some(bare));
        assert_eq!(unbound(&both, None, bare, Gs2Flag::Unused), None);
    }
}
