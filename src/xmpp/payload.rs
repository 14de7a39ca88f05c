//! The payloads of incoming IQs.
#![allow(clippy::option_option, reason = "in the expanded code of xso's derive")]

use std::fmt;

use xso::error::{Error, FromEventsError};
use xso::exports::rxml;
use xso::fromxml::Discard;
use xso::{Context, FromEventsBuilder, FromXml};

use super::lenient::Lenient;
use super::ns;
use super::text_content::TextContent;
use crate::config::model::Password;

/// The payloads of one IQ: the first one, and their number. More than one is an error (RFC 6120 8.2.3), so the others
/// are not kept.
#[derive(Debug, Default)]
pub struct Payloads {
    /// The first child element.
    pub first: Option<IncomingPayload>,
    /// The number of child elements, including `<error/>`.
    pub count: usize,
}

impl Extend<IncomingPayload> for Payloads {
    fn extend<I: IntoIterator<Item = IncomingPayload>>(&mut self, payloads: I) {
        for payload in payloads {
            self.count = self.count.saturating_add(1);
            self.first.get_or_insert(payload);
        }
    }
}

impl IntoIterator for Payloads {
    type Item = IncomingPayload;
    type IntoIter = std::option::IntoIter<IncomingPayload>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter()
    }
}

/// A child element of an IQ.
pub type IncomingPayload = Lenient<KnownPayload>;

/// The payloads that xmppd understands.
#[derive(FromXml, Debug)]
#[xml()]
pub enum KnownPayload {
    /// TR-069 Annex K.
    #[xml(transparent)]
    ConnectionRequest(ConnectionRequest),
    /// XEP-0199.
    #[xml(namespace = ns::PING, name = "ping", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Ping,
    /// XEP-0030.
    #[xml(namespace = ns::DISCO_INFO, name = "query", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    DiscoInfo {
        /// The requested node; xmppd has none.
        #[xml(attribute(default))]
        node: Option<String>,
    },
    /// The server's answer to a bind request (RFC 6120 7.6.1).
    #[xml(namespace = ns::BIND, name = "bind", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Bind {
        /// The full JID that the server assigned.
        #[xml(extract(default, name = "jid", fields(text(type_ = String))))]
        jid: Option<String>,
    },
    /// `<error/>` in an IQ of type error.
    #[xml(namespace = ns::CLIENT, name = "error", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Error {
        /// `auth`, `cancel`, `continue`, `modify` or `wait`.
        #[xml(attribute(name = "type", default))]
        type_: Option<String>,
        /// The defined condition.
        #[xml(child(n = ..))]
        condition: StanzaErrorCondition,
    },
}

/// `<connectionRequest/>` (cwmp-xmppConnReq-1-0.xsd), possibly malformed.
#[derive(FromXml, Debug)]
#[xml(namespace = ns::CONNECTION_REQUEST, name = "connectionRequest", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct ConnectionRequest {
    #[xml(child(n = ..))]
    fields: Fields,
}

/// The user name and password of a connection request.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenCredentials {
    /// `<username/>`
    pub username: String,
    /// `<password/>`
    pub password: Password,
}

impl fmt::Debug for GivenCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenCredentials([redacted])")
    }
}

impl ConnectionRequest {
    /// Returns the credentials. `None` if the request is malformed: there must be one of each, without child elements.
    #[must_use]
    pub fn into_credentials(self) -> Option<GivenCredentials> {
        if self.fields.malformed {
            return None;
        }
        Some(GivenCredentials { username: self.fields.username?, password: self.fields.password? })
    }
}

#[derive(Default)]
struct Fields {
    username: Option<String>,
    password: Option<Password>,
    malformed: bool,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields {{ malformed: {} }}", self.malformed)
    }
}

impl Extend<Field> for Fields {
    fn extend<I: IntoIterator<Item = Field>>(&mut self, fields: I) {
        for Field { kind, text, has_children } in fields {
            let repeated = match kind {
                FieldKind::Username => self.username.replace(text).is_some(),
                FieldKind::Password => self.password.replace(Password::from(text)).is_some(),
            };
            self.malformed |= repeated || has_children;
        }
    }
}

impl IntoIterator for Fields {
    type Item = Field;
    type IntoIter = std::iter::Empty<Field>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

#[derive(Clone, Copy)]
enum FieldKind {
    Username,
    Password,
}

struct Field {
    kind: FieldKind,
    text: String,
    has_children: bool,
}

impl FromXml for Field {
    type Builder = FieldBuilder;

    fn from_events(name: rxml::QName, attrs: rxml::AttrMap, _: &Context<'_>) -> Result<Self::Builder, FromEventsError> {
        let kind = match (name.0 == ns::CONNECTION_REQUEST, name.1.as_str()) {
            (true, "username") => FieldKind::Username,
            (true, "password") => FieldKind::Password,
            _ => return Err(FromEventsError::Mismatch { name, attrs }),
        };
        Ok(FieldBuilder { kind, content: TextContent::default() })
    }
}

struct FieldBuilder {
    kind: FieldKind,
    content: TextContent,
}

impl FromEventsBuilder for FieldBuilder {
    type Output = Field;

    fn feed(&mut self, event: rxml::Event, _: &Context<'_>) -> Result<Option<Field>, Error> {
        Ok(self.content.feed(event).then(|| Field {
            kind: self.kind,
            text: std::mem::take(&mut self.content.text),
            has_children: self.content.has_children,
        }))
    }
}

/// The defined condition of a stanza error (RFC 6120 8.3.3): the name of the first child in the namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StanzaErrorCondition(pub Option<String>);

impl fmt::Display for StanzaErrorCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("undefined-condition"))
    }
}

impl Extend<ConditionName> for StanzaErrorCondition {
    fn extend<I: IntoIterator<Item = ConditionName>>(&mut self, names: I) {
        for ConditionName(name) in names {
            self.0.get_or_insert(name);
        }
    }
}

impl IntoIterator for StanzaErrorCondition {
    type Item = ConditionName;
    type IntoIter = std::option::IntoIter<ConditionName>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.map(ConditionName).into_iter()
    }
}

/// The name of a defined condition.
#[derive(Debug)]
pub struct ConditionName(String);

impl FromXml for ConditionName {
    type Builder = ConditionNameBuilder;

    fn from_events(name: rxml::QName, attrs: rxml::AttrMap, _: &Context<'_>) -> Result<Self::Builder, FromEventsError> {
        if name.0 != ns::STANZA_ERRORS || name.1 == "text" {
            return Err(FromEventsError::Mismatch { name, attrs });
        }
        Ok(ConditionNameBuilder(name.1.to_string(), Discard::new()))
    }
}

/// Builds a [`ConditionName`] from XML events.
pub struct ConditionNameBuilder(String, Discard);

impl FromEventsBuilder for ConditionNameBuilder {
    type Output = ConditionName;

    fn feed(&mut self, event: rxml::Event, ctx: &Context<'_>) -> Result<Option<ConditionName>, Error> {
        Ok(self.1.feed(event, ctx)?.map(|()| ConditionName(std::mem::take(&mut self.0))))
    }
}

#[cfg(test)]
mod tests;
