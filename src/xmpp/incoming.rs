//! What a server may send, as it is read: every type here is built from XML events as they arrive and keeps only what
//! xmppd understands.
//!
//! There is no tree of what strangers send. An unknown element of any depth and size is skipped, flat; an attribute that
//! is missing or strange is no parse error, it is a question for the code that looks at the stanza, because most stanzas
//! have to be answered whatever is in them (RFC 6120 8.2.3).
#![allow(clippy::option_option, reason = "xso's derive keeps an optional child that was not read yet as one")]

use xso::error::{Error, FromEventsError};
use xso::exports::rxml;
use xso::{Context, FromEventsBuilder, FromXml};

use super::features::StreamFeatures;
use super::lenient::{Lenient, LenientBuilder};
use super::ns;
use super::payload::Payloads;

/// A child of the stream: a stanza or a part of the negotiation.
pub type Element = Lenient<Known>;

/// Builds an [`Element`].
pub type ElementBuilder = LenientBuilder<Known>;

/// The children of the stream that xmppd knows.
#[derive(FromXml, Debug)]
#[xml()]
pub enum Known {
    /// `<iq/>`
    #[xml(transparent)]
    Iq(Iq),
    /// `<message/>`: read to its end, never answered.
    #[xml(namespace = ns::CLIENT, name = "message", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Message {
        /// The stanza's type; `error` is counted.
        #[xml(attribute(name = "type", default))]
        type_: Option<String>,
    },
    /// `<presence/>`: read to its end, never answered.
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
    StreamError(StreamError),
    /// `<proceed/>`: TLS may begin (RFC 6120 5.4.2.3).
    #[xml(namespace = ns::TLS, name = "proceed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    TlsProceed,
    /// `<failure/>`: the server cannot do TLS after all (RFC 6120 5.4.2.2).
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
    /// `<enabled/>`: the stream is managed (XEP-0198 3).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "enabled", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementEnabled {
        /// With what it can be resumed.
        #[xml(attribute(default))]
        id: Option<String>,
        /// Whether it can be.
        #[xml(attribute(default))]
        resume: Option<String>,
    },
    /// `<failed/>`: it is not managed, or not resumed (XEP-0198 3, 5).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "failed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementFailed,
    /// `<resumed/>` (XEP-0198 5).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "resumed", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    ManagementResumed {
        /// How many of our stanzas the server has handled, modulo 2^32. Servers have left it out.
        #[xml(attribute(default))]
        h: Option<String>,
        /// Which stream is resumed.
        #[xml(attribute(default))]
        previd: Option<String>,
    },
    /// `<a/>`: how many of our stanzas the server has handled (XEP-0198 4).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "a", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    Acknowledgement {
        /// Modulo 2^32.
        #[xml(attribute)]
        h: u32,
    },
    /// `<r/>`: the server wants to know how many stanzas we have handled (XEP-0198 4).
    #[xml(namespace = ns::STREAM_MANAGEMENT, name = "r", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    AcknowledgementRequest,
    /// `<failure/>` (RFC 6120 6.4.5).
    #[xml(namespace = ns::SASL, name = "failure", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
    SaslFailure {
        /// The defined condition and the text, in the order in which they came.
        #[xml(child(n = ..))]
        condition: ErrorCondition,
    },
}

impl Known {
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

/// `<iq/>` with the few payloads that xmppd knows (RFC 6120 8.2.3).
#[derive(FromXml, Debug)]
#[xml(namespace = ns::CLIENT, name = "iq", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct Iq {
    /// `get`, `set`, `result`, `error`, or whatever was sent.
    #[xml(attribute(name = "type", default))]
    pub type_: Option<String>,
    /// The request's identifier.
    #[xml(attribute(default))]
    pub id: Option<String>,
    /// The sender, as the server stamped it.
    #[xml(attribute(default))]
    pub from: Option<String>,
    /// The recipient: our full JID, or the account's bare JID.
    #[xml(attribute(default))]
    pub to: Option<String>,
    /// What is in it.
    #[xml(child(n = ..))]
    pub payloads: Payloads,
}

/// `<stream:error/>` (RFC 6120 4.9).
#[derive(FromXml, Debug, Clone)]
#[xml(namespace = ns::STREAM, name = "error", discard(text), on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub struct StreamError {
    /// The condition, and what the server says about it.
    #[xml(child(n = ..))]
    pub condition: ErrorCondition,
}

