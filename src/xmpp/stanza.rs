//! The kinds of received IQs, and the replies to them (RFC 6120 8.2.3, 8.3). Pure.

use super::incoming::IncomingIq;
use super::ns;
use super::outgoing::{Condition, Identity, OutgoingIq, OutgoingPayload};
use super::payload::{GivenCredentials, IncomingPayload, KnownPayload};

/// What a received IQ is.
#[derive(Debug)]
pub enum IqKind {
    /// A `result` or `error`, awaited or not. It is never answered.
    Answer {
        /// Its identifier.
        id: Option<String>,
        /// The sender.
        from: Option<String>,
    },
    /// A connection request (TR-069 Annex K); none = malformed.
    ConnectionRequest(Option<GivenCredentials>),
    /// disco#info (XEP-0030).
    DiscoInfo {
        /// Whether it asks for a node; xmppd has none.
        has_node: bool,
    },
    /// XEP-0199.
    Ping,
    /// Not a valid request: no child, or several, or an unknown type.
    BadRequest,
    /// Any other request.
    Unsupported,
}

/// Classifies a received IQ, and moves what that takes out of it. A request keeps its addresses.
#[must_use]
pub fn classify(iq: &mut IncomingIq) -> IqKind {
    let get = match iq.type_.as_deref() {
        Some("get") => true,
        Some("set") => false,
        Some("result" | "error") => return IqKind::Answer { id: iq.id.take(), from: iq.from.take() },
        _ => return IqKind::BadRequest,
    };
    if iq.payloads.count != 1 {
        return IqKind::BadRequest;
    }
    match iq.payloads.first.take() {
        // `set` is answered like `get`: deployed ACSs are not all strict.
        Some(IncomingPayload::Known(KnownPayload::ConnectionRequest(request))) => {
            IqKind::ConnectionRequest(request.into_credentials())
        }
        Some(IncomingPayload::Known(KnownPayload::Ping)) if get => IqKind::Ping,
        Some(IncomingPayload::Known(KnownPayload::DiscoInfo { node })) if get => {
            IqKind::DiscoInfo { has_node: node.is_some() }
        }
        _ => IqKind::Unsupported,
    }
}

/// Where the reply to a request goes, and the replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// The request's `id`.
    pub id: Option<String>,
    /// The request's `from`.
    pub from: Option<String>,
}

impl ReplyTo {
    /// The address of the reply to this IQ.
    #[must_use]
    pub fn of(iq: &IncomingIq) -> Self {
        Self { id: iq.id.clone(), from: iq.from.clone() }
    }

    /// Approximate memory use, bytes.
    #[must_use]
    pub fn memory_cost(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>() + text(&self.id) + text(&self.from)
    }

    fn iq(&self, type_: &'static str, payload: Vec<OutgoingPayload>) -> OutgoingIq {
        OutgoingIq { type_, id: self.id.clone(), to: self.from.clone(), payload }
    }

    /// An empty `result`.
    #[must_use]
    pub fn result(&self) -> OutgoingIq {
        self.iq("result", Vec::new())
    }

    /// `service-unavailable`: cancel, 503.
    #[must_use]
    pub fn service_unavailable(&self) -> OutgoingIq {
        self.error("cancel", Some(503), Condition::ServiceUnavailable)
    }

    /// `not-authorized`: cancel, 401.
    #[must_use]
    pub fn not_authorized(&self) -> OutgoingIq {
        self.error("cancel", Some(401), Condition::NotAuthorized)
    }

    /// `bad-request`: modify.
    #[must_use]
    pub fn bad_request(&self) -> OutgoingIq {
        self.error("modify", None, Condition::BadRequest)
    }

    /// Identity and features (XEP-0030 3.1).
    #[must_use]
    pub fn disco_info(&self, accepts_requests: bool) -> OutgoingIq {
        let mut features = vec![ns::DISCO_INFO.to_owned(), ns::PING.to_owned()];
        if accepts_requests {
            features.push(ns::CONNECTION_REQUEST.to_owned());
        }
        let identity = Identity { category: "client", type_: "bot", name: "xmppd" };
        self.iq("result", vec![OutgoingPayload::DiscoInfo { identity, features }])
    }

    fn error(&self, type_: &'static str, code: Option<u16>, condition: Condition) -> OutgoingIq {
        self.iq("error", vec![OutgoingPayload::Error { type_, code, condition }])
    }
}

#[cfg(test)]
mod tests;
