//! What is known of one connection, in TR-181's words (`Device.XMPP.Connection.{i}.`).

use std::fmt;

use tokio::time::Instant;

use super::daemon::Crash;
use crate::cwmp::authorize::Refusal;

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
    /// No server could be resolved or reached in the last pass.
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
    /// Answers to no request.
    pub ignored: u64,
    /// Requests on a connection that does not accept them.
    pub refused_disabled: u64,
    /// Requests of senders that are not allowed.
    pub refused_sender: u64,
    /// Requests of senders that are locked out.
    pub refused_locked: u64,
    /// Malformed requests.
    pub refused_malformed: u64,
    /// Requests with wrong credentials.
    pub refused_credentials: u64,
    /// Requests over the limit.
    pub refused_limit: u64,
    /// Requests of which the CWMP client could not be notified.
    pub notify_failed: u64,
    /// Requests of which the CWMP client was notified.
    pub accepted: u64,
}

impl Stats {
    /// Counts a refused request.
    pub fn count(&mut self, refusal: Refusal) {
        *self.counter(refusal).1 += 1;
    }

    /// The name of the count of a refusal.
    #[must_use]
    pub fn name_of(refusal: Refusal) -> &'static str {
        Self::default().counter(refusal).0
    }

    fn counter(&mut self, refusal: Refusal) -> (&'static str, &mut u64) {
        match refusal {
            Refusal::NotAccepting => ("refused_disabled", &mut self.refused_disabled),
            Refusal::InvalidSender | Refusal::UnlistedSender | Refusal::UnlistedAccount => {
                ("refused_sender", &mut self.refused_sender)
            }
            Refusal::LockedOut { .. } => ("refused_locked", &mut self.refused_locked),
            Refusal::Malformed => ("refused_malformed", &mut self.refused_malformed),
            Refusal::NoCredentials | Refusal::WrongCredentials => {
                ("refused_credentials", &mut self.refused_credentials)
            }
            Refusal::Limit => ("refused_limit", &mut self.refused_limit),
        }
    }

    /// The counts with their names, in the order of the man page.
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

/// What is known of one connection.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// `Alias`
    pub alias: String,
    /// The account that the connection logs in to: `username@domain`.
    pub account: String,
    /// `Status`
    pub status: Status,
    /// When the status was entered (`LastChangeDate`).
    pub since: Option<Instant>,
    /// The full JID; kept through an outage (`JabberID`).
    pub jid: Option<String>,
    /// Whether the present stream has TLS (`TLSEstablished`).
    pub tls: bool,
    /// The address in use.
    pub address: Option<String>,
    /// The number of the pass, from 1; a pass attempts each server once. Shown as `attempt`.
    pub pass: u32,
    /// When the next attempt is due.
    pub next: Option<Instant>,
    /// The last error in words.
    pub error: Option<String>,
    /// How often the connection was restarted after a crash.
    pub restarts: u32,
    /// Its last crash.
    pub crash: Option<Crash>,
    /// The counts.
    pub stats: Stats,
    /// The connection is not meant to run: changes by a run that is about to end are ignored.
    pub(super) inactive: bool,
}
