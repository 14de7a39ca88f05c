//! XML as a tree, read in another way than xmppd does it: what the targets judge xmppd's answers by.

use std::collections::BTreeSet;

use xso::exports::rxml::error::EndOrError;
use xso::exports::rxml::{Options, Parse, RawEvent, RawParser, RawQName, WithOptions};

/// Nothing that matters lies deeper; what does is left out of the tree.
const KEPT: usize = 7;

/// Where xmppd stops looking names up (`xmpp/parser.rs`): an unknown prefix below is no error for it.
const LOOKED_UP: usize = 32;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Element {
    pub namespace: String,
    pub name: String,
    /// Namespace, name and value.
    pub attributes: Vec<(String, String, String)>,
    pub children: Vec<Element>,
    /// Its own text, put together.
    pub text: String,
}

impl Element {
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// An attribute that is in no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(namespace, local, _)| namespace.is_empty() && local == name);
        found.map(|(_, _, value)| value.as_str())
    }
}

/// How a stream goes on after its last whole element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More may come.
    Open,
    /// What has come last may be wrong now or with the next byte: text between elements, or half a tag.
    Unclear,
    /// `</stream:stream>`
    Footer,
    /// Something that is not XML, or none that a stream may have.
    Wrong,
}

/// The elements of a stream, and what is behind them.
pub fn stream(bytes: &[u8]) -> (Vec<Element>, Rest) {
    let options = Options { max_token_length: 8 << 20, ..Options::default() };
    let mut reader = Reader::default();
    let mut parser = <RawParser as WithOptions>::with_options(options);
    let mut rest = bytes;
    let end = loop {
        // As xmppd has it: text between elements is wrong as soon as it is there, text within one at its end.
        parser.set_text_buffering(reader.depth > 1);
        match parser.parse(&mut rest, false) {
            Ok(Some(event)) => match reader.take(event) {
                Ok(false) => {}
                Ok(true) => break Rest::Footer,
                Err(()) => break Rest::Wrong,
            },
            Ok(None) | Err(EndOrError::NeedMoreData) => break pending(&mut reader, &mut parser),
            Err(EndOrError::Error(_)) => break Rest::Wrong,
        }
    };
    (reader.elements, end)
}

/// Whether the parser holds text back, as it does behind a carriage return.
fn pending(reader: &mut Reader, parser: &mut RawParser) -> Rest {
    let wrong = match parser.parse(&mut &b"<"[..], false) {
        Ok(event) => event.is_some_and(|event| reader.take(event).is_err()),
        Err(error) => matches!(error, EndOrError::Error(_)),
    };
    if wrong { Rest::Unclear } else { Rest::Open }
}

#[derive(Default)]
struct Reader {
    elements: Vec<Element>,
    /// The open elements that are kept, without the stream itself.
    open: Vec<Element>,
    depth: usize,
    head: Option<(RawQName, Vec<(RawQName, String)>)>,
    /// Prefix and namespace of each declaration that holds, and how deep it was made.
    declared: Vec<(Option<String>, String, usize)>,
}

impl Reader {
    /// Takes an event; true at the stream's end.
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
                    if self.depth <= LOOKED_UP { self.element(name, attributes)? } else { Element::default() };
                if (2..=KEPT).contains(&self.depth) {
                    self.open.push(element);
                }
            }
            RawEvent::ElementFoot(_) => {
                let depth = self.depth;
                self.depth -= 1;
                self.declared.retain(|(.., made)| *made < depth);
                if (2..=KEPT).contains(&depth) {
                    let element = self.open.pop().ok_or(())?;
                    self.open.last_mut().map_or(&mut self.elements, |parent| &mut parent.children).push(element);
                }
                return Ok(depth == 1);
            }
            RawEvent::Text(_, text) => {
                if self.depth == 1 && text.bytes().any(|byte| !b" \t\r\n".contains(&byte)) {
                    return Err(());
                }
                if (2..=KEPT).contains(&self.depth)
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
