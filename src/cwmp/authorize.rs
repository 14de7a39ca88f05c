//! Authorizes connection requests (TR-069 Annex K, CPE side): a pure function of settings, history, request and time.

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

/// A connection request received on a connection.
#[derive(Debug)]
pub struct Request {
    /// The connection that received it.
    pub connection: ConnectionId,
    /// The account of that connection.
    pub account: BareJid,
    /// The sender as stamped by the server; `None`: the account's own server (RFC 6120 8.1.2.1).
    pub from: Option<String>,
    /// The credentials in the request; `None` if the request is malformed.
    pub credentials: Option<GivenCredentials>,
}

/// The decision, made before the CWMP client is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Notify the CWMP client, then answer with its outcome.
    Grant,
    /// Answer with an error.
    Refuse(Refusal),
}

/// The reason of a refusal, in the order in which the rules are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Connection requests are not enabled on this connection.
    Disabled,
    /// The sender is not allowed.
    Sender,
    /// The sender is locked out after wrong credentials.
    Locked,
    /// User name or password is missing, repeated, or contains elements.
    Malformed,
    /// User name or password is wrong, or none is configured.
    Credentials,
    /// The CWMP client was notified `connreq_limit` times within `connreq_period`.
    Limit,
}

impl Refusal {
    /// The reason in words, for the log.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Disabled => "connection requests are not enabled on this connection (option 'id')",
            Self::Sender => "the sender is not in allowed_jid",
            Self::Locked => "the sender is locked out after too many wrong credentials",
            Self::Malformed => "user name or password is missing, repeated, or contains elements",
            Self::Credentials => "wrong user name or password, or none configured",
            Self::Limit => "the limit of notifications is reached (connreq_limit)",
        }
    }
}

/// Past requests, as far as they decide later ones. Bounded: see [`Lockout`] for the senders; of the notifications the last
/// `connreq_limit` are kept. A changed `connreq_period` therefore applies to past notifications as well. Notifications that
/// a lower limit (or none) did not record are not counted after the limit is raised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    lockout: Lockout,
    notified: VecDeque<Instant>,
}

impl History {
    /// Whether the CWMP client was notified `limit` times within the last `period`.
    fn is_rate_limited(&self, limit: usize, period: Duration, now: Instant) -> bool {
        let nth_last = self.notified.len().checked_sub(limit).and_then(|n| self.notified.get(n));
        nth_last.is_some_and(|at| now.duration_since(*at) < period)
    }

    fn record_notification(&mut self, limit: usize, now: Instant) {
        self.notified.push_back(now);
        while self.notified.len() > limit {
            self.notified.pop_front();
        }
    }
}

/// Decides on a request and updates the history.
///
/// `under_way`: a notification is in progress. The request shares it, so the limit does not apply.
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
        if !configured.is_some_and(|configured| matches(configured, given)) {
            history.lockout.record_failure(&sender, now);
            return Err(Refusal::Credentials);
        }
        history.lockout.record_success(&sender);
        if !under_way && general.limit != 0 {
            let limit = usize::from(general.limit);
            if history.is_rate_limited(limit, general.period, now) {
                return Err(Refusal::Limit);
            }
            history.record_notification(limit, now);
        }
        Ok(())
    };
    match check() {
        Ok(()) => Decision::Grant,
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Whether connection requests are enabled on this connection.
#[must_use]
pub fn accepts(accepting: &BTreeSet<ConnectionId>, connection: ConnectionId) -> bool {
    accepting.contains(&connection)
}

/// Returns the sender's bare JID if the sender is allowed.
///
/// An IQ without `from` comes from the account's own server in the account's name (RFC 6120 8.1.2.1). It is allowed only
/// where the account itself is listed.
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

/// Compares credentials in constant time. An empty configured user name or password matches nothing.
fn matches(configured: &Credentials, given: &GivenCredentials) -> bool {
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
