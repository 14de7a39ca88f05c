//! Whether a connection request is granted: the decision of TR-069 Annex K on the CPE's side, a pure function of settings,
//! history, request and time.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jid::{BareJid, Jid};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::credentials::Credentials;
use super::lockout::Lockout;
use super::sender::{is_allowed, is_listed};
use crate::config::model::{ConnectionId, General};
use crate::xmpp::payload::GivenCredentials;

/// A request that arrived on a connection.
#[derive(Debug)]
pub struct Request {
    /// The connection.
    pub connection: ConnectionId,
    /// The account that received it.
    pub account: BareJid,
    /// The sender as the server stamped it; none = the account's own server (RFC 6120 8.1.2.1).
    pub from: Option<String>,
    /// What the request holds; none if that is malformed.
    pub credentials: Option<GivenCredentials>,
}

/// The decision, before the CWMP client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Tell the CWMP client, then say yes.
    Grant,
    /// Say no.
    Refuse(Refusal),
}

/// Why a request is refused, in the order in which the rules are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Connection requests are not enabled on this connection.
    Disabled,
    /// The sender is not allowed.
    Sender,
    /// The sender gave wrong credentials too often.
    Locked,
    /// User name or password missing, twice, or with elements in them.
    Malformed,
    /// User name or password wrong, or none configured.
    Credentials,
    /// The CWMP client was told often enough.
    Limit,
}

impl Refusal {
    /// For the log.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Disabled => "this connection does not take connection requests (option 'id')",
            Self::Sender => "the sender is not in allowed_jid",
            Self::Locked => "the sender is locked out after too many wrong credentials",
            Self::Malformed => "user name or password is missing, given twice, or has elements in it",
            Self::Credentials => "wrong user name or password, or none configured",
            Self::Limit => "the CWMP client was told often enough for now (connreq_limit)",
        }
    }
}

/// What was asked before. Its size is bounded whoever asks: see [`Lockout`] for the senders, and of the times when the CWMP
/// client was told the last `connreq_limit` are kept. So a period that is changed holds at once, to the letter; what was not
/// counted under a lower limit, or under none, is not counted afterwards either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    lockout: Lockout,
    told: VecDeque<Instant>,
}

impl History {
    /// Whether the CWMP client was told `limit` times within the last `period`.
    fn is_told_often_enough(&self, limit: usize, period: Duration, now: Instant) -> bool {
        let nth_last = self.told.len().checked_sub(limit).and_then(|n| self.told.get(n));
        nth_last.is_some_and(|at| now.duration_since(*at) < period)
    }

    fn note_told(&mut self, limit: usize, now: Instant) {
        self.told.push_back(now);
        while self.told.len() > limit {
            self.told.pop_front();
        }
    }
}

/// Decides. `under_way` says that the CWMP client is being told at this moment: a request that shares this costs nothing.
pub fn decide(
    general: &General,
    configured: Option<&Credentials>,
    history: &mut History,
    request: &Request,
    under_way: bool,
    now: Instant,
) -> Decision {
    let mut check = || {
        if !accepts(&general.accepting, request.connection) {
            return Err(Refusal::Disabled);
        }
        let sender =
            allowed_sender(&general.allowed, request.from.as_deref(), &request.account).ok_or(Refusal::Sender)?;
        if history.lockout.is_locked(&sender, now) {
            return Err(Refusal::Locked);
        }
        let given = request.credentials.as_ref().ok_or(Refusal::Malformed)?;
        if !configured.is_some_and(|configured| is_same(configured, given)) {
            history.lockout.wrong(&sender, now);
            return Err(Refusal::Credentials);
        }
        history.lockout.right(&sender);
        if !under_way && general.limit != 0 {
            let limit = usize::from(general.limit);
            if history.is_told_often_enough(limit, general.period, now) {
                return Err(Refusal::Limit);
            }
            history.note_told(limit, now);
        }
        Ok(())
    };
    match check() {
        Ok(()) => Decision::Grant,
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Whether this connection takes connection requests at all.
#[must_use]
pub fn accepts(accepting: &BTreeSet<ConnectionId>, connection: ConnectionId) -> bool {
    accepting.contains(&connection)
}

/// The sender's bare JID, if it is allowed.
///
/// An IQ without `from` comes from the account's own server, in the account's name (RFC 6120 8.1.2.1): that is a sender
/// only where the account itself is listed.
#[must_use]
pub fn allowed_sender(allowed: &[Jid], from: Option<&str>, account: &BareJid) -> Option<BareJid> {
    match from {
        Some(from) => {
            let sender = Jid::new(from).ok()?;
            is_allowed(allowed, &sender).then(|| sender.to_bare())
        }
        None => is_listed(allowed, &Jid::from(account.clone())).then(|| account.clone()),
    }
}

/// Compares in a time that does not tell where the first difference is. An empty user name or password is one that is not
/// configured: nothing is the same as it.
fn is_same(configured: &Credentials, given: &GivenCredentials) -> bool {
    let (username, password) = (configured.username.expose(), configured.password.expose());
    if username.is_empty() || password.is_empty() {
        return false;
    }
    let username = username.as_bytes().ct_eq(given.username.as_bytes());
    let password = password.as_bytes().ct_eq(given.password.expose().as_bytes());
    (username & password).into()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
