//! The elements that a server sends, built from XML events as they arrive.
//!
//! Only what xmppd understands is kept. Unknown elements of any depth and size are skipped without building a tree. A
//! missing or invalid attribute is no parse error: most stanzas must be answered whatever they contain (RFC 6120
//! 8.2.3).
#![allow(clippy::option_option, reason = "in the expanded code of xso's derive")]

use xso::FromXml;

use super::error_condition::ErrorCondition;
use super::features::StreamFeatures;
use super::lenient::{Lenient, LenientBuilder};
use super::ns;
use super::payload::Payloads;

/// A child of the stream: a stanza, or a part of the negotiation.
pub type Element = Lenient<KnownElement>;

/// Builds an [`Element`].
pub type ElementBuilder = LenientBuilder<KnownElement>;

/// The children of the stream that xmppd understands.
#[derive(FromXml, Debug)]
#[xml()]
pub enum KnownElement {
    /// `<iq/>`
    #[xml(transparent)]
    Iq(IncomingIq),
    /// `<message/>`: never answered.
    #[xml(namespace = ns::CLIENT, name = "message", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Message {
        /// The stanza's type; `error` is counted.
        #[xml(attribute(name = "type", default))]
        type_: Option<String>,
    },
    /// `<presence/>`: never answered.
    #[xml(namespace = ns::CLIENT, name = "presence", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Presence {
        /// The stanza's type; `error` is counted.
        #[xml(attribute(name = "type", default))]
        type_: Option<String>,
    },
    /// `<stream:features/>`
    #[xml(transparent)]
    Features(StreamFeatures),
    /// `<stream:error/>`
    #[xml(transparent)]
    StreamError(IncomingStreamError),
    /// `<proceed/>`: the TLS handshake may begin (RFC 6120 5.4.2.3).
    #[xml(namespace = ns::TLS, name = "proceed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    TlsProceed,
    /// `<failure/>`: the server refuses STARTTLS (RFC 6120 5.4.2.2).
    #[xml(namespace = ns::TLS, name = "failure", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    TlsFailure,
    /// `<challenge/>` with base64 text (RFC 6120 6.4.3).
    #[xml(namespace = ns::SASL, name = "challenge")]
    SaslChallenge {
        /// base64
        #[xml(text)]
        data: String,
    },
    /// `<success/>` with base64 text (RFC 6120 6.4.6).
    #[xml(namespace = ns::SASL, name = "success")]
    SaslSuccess {
        /// base64
        #[xml(text)]
        data: String,
    },
    /// `<enabled/>`: stream management is on (XEP-0198 3).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "enabled", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementEnabled {
        /// The identifier for a resumption.
        #[xml(attribute(default))]
        id: Option<String>,
        /// Whether the stream can be resumed.
        #[xml(attribute(default))]
        resume: Option<String>,
    },
    /// `<failed/>`: stream management or resumption is refused (XEP-0198 3, 5).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "failed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementFailed,
    /// `<resumed/>` (XEP-0198 5).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "resumed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementResumed {
        /// The number of our stanzas that the server has handled, modulo 2^32. Some servers omit it.
        #[xml(attribute(default))]
        h: Option<String>,
        /// The identifier of the resumed stream.
        #[xml(attribute(default))]
        previd: Option<String>,
    },
    /// `<a/>`: the number of our stanzas that the server has handled (XEP-0198 4).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "a", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Acknowledgement {
        /// Modulo 2^32.
        #[xml(attribute)]
        h: u32,
    },
    /// `<r/>`: the server requests the number of its stanzas that we have handled (XEP-0198 4).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "r", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    AcknowledgementRequest,
    /// `<failure/>` (RFC 6120 6.4.5).
    #[xml(namespace = ns::SASL, name = "failure", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    SaslFailure {
        /// The defined condition and the text.
        #[xml(child(n = ..))]
        condition: ErrorCondition,
    },
}

impl KnownElement {
    /// The element's name, for the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Iq(_) => "<iq/>",
            Self::Message { .. } => "<message/>",
            Self::Presence { .. } => "<presence/>",
            Self::Features(_) => "stream features",
            Self::StreamError(_) => "a stream error",
            Self::TlsProceed => "<proceed/>",
            Self::TlsFailure | Self::SaslFailure { .. } => "<failure/>",
            Self::SaslChallenge { .. } => "<challenge/>",
            Self::SaslSuccess { .. } => "<success/>",
            Self::ManagementEnabled { .. } => "<enabled/>",
            Self::ManagementFailed => "<failed/>",
            Self::ManagementResumed { .. } => "<resumed/>",
            Self::Acknowledgement { .. } => "<a/>",
            Self::AcknowledgementRequest => "<r/>",
        }
    }
}

/// `<iq/>` (RFC 6120 8.2.3).
#[derive(FromXml, Debug)]
#[xml(namespace = ns::CLIENT, name = "iq", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct IncomingIq {
    /// `get`, `set`, `result`, `error`, or an invalid type.
    #[xml(attribute(name = "type", default))]
    pub type_: Option<String>,
    /// The request's identifier.
    #[xml(attribute(default))]
    pub id: Option<String>,
    /// The sender, as stamped by the server.
    #[xml(attribute(default))]
    pub from: Option<String>,
    /// The recipient: our full JID, or the account's bare JID.
    #[xml(attribute(default))]
    pub to: Option<String>,
    /// The child elements.
    #[xml(child(n = ..))]
    pub payloads: Payloads,
}

/// `<stream:error/>` (RFC 6120 4.9).
#[derive(FromXml, Debug, Clone)]
#[xml(namespace = ns::STREAM, name = "error", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct IncomingStreamError {
    /// The condition, and the server's text.
    #[xml(child(n = ..))]
    pub condition: ErrorCondition,
}

#[cfg(test)]
mod tests;
