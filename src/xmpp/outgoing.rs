//! The elements that xmppd sends.

use std::borrow::Cow;

use secrecy::zeroize::Zeroizing;
use xso::{AsXml, AsXmlText};

use super::ns;

/// `<starttls/>` (RFC 6120 5.4.2.1).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::TLS, name = "starttls")]
pub struct StartTls;

/// `<auth/>` (RFC 6120 6.4.2). No `Debug`: it may hold the password.
#[derive(AsXml)]
#[xml(namespace = ns::SASL, name = "auth")]
pub struct SaslAuth {
    /// The mechanism's name.
    #[xml(attribute)]
    pub mechanism: &'static str,
    /// base64; `=` stands for an empty initial response.
    #[xml(text)]
    pub data: SaslData,
}

/// base64 that may hold the password: wiped when dropped, and without `Debug`.
pub struct SaslData(pub Zeroizing<String>);

impl AsXmlText for SaslData {
    fn as_xml_text(&self) -> Result<Cow<'_, str>, xso::error::Error> {
        Ok(Cow::Borrowed(&self.0))
    }
}

/// `<response/>` (RFC 6120 6.4.3).
#[derive(AsXml)]
#[xml(namespace = ns::SASL, name = "response")]
pub struct SaslResponse {
    /// base64
    #[xml(text)]
    pub data: SaslData,
}

/// `<enable/>`: enables stream management (XEP-0198 3).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::STREAM_MANAGEMENT, name = "enable")]
pub struct Enable {
    /// Whether the stream should be resumable.
    #[xml(attribute)]
    pub resume: &'static str,
}

/// `<resume/>` (XEP-0198 5).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::STREAM_MANAGEMENT, name = "resume")]
pub struct Resume {
    /// Number of handled stanzas, modulo 2^32.
    #[xml(attribute)]
    pub h: u32,
    /// The identifier of the stream to resume.
    #[xml(attribute)]
    pub previd: String,
}

/// `<a/>`: acknowledges stanzas (XEP-0198 4).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::STREAM_MANAGEMENT, name = "a")]
pub struct Acknowledgement {
    /// Number of handled stanzas, modulo 2^32.
    #[xml(attribute)]
    pub h: u32,
}

/// `<r/>`: asks for an acknowledgement (XEP-0198 4).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::STREAM_MANAGEMENT, name = "r")]
pub struct AcknowledgementRequest;

/// A stanza, which stream management counts.
#[derive(AsXml, Debug, Clone, PartialEq, Eq)]
#[xml()]
pub enum Stanza {
    /// `<iq/>`
    #[xml(transparent)]
    Iq(OutgoingIq),
    /// `<presence/>`
    #[xml(transparent)]
    Presence(Presence),
}

impl Stanza {
    /// Approximate memory use, bytes.
    #[must_use]
    pub fn memory_cost(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Iq(iq) => size_of::<Self>() + text(&iq.id) + text(&iq.to),
            Self::Presence(_) => size_of::<Self>(),
        }
    }

    /// Whether it is of type `error`.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Iq(iq) if iq.type_ == "error")
    }
}

/// The initial presence (RFC 6121 4.2).
#[derive(AsXml, Debug, Clone, PartialEq, Eq)]
#[xml(namespace = ns::CLIENT, name = "presence")]
pub struct Presence {
    /// -128 to 127; with a negative one no messages to the bare JID arrive (RFC 6121 4.7.2.3).
    #[xml(extract(name = "priority", fields(text(type_ = i8))))]
    pub priority: i8,
}

/// An `<iq/>`.
#[derive(AsXml, Debug, Clone, PartialEq, Eq)]
#[xml(namespace = ns::CLIENT, name = "iq")]
pub struct OutgoingIq {
    /// `get`, `set`, `result` or `error`.
    #[xml(attribute(name = "type"))]
    pub type_: &'static str,
    /// The identifier; a reply has that of its request.
    #[xml(attribute)]
    pub id: Option<String>,
    /// The recipient; none = the account's own server.
    #[xml(attribute)]
    pub to: Option<String>,
    /// The payload, if any.
    #[xml(child(n = ..))]
    pub payload: Vec<OutgoingPayload>,
}

