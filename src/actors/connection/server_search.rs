//! Which server a connection attempts next, and when: what follows from lookups, attempts and streams that fail. Pure, but
//! for the random waits, the clock and the log.
//!
//! An attempt is made at one server; a pass attempts each server of the list once.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::{Failure, status_of};
use super::outage::{Line, OutageLog, Recovery};
use super::server_list::ServerList;
use crate::config::model::{ConnectionSettings, Retry};
use crate::random;
use crate::status::Status;
use crate::text::in_words;
use crate::xmpp::attempt::{AttemptError, Cause};
use crate::xmpp::established::StreamEnd;
use crate::xmpp::resolve::{Query, ResolveError};
use crate::xmpp::retry::{NextTry, RetryPolicy};
use crate::xmpp::servers::{ResolvedServer, Target};
use crate::xmpp::stream_error::{Consequence, consequence};

/// Maximum number of consecutive redirects that are followed (RFC 6120 4.9.3.19 asks for a limit).
const MAX_REDIRECTS: u8 = 3;

/// What the connection does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// Attempt the present server.
    Attempt,
    /// Look up the server that `see-other-host` named and attempt it, then the rest of the pass.
    Redirect(Target),
    /// Begin a new pass at once, with a full TLS handshake.
    Reset,
    /// Attempt the next server of the pass at once. The status shows the error, and stays `Connecting`.
    NextServer { error: String },
    /// Wait. The status shows the failure through the wait.
    Wait { wait: Duration, then: AfterWait, failure: Failure },
}

/// What follows a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterWait {
    /// An attempt at the next server of the pass.
    NextServer,
    /// A new pass.
    NewPass,
}

/// The servers of a connection, and how the attempts at them have ended.
pub(super) struct ServerSearch {
    pub(super) policy: RetryPolicy,
    servers: ServerList,
    /// What the present pass shows when its last server fails as well.
    pass_failure: Option<Failure>,
    /// Consecutive redirects.
    redirects: u8,
    /// A `reset` was followed; the next one is not, until a stream was lost in between.
    was_reset: bool,
    outage: OutageLog,
}

impl ServerSearch {
    pub(super) fn new(retry: Retry) -> Self {
        Self {
            policy: RetryPolicy::new(retry),
            servers: ServerList::default(),
            pass_failure: None,
            redirects: 0,
            was_reset: false,
            outage: OutageLog::default(),
        }
    }

    /// The server that is attempted.
    pub(super) fn present(&self) -> Option<&ResolvedServer> {
        self.servers.present()
    }

    /// The remaining wait when the network has come back. Never longer: an interface that goes up and down must not put off
    /// the next attempt.
    pub(super) fn shorten_wait(&self, remaining: Duration) -> Duration {
        remaining.min(self.policy.shorten_wait(&mut random::rng()))
    }

    /// Begins a pass. Returns what to look up for it.
    pub(super) fn begin_pass(&mut self, settings: &ConnectionSettings, ascii_domain: &str) -> Query {
        self.redirects = 0;
        self.pass_failure = None;
        self.servers.query(settings, ascii_domain)
    }

    /// The servers of the pass were looked up.
    pub(super) fn resolved(
        &mut self,
        result: Result<Vec<ResolvedServer>, ResolveError>,
        settings: &ConnectionSettings,
    ) -> Transition {
        match result {
            Ok(servers) => {
                self.servers.begin_pass(servers);
                tracing::debug!("servers: {}", self.servers);
                Transition::Attempt
            }
            Err(error) => {
                self.servers.lookup_failed(&error, settings);
                let next = self.policy.attempt_failed(true, Duration::ZERO, &mut random::rng());
                self.lookup_failed(&error, next)
            }
        }
    }

    /// The server of a redirect was looked up.
    pub(super) fn redirect_resolved(
        &mut self,
        result: Result<Vec<ResolvedServer>, ResolveError>,
        settings: &ConnectionSettings,
    ) -> Transition {
        match result {
            Ok(servers) => {
                self.servers.redirect(servers);
                Transition::Attempt
            }
            Err(error) => {
                let next = self.next_server(Duration::ZERO, settings);
                self.lookup_failed(&error, next)
            }
        }
    }

    fn lookup_failed(&mut self, error: &ResolveError, next: NextTry) -> Transition {
        let failure = Failure::new(Status::ServerNotPresent, error);
        self.log_failure(&format!(": {}", failure.error), next);
        self.proceed(failure, next)
    }

