//! What is inside an IQ that a server delivers.
#![allow(clippy::option_option, reason = "xso's derive keeps an optional child that was not read yet as one")]

use std::fmt;

use xso::error::{Error, FromEventsError};
use xso::exports::rxml;
use xso::fromxml::Discard;
use xso::{Context, FromEventsBuilder, FromXml};

use super::incoming::TextOnly;
use super::lenient::Lenient;
use super::ns;
use crate::config::model::Password;

/// The payloads of one IQ: the first one, and how many there were. More than one is an error (RFC 6120 8.2.3), so that
/// the others need not be kept.
#[derive(Debug, Default)]
pub struct Payloads {
    /// The first child element.
    pub first: Option<Payload>,
    /// How many child elements there were, `<error/>` included.
    pub count: usize,
}

impl Extend<Payload> for Payloads {
    fn extend<I: IntoIterator<Item = Payload>>(&mut self, payloads: I) {
        for payload in payloads {
            self.count = self.count.saturating_add(1);
            self.first.get_or_insert(payload);
        }
    }
}

impl IntoIterator for Payloads {
    type Item = Payload;
    type IntoIter = std::option::IntoIter<Payload>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter()
    }
}

/// A child element of an IQ.
pub type Payload = Lenient<Known>;

/// The payloads that xmppd knows.
#[derive(FromXml, Debug)]
#[xml()]
pub enum Known {
    /// TR-069 Annex K.
    #[xml(transparent)]
    ConnectionRequest(ConnectionRequest),
    /// XEP-0199.
    #[xml(namespace = ns::PING, name = "ping", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Ping,
    /// XEP-0030.
    #[xml(namespace = ns::DISCO_INFO, name = "query", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    DiscoInfo {
        /// A node that is asked for; xmppd has none.
        #[xml(attribute(default))]
        node: Option<String>,
    },
    /// The server's answer to a bind request (RFC 6120 7.6.1).
    #[xml(namespace = ns::BIND, name = "bind", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Bind {
        /// The full JID that the server gave.
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
        condition: Condition,
    },
}

/// `<connectionRequest/>` (cwmp-xmppConnReq-1-0.xsd), as far as it can be told from what was sent.
#[derive(FromXml, Debug)]
#[xml(namespace = ns::CONNECTION_REQUEST, name = "connectionRequest", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct ConnectionRequest {
    #[xml(child(n = ..))]
    fields: Fields,
}

/// The user name and the password of a connection request.
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
    /// The credentials, if there is exactly one of each and there are no elements in them.
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
        for Field { which, text, had_children } in fields {
            let twice = match which {
                Which::Username => self.username.replace(text).is_some(),
                Which::Password => self.password.replace(Password::from(text)).is_some(),
            };
            self.malformed |= twice || had_children;
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
enum Which {
    Username,
    Password,
}

struct Field {
    which: Which,
    text: String,
    had_children: bool,
}

impl FromXml for Field {
    type Builder = FieldBuilder;

    fn from_events(name: rxml::QName, attrs: rxml::AttrMap, _: &Context<'_>) -> Result<Self::Builder, FromEventsError> {
        let which = match (name.0 == ns::CONNECTION_REQUEST, name.1.as_str()) {
            (true, "username") => Which::Username,
            (true, "password") => Which::Password,
            _ => return Err(FromEventsError::Mismatch { name, attrs }),
        };
        Ok(FieldBuilder { which, text: TextOnly::default() })
    }
}

struct FieldBuilder {
    which: Which,
    text: TextOnly,
}

impl FromEventsBuilder for FieldBuilder {
    type Output = Field;

    fn feed(&mut self, event: rxml::Event, _: &Context<'_>) -> Result<Option<Field>, Error> {
        Ok(self.text.feed(event).then(|| Field {
            which: self.which,
            text: std::mem::take(&mut self.text.text),
            had_children: self.text.had_children,
        }))
    }
}

/// The defined condition of a stanza error (RFC 6120 8.3.3): the first child in its namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition(pub Option<String>);

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("undefined-condition"))
    }
}

impl Extend<ConditionName> for Condition {
    fn extend<I: IntoIterator<Item = ConditionName>>(&mut self, names: I) {
        for ConditionName(name) in names {
            self.0.get_or_insert(name);
        }
    }
}

impl IntoIterator for Condition {
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