/// The payload of an IQ.
#[derive(AsXml, Debug, Clone, PartialEq, Eq)]
#[xml()]
pub enum OutgoingPayload {
    /// A bind request (RFC 6120 7.6, 7.7).
    #[xml(namespace = ns::BIND, name = "bind")]
    Bind {
        /// The requested resource; none = the server chooses.
        #[xml(extract(default, name = "resource", fields(text(type_ = String))))]
        resource: Option<String>,
    },
    /// The session request (RFC 3921 3).
    #[xml(namespace = ns::SESSION, name = "session")]
    Session,
    /// XEP-0199.
    #[xml(namespace = ns::PING, name = "ping")]
    Ping,
    /// The answer to disco#info (XEP-0030 3.1).
    #[xml(namespace = ns::DISCO_INFO, name = "query")]
    DiscoInfo {
        /// The identity of xmppd.
        #[xml(child)]
        identity: Identity,
        /// The supported namespaces.
        #[xml(extract(n = .., name = "feature", fields(attribute(name = "var", type_ = String))))]
        features: Vec<String>,
    },
    /// A stanza error (RFC 6120 8.3).
    #[xml(namespace = ns::CLIENT, name = "error")]
    Error {
        /// RFC 6120 8.3.2
        #[xml(attribute(name = "type"))]
        type_: &'static str,
        /// Legacy error code (XEP-0086), which deployed ACSs read.
        #[xml(attribute)]
        code: Option<u16>,
        /// The condition, always the first child.
        #[xml(child)]
        condition: Condition,
    },
}

/// A disco#info identity (XEP-0030 3.1).
#[derive(AsXml, Debug, Clone, PartialEq, Eq)]
#[xml(namespace = ns::DISCO_INFO, name = "identity")]
pub struct Identity {
    /// Category.
    #[xml(attribute)]
    pub category: &'static str,
    /// Type within the category.
    #[xml(attribute(name = "type"))]
    pub type_: &'static str,
    /// Human-readable name.
    #[xml(attribute)]
    pub name: &'static str,
}

/// The stanza error conditions that xmppd uses (RFC 6120 8.3.3).
#[derive(AsXml, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(namespace = ns::STANZA_ERRORS)]
pub enum Condition {
    /// 8.3.3.1
    #[xml(name = "bad-request")]
    BadRequest,
    /// 8.3.3.11
    #[xml(name = "not-authorized")]
    NotAuthorized,
    /// 8.3.3.19
    #[xml(name = "service-unavailable")]
    ServiceUnavailable,
}

/// A stream error, sent before the stream is closed (RFC 6120 4.9.1).
#[derive(AsXml, Debug)]
#[xml(namespace = ns::STREAM, name = "error")]
pub struct OutgoingStreamError {
    /// The condition.
    #[xml(child)]
    pub condition: StreamCondition,
}

/// The stream error conditions that xmppd uses (RFC 6120 4.9.3).
#[derive(AsXml, Debug, Clone, Copy, PartialEq, Eq)]
#[xml(namespace = ns::STREAM_ERRORS)]
pub enum StreamCondition {
    /// Not XML (4.9.3.13).
    #[xml(name = "not-well-formed")]
    NotWellFormed,
    /// An element that is too large (4.9.3.14).
    #[xml(name = "policy-violation")]
    PolicyViolation,
    /// Comments, processing instructions, DTDs (4.9.3.18).
    #[xml(name = "restricted-xml")]
    RestrictedXml,
    /// None of the others (4.9.3.21).
    #[xml(name = "undefined-condition")]
    UndefinedCondition,
}

#[cfg(test)]
mod tests;
