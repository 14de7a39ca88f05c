//! What the router has to be asked to answer an IQ.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tracing::Span;

use super::context::ConnectionContext;
use super::status_row::StatusRow;
use crate::actors::messages::{AuthorizeRequest, DiscoAccess, DiscoQuery, Outcome};
use crate::cwmp::authorize::{Refusal, Request};
use crate::cwmp::sender::sender_name;
use crate::notice;
use crate::xmpp::outgoing::OutgoingIq;
use crate::xmpp::stanza::ReplyTo;

/// A question to the router. Its answer concerns the bound resource of this serial number.
pub(super) enum Question {
    /// Decides on a connection request, which is pending under `number`.
    Authorize { request: Request, serial: u64, number: u64, reply_to: Rc<ReplyTo> },
    /// Says what the sender of disco#info may learn.
    Disco { query: DiscoQuery, serial: u64, has_node: bool, reply_to: ReplyTo },
}

/// The reply that follows from the router's answer.
pub(super) struct Reply {
    /// The bound resource.
    pub(super) serial: u64,
    /// The number of the pending request.
    pub(super) number: Option<u64>,
    pub(super) iq: OutgoingIq,
}

impl Question {
    /// Asks the router, and returns the reply. The message is queued before this returns.
    pub(super) fn ask(
        self,
        context: &ConnectionContext,
        alias: &str,
        row: &StatusRow,
    ) -> LocalBoxFuture<'static, Reply> {
        match self {
            Self::Authorize { request, serial, number, reply_to } => {
                let account = request.account.clone();
                let message = AuthorizeRequest { request, alias: alias.to_owned(), span: Span::current() };
                let (asked, row) = (context.authorize.send(message), row.clone());
                let reply = async move {
                    let outcome = asked.await.ok();
                    if outcome.is_none() {
                        notice!(
                            "connection request from {} failed: the router crashed or is not running; the CWMP client may have been notified",
                            sender_name(reply_to.from.as_deref(), &account)
                        );
                        row.count(|stats| stats.notify_failed += 1);
                    }
                    Reply { serial, number: Some(number), iq: connection_request(&reply_to, outcome.as_ref()) }
                };
                reply.boxed_local()
            }
            Self::Disco { query, serial, has_node, reply_to } => {
                let asked = context.disco.send(query);
                let reply = async move {
                    let access = asked.await.ok().flatten();
                    Reply { serial, number: None, iq: disco_info(&reply_to, has_node, access) }
                };
                reply.boxed_local()
            }
        }
    }
}

/// The reply to a connection request.
fn connection_request(reply_to: &ReplyTo, outcome: Option<&Outcome>) -> OutgoingIq {
    match outcome {
        Some(Outcome::Accepted) => reply_to.result(),
        Some(Outcome::Refused(Refusal::Malformed)) => reply_to.bad_request(),
        Some(Outcome::Refused(Refusal::NoCredentials | Refusal::WrongCredentials)) => reply_to.not_authorized(),
        Some(Outcome::Refused(_) | Outcome::NotifyFailed(_)) | None => reply_to.service_unavailable(),
    }
}

/// The reply to disco#info. There are no nodes.
fn disco_info(reply_to: &ReplyTo, has_node: bool, access: Option<DiscoAccess>) -> OutgoingIq {
    match access {
        Some(access) if access.allowed && !has_node => reply_to.disco_info(access.accepts_requests),
        _ => reply_to.service_unavailable(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cwmp::notify::error::NotifyError;

    fn reply_to() -> ReplyTo {
        ReplyTo { id: Some("1".to_owned()), from: Some("acs@a.test/x".to_owned()) }
    }

    #[test]
    fn only_malformed_requests_and_wrong_credentials_have_refusals_of_their_own() {
        let to = reply_to();
        for (outcome, expected) in [
            (Some(Outcome::Accepted), to.result()),
            (Some(Outcome::Refused(Refusal::Malformed)), to.bad_request()),
            (Some(Outcome::Refused(Refusal::NoCredentials)), to.not_authorized()),
            (Some(Outcome::Refused(Refusal::WrongCredentials)), to.not_authorized()),
            (Some(Outcome::Refused(Refusal::NotAccepting)), to.service_unavailable()),
            (Some(Outcome::Refused(Refusal::UnlistedSender)), to.service_unavailable()),
            (Some(Outcome::Refused(Refusal::LockedOut { left: Duration::from_secs(1) })), to.service_unavailable()),
            (Some(Outcome::Refused(Refusal::Limit)), to.service_unavailable()),
            (Some(Outcome::NotifyFailed(NotifyError::NoNotifier)), to.service_unavailable()),
            (None, to.service_unavailable()),
        ] {
            assert_eq!(connection_request(&to, outcome.as_ref()), expected, "{outcome:?}");
        }
    }

    #[test]
    fn disco_info_tells_allowed_senders_alone_and_knows_no_nodes() {
        let to = reply_to();
        let access = |allowed, accepts_requests| Some(DiscoAccess { allowed, accepts_requests });
        assert_eq!(disco_info(&to, false, access(true, true)), to.disco_info(true));
        assert_eq!(disco_info(&to, false, access(true, false)), to.disco_info(false));
        for (has_node, access) in [(true, access(true, true)), (false, access(false, true)), (false, None)] {
            assert_eq!(disco_info(&to, has_node, access), to.service_unavailable());
        }
    }
}
