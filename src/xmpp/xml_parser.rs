//! An XML parser that takes linear time.
//!
//! rxml's namespace resolver looks up a prefix through all open elements. For 30,000 nested elements without
//! declarations (210 kB, which servers let through from any sender) it takes 450 million steps. So this parser combines
//! rxml's linear `RawParser` with a resolver of its own. Nothing that xmppd understands is deep: events below
//! `MAX_DEPTH` are checked to be well-formed, but neither resolved nor reported.

use std::collections::BTreeMap;

use xso::exports::rxml::error::{EndOrError, Error, ErrorContext};
use xso::exports::rxml::parser::EventMetrics;
use xso::exports::rxml::xml_map::Entry;
use xso::exports::rxml::{AttrMap, Event, Namespace, Options, Parse, RawEvent, RawParser, RawQName, WithOptions};

/// Maximum depth of reported events. The stream itself has depth 1, a stanza 2, the deepest known element 6.
const MAX_DEPTH: usize = 32;

/// A parser of one XML stream.
pub(super) struct XmlParser {
    raw: RawParser,
    /// Number of open elements.
    depth: usize,
    /// The start tag in progress.
    head: Option<StartTag>,
    /// The declarations of the open elements down to `MAX_DEPTH`, the outermost first.
    scopes: Vec<Scope>,
    failed: Option<Error>,
}

struct StartTag {
    bytes: usize,
    name: RawQName,
    attributes: Vec<(RawQName, String)>,
    scope: Scope,
}

/// The namespaces that an element declares, by prefix; `None`: the default namespace.
type Scope = BTreeMap<Option<String>, Namespace<'static>>;

impl XmlParser {
    /// Creates a parser. `max_token`: maximum length of a name or attribute value, bytes.
    pub(super) fn new(max_token: usize) -> Self {
        let options = Options { max_token_length: max_token, ..Options::default() };
        let raw = <RawParser as WithOptions>::with_options(options);
        Self { raw, depth: 0, head: None, scopes: Vec::new(), failed: None }
    }

    /// Sets whether text is reported as a whole, up to the maximum token length, or as it arrives.
    pub(super) fn set_text_buffering(&mut self, enabled: bool) {
        self.raw.set_text_buffering(enabled);
    }

    /// Releases the memory of a long token.
    pub(super) fn release_temporaries(&mut self) {
        self.raw.release_temporaries();
    }