/// A defined condition with its text, in the order in which the server sent them: stream errors and SASL failures alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorCondition {
    /// The first defined condition's element name, such as `see-other-host`.
    pub condition: Option<String>,
    /// That element's own text: the other host of `see-other-host` (RFC 6120 4.9.3.19).
    pub content: String,
    /// The first `<text/>`: for the log.
    pub text: Option<String>,
}

impl ErrorCondition {
    /// The condition's name, or what stands in for a missing one.
    #[must_use]
    pub fn name(&self) -> &str {
        self.condition.as_deref().unwrap_or("undefined-condition")
    }
}

impl std::fmt::Display for ErrorCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        match &self.text {
            Some(text) if !text.is_empty() => write!(f, " ({text})"),
            _ => Ok(()),
        }
    }
}

impl Extend<ErrorChild> for ErrorCondition {
    fn extend<I: IntoIterator<Item = ErrorChild>>(&mut self, words: I) {
        for word in words {
            match word {
                ErrorChild::Text(text) => {
                    self.text.get_or_insert(text);
                }
                ErrorChild::Condition { name, content } if self.condition.is_none() => {
                    self.condition = Some(name);
                    self.content = content;
                }
                ErrorChild::Condition { .. } | ErrorChild::Other => {}
            }
        }
    }
}

impl IntoIterator for ErrorCondition {
    type Item = ErrorChild;
    type IntoIter = std::vec::IntoIter<ErrorChild>;

    fn into_iter(self) -> Self::IntoIter {
        let text = self.text.map(ErrorChild::Text);
        let condition = self.condition.map(|name| ErrorChild::Condition { name, content: self.content });
        condition.into_iter().chain(text).collect::<Vec<_>>().into_iter()
    }
}

/// A child of a stream error or of a SASL failure.
#[derive(Debug)]
pub enum ErrorChild {
    /// `<text/>`
    Text(String),
    /// A defined condition.
    Condition {
        /// The element's name.
        name: String,
        /// The element's text.
        content: String,
    },
    /// Something of an application's own.
    Other,
}

impl FromXml for ErrorChild {
    type Builder = ErrorChildBuilder;

    fn from_events(name: rxml::QName, _: rxml::AttrMap, _: &Context<'_>) -> Result<Self::Builder, FromEventsError> {
        let (namespace, name) = name;
        let defined = namespace == ns::STREAM_ERRORS || namespace == ns::SASL;
        Ok(ErrorChildBuilder { name: defined.then(|| name.to_string()), text: TextOnly::default() })
    }
}

/// Builds a [`ErrorChild`] from XML events.
pub struct ErrorChildBuilder {
    name: Option<String>,
    text: TextOnly,
}

impl FromEventsBuilder for ErrorChildBuilder {
    type Output = ErrorChild;

    fn feed(&mut self, event: rxml::Event, _: &Context<'_>) -> Result<Option<ErrorChild>, Error> {
        if !self.text.feed(event) {
            return Ok(None);
        }
        let content = std::mem::take(&mut self.text.text);
        Ok(Some(match self.name.take() {
            None => ErrorChild::Other,
            Some(name) if name == "text" => ErrorChild::Text(content),
            Some(name) => ErrorChild::Condition { name, content },
        }))
    }
}

/// Collects the text of an element, skips its children and notes that there were some. Without `Debug`: a
/// connection request's password is collected in it.
#[derive(Default)]
pub(super) struct TextOnly {
    pub(super) text: String,
    pub(super) had_children: bool,
    depth: usize,
}

impl TextOnly {
    /// Takes the next event; true at the element's end.
    pub(super) fn feed(&mut self, event: rxml::Event) -> bool {
        match event {
            rxml::Event::StartElement(..) => {
                self.had_children = true;
                self.depth = self.depth.saturating_add(1);
            }
            rxml::Event::EndElement(..) if self.depth == 0 => return true,
            rxml::Event::EndElement(..) => self.depth -= 1,
            rxml::Event::Text(_, text) if self.depth == 0 => self.text.push_str(&text),
            rxml::Event::Text(..) | rxml::Event::XmlDeclaration(..) => {}
        }
        false
    }
}

#[cfg(test)]
mod tests;
