//! The content of stream errors and SASL failures (RFC 6120 4.9, 6.4.5).

use std::fmt;

use xso::error::{Error, FromEventsError};
use xso::exports::rxml;
use xso::{Context, FromEventsBuilder, FromXml};

use super::ns;
use super::text_content::TextContent;

/// A defined condition with its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorCondition {
    /// The element name of the first defined condition, such as `see-other-host`.
    pub condition: Option<String>,
    /// The text in that element: the other host of `see-other-host` (RFC 6120 4.9.3.19).
    pub content: String,
    /// The first `<text/>`, for the log.
    pub text: Option<String>,
}

impl ErrorCondition {
    /// The condition's name; `undefined-condition` if the server sent none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.condition.as_deref().unwrap_or("undefined-condition")
    }
}

impl fmt::Display for ErrorCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match &self.text {
            Some(text) if !text.is_empty() => write!(f, " ({text})"),
            _ => Ok(()),
        }
    }
}

impl Extend<ErrorChild> for ErrorCondition {
    fn extend<I: IntoIterator<Item = ErrorChild>>(&mut self, children: I) {
        for child in children {
            match child {
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

/// A child element of a stream error or of a SASL failure.
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
    /// An application-specific condition.
    Other,
}

impl FromXml for ErrorChild {
    type Builder = ErrorChildBuilder;

    fn from_events(name: rxml::QName, _: rxml::AttrMap, _: &Context<'_>) -> Result<Self::Builder, FromEventsError> {
        let (namespace, name) = name;
        let is_defined = namespace == ns::STREAM_ERRORS || namespace == ns::SASL;
        Ok(ErrorChildBuilder { name: is_defined.then(|| name.to_string()), content: TextContent::default() })
    }
}

/// Builds an [`ErrorChild`] from XML events.
pub struct ErrorChildBuilder {
    name: Option<String>,
    content: TextContent,
}

impl FromEventsBuilder for ErrorChildBuilder {
    type Output = ErrorChild;

    fn feed(&mut self, event: rxml::Event, _: &Context<'_>) -> Result<Option<ErrorChild>, Error> {
        if !self.content.feed(event) {
            return Ok(None);
        }
        let content = std::mem::take(&mut self.content.text);
        Ok(Some(match self.name.take() {
            None => ErrorChild::Other,
            Some(name) if name == "text" => ErrorChild::Text(content),
            Some(name) => ErrorChild::Condition { name, content },
        }))
    }
}
