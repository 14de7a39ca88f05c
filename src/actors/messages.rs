//! The messages between the actors. Those of supervisors are in [`crate::supervision::messages`].

use std::time::Duration;

use actix::Message;
use jid::BareJid;
use tracing::Span;

use super::reload_report::ReloadReport;
use crate::config::model::{ConnectionId, General, Notify};
use crate::cwmp::authorize::{Refusal, Request};
use crate::cwmp::credentials::Credentials;
use crate::cwmp::notify::command::NotifyContext;
use crate::cwmp::notify::error::NotifyError;
use crate::document::Table;
use crate::status::StatusChange;

/// To the config actor: read both files again (SIGHUP).
#[derive(Debug, Clone, Copy)]
pub struct Reload;

impl Message for Reload {
    type Result = ();
}

/// To the config actor: read both files now, without waiting for them to settle, and answer what came of it. None if the
/// actor is stopped meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct ReloadNow;

impl Message for ReloadNow {
    type Result = Option<ReloadReport>;
}

/// To the owner of the bus: something happened that an event announces.
#[derive(Debug, Clone)]
pub enum Announce {
    /// A connection entered another status.
    Status(StatusChange),
    /// A connection request was decided on.
    Request {
        /// The connection.
        connection: ConnectionId,
        /// The sender's JID.
        from: String,
        /// The name of the count that the request is in: `accepted`, `refused_sender`, ...
        outcome: &'static str,
    },
    /// A configuration file was taken up or refused.
    Config(Table),
}

impl Message for Announce {
    type Result = ();
}

/// To a connection: shorten a present retry wait, the network is back.
#[derive(Debug, Clone, Copy)]
pub struct Reconnect;

impl Message for Reconnect {
    type Result = ();
}

/// What the router decides by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Section `config xmpp 'xmpp'`.
    pub general: General,
    /// `/etc/config/cwmp`; none if no credentials are configured.
    pub credentials: Option<Credentials>,
}

/// To the router: new rules, from the next request on.
pub struct SetRules(pub Rules);

impl Message for SetRules {
    type Result = ();
}

/// To the router: decide on a connection request.
pub struct AuthorizeRequest {
    /// The request.
    pub request: Request,
    /// `con_alias` of the connection, for the program.
    pub alias: String,
    /// The span of the connection, for the log.
    pub span: Span,
}

/// The result of a connection request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The CWMP client was notified.
    Accepted,
    /// The request was refused.
    Refused(Refusal),
    /// Notifying the CWMP client failed.
    NotifyFailed(NotifyError),
}

impl Message for AuthorizeRequest {
    type Result = Outcome;
}

/// To the router: what a sender of disco#info may learn.
pub struct DiscoQuery {
    /// The connection.
    pub connection: ConnectionId,
    /// The account that was asked.
    pub account: BareJid,
    /// The sender; none = the account's own server.
    pub from: Option<String>,
}

/// The answer to [`DiscoQuery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscoAccess {
    /// The sender is in `allowed_jid`.
    pub allowed: bool,
    /// The connection accepts connection requests.
    pub accepts_requests: bool,
}

impl Message for DiscoQuery {
    type Result = Option<DiscoAccess>;
}

/// To the notifier: notify the CWMP client of a connection request.
pub struct NotifyClient {
    /// How.
    pub notify: Notify,
    /// Longest time that the program may take.
    pub limit: Duration,
    /// The request.
    pub context: NotifyContext,
}

impl Message for NotifyClient {
    type Result = Result<(), NotifyError>;
}
