//! What an IQ asks of us, and the answers (RFC 6120 8.2.3, 8.3). Pure.

use super::incoming::Iq;
use super::ns;
use super::outgoing::{Condition, Identity, Iq as OutIq, Payload as OutPayload};
use super::payload::{GivenCredentials, Known, Payload};

/// What an IQ asks of us.
#[derive(Debug)]
pub enum Meaning {
    /// An answer to something, awaited or not. It is never answered.
    Answer {
        /// Its identifier.
        id: Option<String>,
        /// The sender.
        from: Option<String>,
    },
    /// A connection request (TR-069 Annex K); none = malformed.
    ConnectionRequest(Option<GivenCredentials>),
    /// disco#info; with a node, which we have none of.
    DiscoInfo {
        /// Whether a node was asked for.
        node: bool,
    },
    /// XEP-0199.
    Ping,
    /// Not a request at all: no child, or several, or no known type.
    BadRequest,
    /// Anything else.
    Unsupported,
}

/// Reads what an IQ asks of us. The addresses are left in it.
#[must_use]
pub fn meaning(iq: &mut Iq) -> Meaning {
    let get = match iq.type_.as_deref() {
        Some("get") => true,
        Some("set") => false,
        Some("result" | "error") => return Meaning::Answer { id: iq.id.take(), from: iq.from.take() },
        _ => return Meaning::BadRequest,
    };
    if iq.payloads.count != 1 {
        return Meaning::BadRequest;
    }
    match iq.payloads.first.take() {
        // `set` is answered like `get`: deployed ACSs are not all strict.
        Some(Payload::Known(Known::ConnectionRequest(request))) => {
            Meaning::ConnectionRequest(request.into_credentials())
        }
        Some(Payload::Known(Known::Ping)) if get => Meaning::Ping,
        Some(Payload::Known(Known::DiscoInfo { node })) if get => Meaning::DiscoInfo { node: node.is_some() },
        _ => Meaning::Unsupported,
    }
}

/// Whom an answer goes to: the request's id and sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// The request's `id`.
    pub id: Option<String>,
    /// The request's `from`.
    pub from: Option<String>,
}

impl ReplyTo {
    /// The address of the answer to this request.
    #[must_use]
    pub fn of(iq: &Iq) -> Self {
        Self { id: iq.id.clone(), from: iq.from.clone() }
    }

    /// About how many bytes it takes to keep it.
    #[must_use]
    pub fn memory_cost(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>() + text(&self.id) + text(&self.from)
    }

    fn iq(&self, type_: &'static str, payload: Vec<OutPayload>) -> OutIq {
        OutIq { type_, id: self.id.clone(), to: self.from.clone(), payload }
    }

    /// Yes, and nothing more.
    #[must_use]
    pub fn result(&self) -> OutIq {
        self.iq("result", Vec::new())
    }

    /// `service-unavailable`: cancel, 503.
    #[must_use]
    pub fn service_unavailable(&self) -> OutIq {
        self.error("cancel", Some(503), Condition::ServiceUnavailable)
    }

    /// `not-authorized`: cancel, 401.
    #[must_use]
    pub fn not_authorized(&self) -> OutIq {
        self.error("cancel", Some(401), Condition::NotAuthorized)
    }

    /// `bad-request`: modify.
    #[must_use]
    pub fn bad_request(&self) -> OutIq {
        self.error("modify", None, Condition::BadRequest)
    }

    /// Who we are and what we can do (XEP-0030 3.1).
    #[must_use]
    pub fn disco_info(&self, takes_connection_requests: bool) -> OutIq {
        let mut features = vec![ns::DISCO_INFO.to_owned(), ns::PING.to_owned()];
        if takes_connection_requests {
            features.push(ns::CONNECTION_REQUEST.to_owned());
        }
        let identity = Identity { category: "client", type_: "bot", name: "xmppd" };
        self.iq("result", vec![OutPayload::DiscoInfo { identity, features }])
    }

    fn error(&self, type_: &'static str, code: Option<u16>, condition: Condition) -> OutIq {
        self.iq("error", vec![OutPayload::Error { type_, code, condition }])
    }
}

#[cfg(test)]
mod tests;
