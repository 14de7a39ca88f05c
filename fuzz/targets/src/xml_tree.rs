//! Parses a stream into a tree, independently of xmppd's parser, as the basis of the oracles.

use std::collections::BTreeSet;

use xso::exports::rxml::error::EndOrError;
use xso::exports::rxml::{Options, Parse, RawEvent, RawParser, RawQName, WithOptions};

/// Deeper elements are left out of the tree: xmppd understands none of them.
const MAX_KEPT_DEPTH: usize = 7;

/// Below this depth xmppd does not resolve prefixes (`MAX_DEPTH` in `xmpp/xml_parser.rs`), so an unknown one is no
/// error.
const MAX_RESOLVED_DEPTH: usize = 32;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Namespace, name and value.
    pub(crate) attributes: Vec<(String, String, String)>,
    pub(crate) children: Vec<Element>,
    /// Its own text, without that of its children.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// Returns an attribute without a namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(namespace, local, _)| namespace.is_empty() && local == name);
        found.map(|(_, _, value)| value.as_str())
    }
}

/// What follows the last complete element of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing, or an incomplete element.
    Incomplete,
    /// Something that is invalid now or with the next byte: text between elements, or part of a tag.
    MaybeInvalid,
    /// `</stream:stream>`
    Footer,
    /// Something that is not XML, or not allowed in a stream.
    Invalid,
}

/// Parses a stream. Returns its complete elements, and what follows them.
pub(crate) fn parse_stream(bytes: &[u8]) -> (Vec<Element>, Rest) {
    let options = Options { max_token_length: 8 << 20, ..Options::default() };
    let mut builder = TreeBuilder::default();
    let mut parser = <RawParser as WithOptions>::with_options(options);
    let mut rest = bytes;
    let end = loop {
        // As xmppd: text between elements is an error at once, text within an element is handled at its end.
        parser.set_text_buffering(builder.depth > 1);
        match parser.parse(&mut rest, false) {
            Ok(Some(event)) => match builder.take(event) {
                Ok(false) => {}
                Ok(true) => break Rest::Footer,
                Err(()) => break Rest::Invalid,
            },
            Ok(None) | Err(EndOrError::NeedMoreData) => break pending(&mut builder, &mut parser),
            Err(EndOrError::Error(_)) => break Rest::Invalid,
        }
    };
    (builder.elements, end)
}

/// Whether the parser withholds invalid text, as it does after a carriage return.
fn pending(builder: &mut TreeBuilder, parser: &mut RawParser) -> Rest {
    let invalid = match parser.parse(&mut &b"<"[..], false) {
        Ok(event) => event.is_some_and(|event| builder.take(event).is_err()),
        Err(error) => matches!(error, EndOrError::Error(_)),
    };
    if invalid { Rest::MaybeInvalid } else { Rest::Incomplete }
}

#[derive(Default)]
struct TreeBuilder {
    elements: Vec<Element>,
    /// The open elements, without the stream itself, down to `MAX_KEPT_DEPTH`.
    open: Vec<Element>,
    depth: usize,
    head: Option<(RawQName, Vec<(RawQName, String)>)>,
    /// Prefix, namespace and depth of each declaration in scope.
    declared: Vec<(Option<String>, String, usize)>,
}

impl TreeBuilder {
    /// Takes an event. Returns true at the end of the stream.
    fn take(&mut self, event: RawEvent) -> Result<bool, ()> {
        match event {
            RawEvent::XmlDeclaration(..) => {}
            RawEvent::ElementHeadOpen(_, name) => self.head = Some((name, Vec::new())),
            RawEvent::Attribute(_, name, value) => {
                if let Some((_, attributes)) = &mut self.head {
                    attributes.push((name, value));
                }
            }
            RawEvent::ElementHeadClose(_) => {
                self.depth += 1;
                let (name, attributes) = self.head.take().ok_or(())?;
                let element =
                    if self.depth <= MAX_RESOLVED_DEPTH { self.element(name, attributes)? } else { Element::default() };
                if (2..=MAX_KEPT_DEPTH).contains(&self.depth) {
                    self.open.push(element);
                }
            }
            RawEvent::ElementFoot(_) => {
                let depth = self.depth;
                self.depth -= 1;
                self.declared.retain(|(.., made)| *made < depth);
                if (2..=MAX_KEPT_DEPTH).contains(&depth) {
                    let element = self.open.pop().ok_or(())?;
                    self.open.last_mut().map_or(&mut self.elements, |parent| &mut parent.children).push(element);
                }
                return Ok(depth == 1);
            }
            RawEvent::Text(_, text) => {
                if self.depth == 1 && text.bytes().any(|byte| !b" \t\r\n".contains(&byte)) {
                    return Err(());
                }
                if (2..=MAX_KEPT_DEPTH).contains(&self.depth)
                    && let Some(element) = self.open.last_mut()
                {
                    element.text.push_str(&text);
                }
            }
        }
        Ok(false)
    }

    fn element(&mut self, (prefix, name): RawQName, raw: Vec<(RawQName, String)>) -> Result<Element, ()> {
        let before = self.declared.len();
        let mut others = Vec::new();
        for ((prefix, name), value) in raw {
            let declares = match (prefix.as_deref().map(AsRef::as_ref), name.as_str()) {
                (Some("xmlns"), prefix) => Some(Some(prefix.to_owned())),
                (None, "xmlns") => Some(None),
                _ => None,
            };
            match declares {
                Some(prefix) if self.declared[before..].iter().any(|(other, ..)| *other == prefix) => return Err(()),
                Some(prefix) => self.declared.push((prefix, value, self.depth)),
                None => others.push((prefix.map(|prefix| prefix.to_string()), name.to_string(), value)),
            }
        }
        let mut attributes = Vec::new();
        let mut seen = BTreeSet::new();
        for (prefix, name, value) in others {
            let namespace = if prefix.is_some() { self.look_up(prefix.as_deref())? } else { String::new() };
            if !seen.insert((namespace.clone(), name.clone())) {
                return Err(());
            }
            attributes.push((namespace, name, value));
        }
        let namespace = self.look_up(prefix.as_deref().map(AsRef::as_ref))?;
        Ok(Element { namespace, name: name.to_string(), attributes, ..Element::default() })
    }

    fn look_up(&self, prefix: Option<&str>) -> Result<String, ()> {
        if prefix == Some("xml") {
            return Ok("http://www.w3.org/XML/1998/namespace".to_owned());
        }
        let found = self.declared.iter().rev().find(|(declared, ..)| declared.as_deref() == prefix);
        match found {
            Some((_, namespace, _)) => Ok(namespace.clone()),
            None if prefix.is_none() => Ok(String::new()),
            None => Err(()),
        }
    }
}
