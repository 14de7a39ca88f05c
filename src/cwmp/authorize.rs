//! Authorizes connection requests (TR-069 Annex K, CPE side): a pure function of settings, history, request and time.

use std::collections::VecDeque;
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

/// Why a request is refused, in the order in which the rules are checked. Each has its own text in the log.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// `id` does not name the connection.
    #[error("this connection does not accept connection requests (option 'id' does not name it)")]
    NotAccepting,
    /// The sender's address cannot be parsed.
    #[error("the sender is not a valid JID")]
    InvalidSender,
    /// `allowed_jid` does not match the sender.
    #[error("the sender is not in allowed_jid")]
    UnlistedSender,
    /// There is no `from`, and `allowed_jid` does not list the account.
    #[error("no sender, and allowed_jid does not list this account")]
    UnlistedAccount,
    /// The sender is locked out after wrong credentials.
    #[error("the sender is locked out for {} s more after too many wrong credentials", left.as_millis().div_ceil(1000))]
    LockedOut {
        /// Time until the end of the lock-out.
        left: Duration,
    },
    /// User name or password is missing, repeated, or contains elements.
    #[error("user name or password is missing, repeated, or contains elements")]
    Malformed,
    /// No credentials are configured.
    #[error("no user name and password are configured in the CWMP client's file (userid, passwd)")]
    NoCredentials,
    /// User name or password is wrong.
    #[error("wrong user name or password")]
    WrongCredentials,
    /// The CWMP client was notified `connreq_limit` times within `connreq_period`.
    #[error("the limit of notifications is reached (connreq_limit)")]
    Limit,
}

/// Past requests, as far as they decide later ones. Bounded: see [`Lockout`] for the senders; of the notifications the
/// last `connreq_limit` are kept. A changed `connreq_period` therefore applies to past notifications as well.
/// Notifications that a lower limit (or none) did not record are not counted after the limit is raised.
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

/// Decides whether the CWMP client is notified of a request, and updates the history.
///
/// `under_way`: a notification is in progress. The request shares it, so the limit does not apply.
///
/// # Errors
/// The first rule that the request breaks.
pub fn decide(
    general: &General,
    configured: Option<&Credentials>,
    history: &mut History,
    request: &Request,
    under_way: bool,
    now: Instant,
) -> Result<(), Refusal> {
    if !general.accepts_requests.contains(&request.connection) {
        return Err(Refusal::NotAccepting);
    }
    let sender = allowed_sender(&general.allowed, request.from.as_deref(), &request.account)?;
    if let Some(left) = history.lockout.time_left(&sender, now) {
        return Err(Refusal::LockedOut { left });
    }
    let given = request.credentials.as_ref().ok_or(Refusal::Malformed)?;
    if let Err(refusal) = check_credentials(configured, given) {
        history.lockout.record_failure(&sender, now);
        return Err(refusal);
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
}

/// Returns the sender's bare JID if the sender is allowed.
///
/// An IQ without `from` comes from the account's own server in the account's name (RFC 6120 8.1.2.1). It is allowed
/// only where the account itself is listed.
///
/// # Errors
/// Why the sender is not allowed.
pub fn allowed_sender(allowed: &[Jid], from: Option<&str>, account: &BareJid) -> Result<BareJid, Refusal> {
    let Some(from) = from else {
        let is_listed = is_listed(allowed, &Jid::from(account.clone()));
        return is_listed.then(|| account.clone()).ok_or(Refusal::UnlistedAccount);
    };
    let sender = Jid::new(from).map_err(|_| Refusal::InvalidSender)?;
    is_allowed(allowed, &sender).then(|| sender.to_bare()).ok_or(Refusal::UnlistedSender)
}

fn check_credentials(configured: Option<&Credentials>, given: &GivenCredentials) -> Result<(), Refusal> {
    let configured = configured.ok_or(Refusal::NoCredentials)?;
    credentials_match(configured, given).then_some(()).ok_or(Refusal::WrongCredentials)
}

/// Compares credentials in constant time. An empty configured user name or password matches nothing.
fn credentials_match(configured: &Credentials, given: &GivenCredentials) -> bool {
    let (username, password) = (configured.username.expose(), configured.password.expose());
    if username.is_empty() || password.is_empty() {
        return false;
    }
    let username = username.as_bytes().ct_eq(given.username.as_bytes());
    let password = password.as_bytes().ct_eq(given.password.expose().as_bytes());
    (username & password).into()
}

#[cfg(test)]
mod tests;
