//! XML as RFC 6120 11 allows it, at a cost that grows with its bytes and with nothing else.
//!
//! Tokens, well-formedness and the restrictions are rxml's [`RawParser`]; namespaces are resolved here. rxml's own resolver
//! looks a prefix up through all the open elements, so that 256 KiB of nested `<a>` from a stranger take a second on a fast
//! machine and many on a small one. Nothing that xmppd understands lies deep: what lies below [`MAX_DEPTH`] is checked for
//! being well-formed and is then left out, as if the element above it were empty.

use std::collections::BTreeMap;

use xso::exports::rxml::error::EndOrError;
use xso::exports::rxml::{
    self, AttrMap, Context, Error, Event, Namespace, NcName, Options, Parse, QName, RawEvent, RawParser, RawQName,
    WithOptions,
};

/// How deep elements are handed on; the stream itself is the first. The deepest thing that is understood is the fourth: an
/// element within the user name of a connection request.
const MAX_DEPTH: usize = 16;

/// The namespaces that one element declares, by prefix; none = the default.
type Declarations = BTreeMap<Option<NcName>, Namespace<'static>>;

/// A parser of one stream.
pub(super) struct Parser {
    raw: RawParser,
    namespaces: Context,
    /// The declarations of the open elements, outermost first; never more than [`MAX_DEPTH`].
    open: Vec<Declarations>,
    /// The element whose attributes are being read.
    head: Option<Head>,
    /// How many open elements there are below [`MAX_DEPTH`].
    left_out: usize,
}

struct Head {
    name: RawQName,
    declarations: Declarations,
    attributes: Vec<(RawQName, String)>,
}

impl Parser {
    /// A parser whose tokens (names, attribute values) are at most `max_token` bytes long.
    pub(super) fn new(max_token: usize) -> Self {
        let options = Options { max_token_length: max_token, ..Options::default() };
        Self {
            raw: RawParser::with_options(options),
            namespaces: Context::new(),
            open: Vec::new(),
            head: None,
            left_out: 0,
        }
    }

    /// Whether text is handed on whole, or as it comes.
    pub(super) fn set_text_buffering(&mut self, enabled: bool) {
        self.raw.set_text_buffering(enabled);
    }

    /// Takes bytes from the front of `bytes` up to the next event. It may hold an event that needs no further byte.
    ///
    /// # Errors
    /// [`EndOrError::NeedMoreData`] when all bytes are taken, and what is not namespace-well-formed XML.
    pub(super) fn parse(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, EndOrError> {
        loop {
            let Some(event) = self.raw.parse(bytes, false)? else { return Ok(None) };
            if let Some(event) = self.resolve(event)? {
                return Ok(Some(event));
            }
        }
    }

    /// Gives back what a large element needed.
    pub(super) fn release_temporaries(&mut self) {
        self.raw.release_temporaries();
        self.namespaces.release_temporaries();
    }

    fn resolve(&mut self, event: RawEvent) -> Result<Option<Event>, Error> {
        if self.left_out > 0 {
            match event {
                RawEvent::ElementHeadOpen(..) => self.left_out = self.left_out.saturating_add(1),
                RawEvent::ElementFoot(_) => self.left_out -= 1,
                _ => {}
            }
            return Ok(None);
        }
        Ok(match event {
            RawEvent::XmlDeclaration(metrics, version) => Some(Event::XmlDeclaration(metrics, version)),
            RawEvent::Text(metrics, text) => Some(Event::Text(metrics, text)),
            RawEvent::ElementHeadOpen(..) if self.open.len() >= MAX_DEPTH => {
                self.left_out = 1;
                None
            }
            RawEvent::ElementHeadOpen(_, name) => {
                self.head = Some(Head { name, declarations: BTreeMap::new(), attributes: Vec::new() });
                None
            }
            RawEvent::Attribute(_, name, value) => {
                if let Some(head) = &mut self.head {
                    head.attribute(name, value, &self.namespaces)?;
                }
                None
            }
            RawEvent::ElementHeadClose(metrics) => match self.head.take() {
                Some(head) => {
                    let (name, attributes) = self.begin(head)?;
                    Some(Event::StartElement(metrics, name, attributes))
                }
                None => None,
            },
            RawEvent::ElementFoot(metrics) => {
                self.open.pop();
                Some(Event::EndElement(metrics))
            }
        })
    }

    fn begin(&mut self, head: Head) -> Result<(QName, AttrMap), Error> {
        let Head { name: (prefix, name), declarations, attributes: given } = head;
        self.open.push(declarations);
        let namespace = self.namespace(prefix)?;
        let mut attributes = AttrMap::new();
        for ((prefix, name), value) in given {
            // Namespaces in XML 1.0, 6.2: the default namespace is not that of attributes.
            let namespace = if prefix.is_some() { self.namespace(prefix)? } else { Namespace::NONE };
            if attributes.insert(namespace, name, value).is_some() {
                return Err(Error::DuplicateAttribute);
            }
        }
        Ok(((namespace, name), attributes))
    }

    // The map's keys are the options themselves.
    #[allow(clippy::needless_pass_by_value)]
    fn namespace(&self, prefix: Option<NcName>) -> Result<Namespace<'static>, Error> {
        if prefix.as_ref().is_some_and(|prefix| *prefix == rxml::PREFIX_XML) {
            return Ok(Namespace::XML);
        }
        match self.open.iter().rev().find_map(|declarations| declarations.get(&prefix)) {
            Some(namespace) => Ok(namespace.clone()),
            None if prefix.is_none() => Ok(Namespace::NONE),
            None => Err(Error::UndeclaredNamespacePrefix(None)),
        }
    }
}