    /// The attempt at the present server failed; `at` is its address.
    pub(super) fn attempt_failed(
        &mut self,
        at: &dyn fmt::Display,
        error: &AttemptError,
        settings: &ConnectionSettings,
    ) -> Transition {
        let mut floor = Duration::ZERO;
        if let Cause::StreamError(condition) = &error.cause {
            match consequence(condition) {
                Consequence::SeeOther(target) if self.follows_redirect(&target) => return Transition::Redirect(target),
                Consequence::Conflict => floor = self.policy.floor_after_conflict(),
                _ => {}
            }
        }
        let status = status_of(error);
        if status == Status::ErrorAuthenticationFailure {
            floor = self.policy.floor_after_refusal();
        }
        let next = self.next_server(floor, settings);
        let failure = Failure::new(status, error);
        self.log_failure(&format!(" at {at}: {}", failure.error), next);
        self.proceed(failure, next)
    }

    /// Logs a failed attempt: `failure` follows the words.
    fn log_failure(&mut self, failure: &str, next: NextTry) {
        let outlook = Outlook(next);
        match self.outage.attempt_failed(failure, Instant::now()) {
            Line::Full => tracing::warn!("attempt failed{failure}; {outlook}"),
            Line::Reminder(lasts, attempts) => tracing::warn!(
                "still not connected after {} and {attempts} attempts: the last one failed{failure}; {outlook}",
                in_words(lasts)
            ),
            Line::Folded => tracing::debug!("attempt failed{failure}; {outlook}"),
        }
    }

    /// A stream was established.
    pub(super) fn online(&mut self) -> Recovery {
        self.servers.online();
        self.outage.online(Instant::now())
    }

    /// An established stream ended, after it had lived this long.
    pub(super) fn stream_ended(
        &mut self,
        end: &StreamEnd,
        lived: Duration,
        settings: &ConnectionSettings,
    ) -> Transition {
        let consequence = match end {
            StreamEnd::StreamError(condition) => consequence(condition),
            StreamEnd::Closed | StreamEnd::ClosedByServer | StreamEnd::Fault(_) | StreamEnd::Count(_) => {
                Consequence::Lost
            }
        };
        if self.policy.settle(lived) {
            self.redirects = 0;
            // The servers were looked up too long ago.
            self.servers.clear();
        }
        match consequence {
            Consequence::SeeOther(target) if self.follows_redirect(&target) => return Transition::Redirect(target),
            Consequence::Reset if !self.was_reset => {
                tracing::info!("the server resets the stream; connecting again at once");
                self.was_reset = true;
                return Transition::Reset;
            }
            _ => self.was_reset = false,
        }
        let rng = &mut random::rng();
        let (status, next) = match consequence {
            Consequence::Conflict => (Status::Error, self.policy.stream_lost(self.policy.floor_after_conflict(), rng)),
            Consequence::FailedAttempt => (Status::Error, self.next_server(Duration::ZERO, settings)),
            Consequence::SeeOther(_) | Consequence::Reset | Consequence::Lost => {
                (Status::Dormant, self.policy.stream_lost(Duration::ZERO, rng))
            }
        };
        self.outage.stream_lost(Instant::now());
        let failure = Failure::new(status, end);
        tracing::warn!("stream lost after {} s: {}; {}", lived.as_secs(), failure.error, Outlook(next));
        self.proceed(failure, next)
    }

    /// Whether one more redirect is followed.
    fn follows_redirect(&mut self, target: &Target) -> bool {
        self.redirects = self.redirects.saturating_add(1);
        let follows = self.redirects <= MAX_REDIRECTS;
        if follows {
            tracing::info!("the server redirects to {target}");
        } else {
            tracing::warn!("redirected more than {MAX_REDIRECTS} times in a row");
        }
        follows
    }

    /// What follows a failed attempt at the present server.
    fn next_server(&mut self, floor: Duration, settings: &ConnectionSettings) -> NextTry {
        let next = self.policy.attempt_failed(self.servers.is_last(), floor, &mut random::rng());
        if matches!(next, NextTry::Pass(_)) {
            self.servers.pass_failed(settings.retry.attempts);
        }
        next
    }

    fn proceed(&mut self, failure: Failure, next: NextTry) -> Transition {
        self.redirects = 0;
        let pass_failure = failure.clone().after(self.pass_failure.take());
        match next {
            NextTry::Server(wait) => {
                self.servers.advance();
                self.pass_failure = Some(pass_failure);
                if wait.is_zero() {
                    Transition::NextServer { error: failure.error }
                } else {
                    Transition::Wait { wait, then: AfterWait::NextServer, failure }
                }
            }
            NextTry::Pass(wait) => Transition::Wait { wait, then: AfterWait::NewPass, failure: pass_failure },
        }
    }
}

/// What follows a failure, for the log.
struct Outlook(NextTry);

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NextTry::Server(Duration::ZERO) => f.write_str("trying the next server"),
            next => write!(f, "next try in {:.1} s", next.wait().as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests;