    /// Returns the next event down to `MAX_DEPTH`, and removes what it has read from the front of `bytes`.
    ///
    /// # Errors
    /// [`EndOrError::NeedMoreData`]: the bytes hold no further event. Any other error is final, and returned by each
    /// further call.
    pub(super) fn parse(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>, EndOrError> {
        if let Some(error) = self.failed {
            return Err(EndOrError::Error(error));
        }
        loop {
            let Some(event) = self.raw.parse(bytes, false)? else { return Ok(None) };
            match self.resolve(event) {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => {
                    self.failed = Some(error);
                    return Err(EndOrError::Error(error));
                }
            }
        }
    }

    fn resolve(&mut self, event: RawEvent) -> Result<Option<Event>, Error> {
        match event {
            RawEvent::ElementHeadOpen(metrics, name) => {
                self.depth = self.depth.saturating_add(1);
                if self.depth <= MAX_DEPTH {
                    let (attributes, scope) = (Vec::new(), Scope::new());
                    self.head = Some(StartTag { bytes: metrics.len(), name, attributes, scope });
                }
            }
            RawEvent::Attribute(metrics, name, value) => {
                if let Some(head) = &mut self.head {
                    head.bytes += metrics.len();
                    head.add(name, value)?;
                }
            }
            RawEvent::ElementHeadClose(metrics) => {
                if let Some(head) = self.head.take() {
                    return self.begin(head, metrics.len()).map(Some);
                }
            }
            RawEvent::ElementFoot(metrics) => {
                let depth = self.depth;
                self.depth = depth.saturating_sub(1);
                if depth <= MAX_DEPTH {
                    self.scopes.pop();
                    return Ok(Some(Event::EndElement(metrics)));
                }
            }
            RawEvent::Text(metrics, text) if self.depth <= MAX_DEPTH => return Ok(Some(Event::Text(metrics, text))),
            RawEvent::Text(..) => {}
            RawEvent::XmlDeclaration(metrics, version) => return Ok(Some(Event::XmlDeclaration(metrics, version))),
        }
        Ok(None)
    }

    fn begin(&mut self, head: StartTag, bytes: usize) -> Result<Event, Error> {
        let StartTag { bytes: before, name, attributes: raw, scope } = head;
        self.scopes.push(scope);
        let mut attributes = AttrMap::new();
        for ((prefix, name), value) in raw {
            // An attribute without a prefix is in no namespace, whatever the default is.
            let namespace = match prefix {
                Some(prefix) => self.look_up(Some(&prefix), ErrorContext::AttributeName)?,
                None => Namespace::NONE,
            };
            match attributes.entry(namespace, name) {
                Entry::Vacant(entry) => entry.insert(value),
                Entry::Occupied(_) => return Err(Error::DuplicateAttribute),
            };
        }
        let namespace = self.look_up(name.0.as_deref().map(AsRef::as_ref), ErrorContext::Name)?;
        Ok(Event::StartElement(EventMetrics::new(before + bytes), (namespace, name.1), attributes))
    }

    fn look_up(&self, prefix: Option<&str>, context: ErrorContext) -> Result<Namespace<'static>, Error> {
        if prefix == Some("xml") {
            return Ok(Namespace::XML);
        }
        let key = prefix.map(str::to_owned);
        let declared = self.scopes.iter().rev().find_map(|scope| scope.get(&key));
        match (declared, prefix) {
            (Some(namespace), _) => Ok(namespace.clone()),
            (None, None) => Ok(Namespace::NONE),
            (None, Some(_)) => Err(Error::UndeclaredNamespacePrefix(Some(context))),
        }
    }
}