impl Head {
    fn attribute(&mut self, name: RawQName, value: String, namespaces: &Context) -> Result<(), Error> {
        let declared = match name {
            (None, name) if name == rxml::PREFIX_XMLNS => None,
            (Some(prefix), name) if prefix == rxml::PREFIX_XMLNS => Some(name),
            name => {
                self.attributes.push((name, value));
                return Ok(());
            }
        };
        match self.declarations.insert(declared, namespaces.intern_namespace(value)) {
            Some(_) => Err(Error::DuplicateAttribute),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All events of a text, and the error that ends it.
    fn events(text: &str) -> (Vec<Event>, Option<EndOrError>) {
        let mut parser = Parser::new(8192);
        let mut bytes = text.as_bytes();
        let mut events = Vec::new();
        loop {
            match parser.parse(&mut bytes) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, None),
                Err(error) => return (events, Some(error)),
            }
        }
    }

    /// The events as rxml's own parser sees them. Its metrics are its own.
    fn as_rxml_sees_them(text: &str) -> (Vec<Event>, Option<EndOrError>) {
        let mut parser = rxml::Parser::default();
        let mut bytes = text.as_bytes();
        let mut events = Vec::new();
        loop {
            match parser.parse(&mut bytes, false) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, None),
                Err(error) => return (events, Some(error)),
            }
        }
    }

    fn in_words((events, error): (Vec<Event>, Option<EndOrError>)) -> Vec<String> {
        let mut words: Vec<String> = events
            .into_iter()
            .map(|event| match event {
                Event::XmlDeclaration(..) => "declaration".to_owned(),
                Event::StartElement(_, name, attributes) => format!("{name:?} {attributes:?}"),
                Event::EndElement(_) => "end".to_owned(),
                Event::Text(_, text) => format!("{text:?}"),
            })
            .collect();
        words.extend(error.map(|error| match error {
            EndOrError::NeedMoreData => "more".to_owned(),
            // Where it was is told by rxml alone.
            EndOrError::Error(Error::UndeclaredNamespacePrefix(_)) => "undeclared".to_owned(),
            EndOrError::Error(error) => error.to_string(),
        }));
        words
    }

    #[test]
    fn names_are_those_that_rxml_resolves() {
        for text in [
            "<?xml version='1.0'?><a/>",
            "<a xmlns='urn:a'><b c='1'/><d xmlns=''/><e xmlns='urn:e'><f/></e><g/></a>",
            "<p:a xmlns:p='urn:p' p:x='1' x='2' xml:lang='en'><p:b xmlns:p='urn:q'/><p:c/></p:a>",
            "<a xmlns='urn:a' xmlns:p='urn:a'><p:b/></a>",
            "<a><p:b/></a>",
            "<a p:x='1'/>",
            "<a x='1' x='2'/>",
            "<a xmlns:p='urn:p' xmlns:q='urn:p' p:x='1' q:x='2'/>",
            "<a xmlns:p='urn:p' xmlns:p='urn:q'/>",
            "<a xmlns:p=''/>",
            "<a xmlns:xml='urn:x'/>",
            "<xmlns:a/>",
            "<a>one<b>two</b>three</a>",
            "<a></b>",
        ] {
            assert_eq!(in_words(events(text)), in_words(as_rxml_sees_them(text)), "{text}");
        }
    }

    /// XML 1.0, "Unique Att Spec"; rxml takes the last one.
    #[test]
    fn the_default_namespace_is_declared_once() {
        let (_, error) = events("<a xmlns='urn:a' xmlns='urn:b'/>");
        assert!(matches!(error, Some(EndOrError::Error(Error::DuplicateAttribute))), "{error:?}");
    }

    #[test]
    fn what_lies_too_deep_is_left_out_and_nothing_else() {
        let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        let deepest = in_words(events(&nested(MAX_DEPTH, "")));
        assert_eq!(deepest.iter().filter(|word| *word == "end").count(), MAX_DEPTH);
        for inner in ["<b/>", "<b c='1'>text<d/>text</b><e/>", "<p:b/>", &nested(1000, "text")] {
            assert_eq!(in_words(events(&nested(MAX_DEPTH, inner))), deepest, "{inner}");
        }
        let (_, error) = events(&nested(MAX_DEPTH, "<b></c>"));
        assert!(matches!(error, Some(EndOrError::Error(_))), "{error:?}");
        let text = format!("<x>{}<y/>text</x>", nested(MAX_DEPTH + 5, ""));
        let words = in_words(events(&text));
        assert!(words[words.len() - 5].contains("\"y\""), "{words:?}");
        assert_eq!(words[words.len() - 4..], ["end", "\"text\"", "end", "more"]);
    }

    /// What the open elements need is given back, however many there were.
    #[test]
    fn depth_costs_nothing_for_long() {
        let mut parser = Parser::new(8192);
        let text = format!("<x>{}{}", "<a>".repeat(50_000), "</a>".repeat(50_000));
        let mut bytes = text.as_bytes();
        while parser.parse(&mut bytes).is_ok() {}
        assert!(parser.open.len() == 1 && parser.open.capacity() <= 2 * MAX_DEPTH, "{}", parser.open.capacity());
        assert_eq!(parser.left_out, 0);
    }

    fn tree() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec!["a", "b", "p:a", "q:a", "u:a"]);
        let attribute = prop::sample::select(vec![
            "",
            " x='1'",
            " p:x='1' x='2'",
            " p:x='1' q:x='1'",
            " xmlns='urn:1'",
            " xmlns=''",
            " xmlns:p='urn:2'",
            " xmlns:q='urn:2' xml:lang='de'",
        ]);
        let leaf = (name.clone(), attribute.clone()).prop_map(|(name, attribute)| format!("<{name}{attribute}/>"));
        leaf.prop_recursive(6, 40, 4, move |inner| {
            (name.clone(), attribute.clone(), prop::collection::vec(inner, 0..4))
                .prop_map(|(name, attribute, inner)| format!("<{name}{attribute}>{}text</{name}>", inner.concat()))
        })
    }

    proptest! {
        #[test]
        fn any_tree_is_the_one_that_rxml_sees(tree in tree()) {
            let text = format!("<s xmlns='urn:0' xmlns:p='urn:p' xmlns:q='urn:q'>{tree}</s>");
            prop_assert_eq!(in_words(events(&text)), in_words(as_rxml_sees_them(&text)));
        }
    }
}
