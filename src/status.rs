//! What each connection is doing, in TR-181's words (`Device.XMPP.Connection.{i}.`).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::config::model::ConnectionId;
use crate::cwmp::authorize::Refusal;
use crate::text::OneLine;

/// `Status`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Not enabled.
    #[default]
    Disabled,
    /// On its way to a server.
    Connecting,
    /// Bound.
    Enabled,
    /// Waiting before a retry.
    Dormant,
    /// No server could be resolved or reached in the last round.
    ServerNotPresent,
    /// The server refuses user name or password.
    ErrorAuthenticationFailure,
    /// Refused settings, TLS refused by policy, certificate not valid.
    ErrorMisconfigured,
    /// Any other error.
    Error,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "Disabled",
            Self::Connecting => "Connecting",
            Self::Enabled => "Enabled",
            Self::Dormant => "Dormant",
            Self::ServerNotPresent => "ServerNotPresent",
            Self::ErrorAuthenticationFailure => "Error_AuthenticationFailure",
            Self::ErrorMisconfigured => "Error_Misconfigured",
            Self::Error => "Error",
        })
    }
}

/// `Stats.`, and one count for each way a connection request can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Stanzas received (`ReceivedMessages`).
    pub received: u64,
    /// Stanzas sent (`TransmittedMessages`).
    pub transmitted: u64,
    /// Those received with type `error` (`ReceivedErrorMessages`).
    pub received_errors: u64,
    /// Those sent with type `error` (`TransmittedErrorMessages`).
    pub transmitted_errors: u64,
    /// Answers that nobody waited for.
    pub ignored: u64,
    /// Requests on a connection that takes none.
    pub refused_disabled: u64,
    /// Requests of senders that are not allowed.
    pub refused_sender: u64,
    /// Requests of senders that are locked out.
    pub refused_locked: u64,
    /// Requests that make no sense.
    pub refused_malformed: u64,
    /// Requests with wrong credentials.
    pub refused_credentials: u64,
    /// Requests over the limit.
    pub refused_limit: u64,
    /// Requests that the CWMP client could not be told of.
    pub notify_failed: u64,
    /// Requests that were granted.
    pub accepted: u64,
}

impl Stats {
    /// Counts a refused request.
    pub fn count(&mut self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::Disabled => &mut self.refused_disabled,
            Refusal::Sender => &mut self.refused_sender,
            Refusal::Locked => &mut self.refused_locked,
            Refusal::Malformed => &mut self.refused_malformed,
            Refusal::Credentials => &mut self.refused_credentials,
            Refusal::Limit => &mut self.refused_limit,
        };
        *counter += 1;
    }

    /// The counts with their names, in the order of the table in the man page.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("received", self.received),
            ("transmitted", self.transmitted),
            ("received_errors", self.received_errors),
            ("transmitted_errors", self.transmitted_errors),
            ("ignored", self.ignored),
            ("refused_disabled", self.refused_disabled),
            ("refused_sender", self.refused_sender),
            ("refused_locked", self.refused_locked),
            ("refused_malformed", self.refused_malformed),
            ("refused_credentials", self.refused_credentials),
            ("refused_limit", self.refused_limit),
            ("notify_failed", self.notify_failed),
            ("accepted", self.accepted),
        ]
    }
}

/// What there is to say about one connection.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// `Alias`
    pub alias: String,
    /// `Status`
    pub status: Status,
    /// When that was entered (`LastChangeDate`).
    pub since: Option<SystemTime>,
    /// The full JID; kept through an outage (`JabberID`).
    pub jid: Option<String>,
    /// Whether the present stream has TLS (`TLSEstablished`).
    pub tls: bool,
    /// The address in use.
    pub address: Option<String>,
    /// The number of the pass, from 1: each server is attempted once in a pass.
    pub attempt: u32,
    /// When the next attempt is due.
    pub next: Option<Instant>,
    /// The last error in words.
    pub error: Option<String>,
    /// The counts.
    pub stats: Stats,
    /// The connection is not meant to run: what a run that is on its way out does is not to be seen.
    inactive: bool,
}

/// The reports of all connections. It outlives the actors that write into it.
#[derive(Debug, Clone, Default)]
pub struct StatusTable(Arc<Mutex<BTreeMap<ConnectionId, Report>>>);

impl StatusTable {
    fn reports(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Report>> {
        // Numbers and words: a panic in between leaves nothing that would mislead.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a connection's report anew, but for what outlives an outage or a crash: its JID, its last error, its counts.
    pub fn begin(&self, id: ConnectionId, alias: &str) {
        let mut reports = self.reports();
        let report = reports.entry(id).or_default();
        alias.clone_into(&mut report.alias);
        report.tls = false;
        report.address = None;
        report.attempt = 0;
        report.next = None;
        report.inactive = false;
    }

    /// The report of a connection that is not meant to run; it stays so until its next run begins.
    pub fn set_inactive(&self, id: ConnectionId, alias: &str, status: Status, error: Option<&str>) {
        self.begin(id, alias);
        if let Some(error) = error {
            self.update(id, |report| report.error = Some(error.to_owned()));
        }
        self.enter(id, status);
        self.update(id, |report| report.inactive = true);
    }

    /// Changes one connection's report, if it was begun and is neither forgotten nor at rest: a connection that is on its
    /// way out must not bring itself back.
    pub fn update(&self, id: ConnectionId, change: impl FnOnce(&mut Report)) {
        if let Some(report) = self.reports().get_mut(&id).filter(|report| !report.inactive) {
            change(report);
        }
    }

    /// Enters a new status; entering the same one again does not change its date.
    pub fn enter(&self, id: ConnectionId, status: Status) {
        self.update(id, |report| {
            if report.since.is_none() || report.status != status {
                report.status = status;
                report.since = Some(SystemTime::now());
            }
        });
    }

    /// Forgets the connections that are no longer configured.
    pub fn retain(&self, keep: impl Fn(ConnectionId) -> bool) {
        self.reports().retain(|id, _| keep(*id));
    }

    /// A copy of everything.
    #[must_use]
    pub fn all(&self) -> BTreeMap<ConnectionId, Report> {
        self.reports().clone()
    }
}

/// The answer to `xmppd status`: a line `name: value` for each thing there is to say, an empty line between connections.
#[must_use]
pub fn render(reports: &BTreeMap<ConnectionId, Report>, now: Instant) -> String {
    if reports.is_empty() {
        return "no connections\n".to_owned();
    }
    let mut text = String::new();
    for (n, (id, report)) in reports.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        // Writing into a String does not fail.
        let _ = writeln!(text, "connection: {id}");
        let _ = writeln!(text, "alias: {}", OneLine(&report.alias));
        let _ = writeln!(text, "status: {}", report.status);
        let since = report.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
        let _ = writeln!(text, "since: {}", since.unwrap_or_default().as_secs());
        let _ = writeln!(text, "jid: {}", OneLine(report.jid.as_deref().unwrap_or("-")));
        let _ = writeln!(text, "tls: {}", report.tls);
        let _ = writeln!(text, "address: {}", OneLine(report.address.as_deref().unwrap_or("-")));
        let _ = writeln!(text, "attempt: {}", report.attempt);
        if let Some(next) = report.next {
            let _ = writeln!(text, "next attempt in: {:.1}", next.saturating_duration_since(now).as_secs_f64());
        }
        if let Some(error) = &report.error {
            let _ = writeln!(text, "error: {}", OneLine(error));
        }
        for (name, count) in report.stats.named() {
            let _ = writeln!(text, "{name}: {count}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