impl StartTag {
    fn add(&mut self, name: RawQName, value: String) -> Result<(), Error> {
        let declared = match &name {
            (Some(prefix), local) if prefix == "xmlns" => Some(local.to_string()),
            (None, local) if local == "xmlns" => None,
            _ => {
                self.attributes.push((name, value));
                return Ok(());
            }
        };
        match self.scope.insert(declared, Namespace::from(value)) {
            None => Ok(()),
            Some(_) => Err(Error::DuplicateAttribute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_linear;

    /// Parses the text in pieces of this many bytes.
    fn events(text: &str, piece: usize) -> Result<Vec<Event>, String> {
        let mut parser = XmlParser::new(1024);
        let mut events = Vec::new();
        for mut piece in text.as_bytes().chunks(piece) {
            loop {
                match parser.parse(&mut piece) {
                    Ok(Some(event)) => events.push(event),
                    Err(EndOrError::NeedMoreData) => break,
                    Ok(None) => return Ok(events),
                    Err(EndOrError::Error(error)) => {
                        let again = parser.parse(&mut &b"<b/>"[..]);
                        assert!(matches!(again, Err(EndOrError::Error(same)) if same == error), "{again:?}");
                        return Err(error.to_string());
                    }
                }
            }
        }
        Ok(events)
    }

    fn names(events: &[Event]) -> String {
        let name = |event: &Event| match event {
            Event::StartElement(_, (namespace, name), attributes) => {
                format!("<{}{name}{}>", namespace.as_str(), attributes.len())
            }
            Event::EndElement(_) => "</>".to_owned(),
            Event::Text(_, text) => text.clone(),
            Event::XmlDeclaration(..) => "?".to_owned(),
        };
        events.iter().map(name).collect()
    }

    #[test]
    fn elements_are_reported_with_their_namespaces() {
        let text = "<?xml version='1.0'?><s:a xmlns='n' xmlns:s='m' s:x='1' y='2'><b>t<c xmlns='o'/></b><b/>";
        for piece in [1, 2, 1000] {
            assert_eq!(names(&events(text, piece).unwrap()), "?<ma2><nb0>t<oc0></></><nb0></>", "{piece}");
        }
    }

    #[test]
    fn elements_below_the_maximum_depth_are_left_out() {
        let shallow = MAX_DEPTH - 1;
        let (open, close) = ("<a>".repeat(shallow), "</a>".repeat(shallow));
        let deep = "<d x='1'>t<e/><p:q xmlns:p='n'/></d>";
        for piece in [1, 7, 10_000] {
            let found = names(&events(&format!("<s>{open}1<d/>2{close}<b/>"), piece).unwrap());
            let expected = format!("<s0>{}12{}<b0></>", "<a0>".repeat(shallow), "</>".repeat(shallow));
            assert_eq!(found, expected);
            assert_eq!(names(&events(&format!("<s>{open}1{deep}2{close}<b/>"), piece).unwrap()), expected);
        }
    }

    #[test]
    fn elements_below_the_maximum_depth_must_be_well_formed() {
        let open = "<a>".repeat(MAX_DEPTH + 10);
        for wrong in ["</b>", "<a x='1' y>", "&what;", "<a x='<'/>", "\u{1}", "<!DOCTYPE a>"] {
            assert!(events(&format!("{open}{wrong}"), 100).is_err(), "{wrong}");
        }
        assert!(events(&format!("{open}{}</a>", "</a>".repeat(MAX_DEPTH + 10)), 100).is_err(), "one end too many");
    }

    #[test]
    fn events_equal_those_of_rxmls_parser() {
        for text in [
            "<a/>",
            "<a xmlns='n'><b xmlns=''><c/></b><d/></a>",
            "<a xmlns:p='n' p:x='1' x='2' xml:lang='en'><p:b xmlns:p='m' p:x='3'/><p:c/></a>",
            "<a xmlns:p='n' xmlns:p='m'/>",
            "<a x='1' x='2'/>",
            "<a xmlns:p='n' xmlns:q='n' p:x='1' q:x='2'/>",
            "<a><p:b/></a>",
            "<a><b p:x='1'/></a>",
            "<a>t&lt;<![CDATA[<u>]]></a>",
            "<a></b>",
        ] {
            let mut theirs = Vec::new();
            let mut parser = xso::exports::rxml::Parser::default();
            let mut rest = text.as_bytes();
            let theirs = loop {
                match parser.parse(&mut rest, false) {
                    Ok(Some(event)) => theirs.push(event),
                    Ok(None) | Err(EndOrError::NeedMoreData) => break Ok(theirs),
                    Err(EndOrError::Error(error)) => break Err(error.to_string()),
                }
            };
            match (events(text, text.len()), theirs) {
                (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
                (Err(_), Err(_)) => {}
                (ours, theirs) => panic!("{text}: {ours:?}, rxml: {theirs:?}"),
            }
        }
    }

    /// rxml's parser accepts this, although XML does not allow a repeated attribute.
    #[test]
    fn a_repeated_default_namespace_is_an_error() {
        assert!(events("<a xmlns='n' xmlns='m'/>", 100).is_err());
    }

    /// rxml's parser takes minutes for 200,000 elements.
    #[test]
    fn nesting_takes_linear_time() {
        for open in ["<a>", "<p:a>"] {
            let text = |n| format!("<s xmlns:p='n'>{}", open.repeat(n));
            assert_linear(25_000, text, |text| assert_eq!(events(&text, 8192).unwrap().len(), MAX_DEPTH));
        }
    }

    #[test]
    fn many_declarations_take_linear_time() {
        let text = |n| {
            let declared = (0..n).map(|n| format!(" xmlns:p{n}='n{n}'")).collect::<Vec<_>>().concat();
            let used = (0..n).map(|n| format!(" p{n}:a=''")).collect::<Vec<_>>().concat();
            format!("<s{declared}><a{used}/>")
        };
        assert_linear(2_500, text, |text| assert_eq!(events(&text, 8192).unwrap().len(), 3));
    }
}
