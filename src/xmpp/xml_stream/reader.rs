//! The incoming half of a stream: from bytes to elements.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use tokio::io::AsyncBufRead;
use tokio::time::Instant;
use xso::exports::rxml::error::EndOrError;
use xso::exports::rxml::{AttrMap, Event, Namespace};
use xso::{Context, FromEventsBuilder, FromXml};

use super::fault::{MAX_ELEMENT, StreamFault};
use crate::xmpp::incoming::{Element, ElementBuilder};
use crate::xmpp::ns;
use crate::xmpp::xml_parser::XmlParser;

/// Maximum length of an attribute value or a name, bytes. By more than one read above [`MAX_ELEMENT`], so that the
/// latter is always exceeded first.
const MAX_TOKEN: usize = MAX_ELEMENT + 64 * 1024;

/// What a server sends.
#[derive(Debug)]
pub enum Received {
    /// The stream header.
    Header {
        /// The stream's id.
        id: Option<String>,
        /// The server's name for itself.
        from: Option<String>,
    },
    /// A complete element.
    Element(Box<Element>),
    /// `</stream:stream>`: the server has closed the stream.
    Footer,
}

enum ReaderState {
    BeforeHeader,
    BetweenElements,
    WithinElement(Box<ElementBuilder>),
    AfterFooter,
}

/// Reads a stream's elements.
pub(super) struct ElementReader {
    parser: XmlParser,
    state: ReaderState,
    /// Bytes read of the current element.
    element_bytes: usize,
    last_received: Rc<Cell<Instant>>,
}

impl ElementReader {
    pub(super) fn new() -> Self {
        Self {
            parser: XmlParser::new(MAX_TOKEN),
            state: ReaderState::BeforeHeader,
            element_bytes: 0,
            last_received: Rc::new(Cell::new(Instant::now())),
        }
    }

    /// Begins a new stream.
    pub(super) fn restart(&mut self) {
        *self = Self { last_received: Rc::clone(&self.last_received), ..Self::new() };
    }

    pub(super) fn last_received(&self) -> Rc<Cell<Instant>> {
        Rc::clone(&self.last_received)
    }

    pub(super) fn poll<Io: AsyncBufRead + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Received, StreamFault>> {
        loop {
            // Within an element text is reported as a whole. Between elements, white space must not accumulate.
            self.parser.set_text_buffering(matches!(self.state, ReaderState::WithinElement(_)));
            let Some(event) = ready!(self.poll_event(io, cx))? else { return Poll::Ready(Err(StreamFault::Closed)) };
            if let Some(received) = self.take(event)? {
                return Poll::Ready(Ok(received));
            }
        }
    }

    fn poll_event<Io: AsyncBufRead + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Event>, StreamFault>> {
        loop {
            // The parser may hold what needs no further byte, the end of an empty element or an error; and the connection
            // may have ended.
            match self.parser.parse(&mut &[][..]) {
                Ok(event) => return Poll::Ready(Ok(event)),
                Err(EndOrError::NeedMoreData) if matches!(self.state, ReaderState::WithinElement(_)) => {}
                // Each call reserves memory for the longest token, which an idle stream must not hold.
                Err(EndOrError::NeedMoreData) => self.parser.release_temporaries(),
                Err(EndOrError::Error(error)) => return Poll::Ready(Err(StreamFault::parsing(&error))),
            }
            let buffer = ready!(Pin::new(&mut *io).poll_fill_buf(cx)).map_err(StreamFault::reading)?;
            if buffer.is_empty() {
                return Poll::Ready(Ok(None));
            }
            let mut rest = buffer;
            let before = rest.len();
            let parsed = self.parser.parse(&mut rest);
            let consumed = before - rest.len();
            Pin::new(&mut *io).consume(consumed);
            self.last_received.set(Instant::now());
            self.element_bytes = self.element_bytes.saturating_add(consumed);
            match parsed {
                Ok(event) => return Poll::Ready(Ok(event)),
                Err(EndOrError::NeedMoreData) => {}
                Err(EndOrError::Error(error)) => return Poll::Ready(Err(StreamFault::parsing(&error))),
            }
            if self.element_bytes > MAX_ELEMENT {
                return Poll::Ready(Err(StreamFault::TooLarge));
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<Option<Received>, StreamFault> {
        if self.element_bytes > MAX_ELEMENT {
            return Err(StreamFault::TooLarge);
        }
        match (&mut self.state, event) {
            (_, Event::XmlDeclaration(..)) => Ok(None),
            (ReaderState::BeforeHeader, Event::StartElement(_, (namespace, name), attributes)) => {
                if namespace != ns::STREAM || name != "stream" {
                    return Err(StreamFault::NotXmpp(name.to_string()));
                }
                self.await_element();
                Ok(Some(header(attributes)))
            }
            (ReaderState::BetweenElements, Event::StartElement(_, name, attributes)) => {
                let builder = Element::from_events(name, attributes, &Context::empty())?;
                self.state = ReaderState::WithinElement(Box::new(builder));
                Ok(None)
            }
            (ReaderState::WithinElement(builder), event) => match builder.feed(event, &Context::empty()) {
                Ok(None) => Ok(None),
                Ok(Some(element)) => {
                    self.await_element();
                    Ok(Some(Received::Element(Box::new(element))))
                }
                Err(error) => Err(StreamFault::NotXml(error.to_string())),
            },
            (ReaderState::BetweenElements, Event::EndElement(_)) => {
                self.state = ReaderState::AfterFooter;
                Ok(Some(Received::Footer))
            }
            (ReaderState::BeforeHeader | ReaderState::BetweenElements, Event::Text(_, text)) => {
                self.element_bytes = 0;
                if text.bytes().all(|byte| b" \t\r\n".contains(&byte)) {
                    Ok(None)
                } else {
                    Err(StreamFault::NotXml("text between elements".to_owned()))
                }
            }
            (ReaderState::BeforeHeader, Event::EndElement(_)) | (ReaderState::AfterFooter, _) => {
                Err(StreamFault::Closed)
            }
        }
    }

    fn await_element(&mut self) {
        self.state = ReaderState::BetweenElements;
        self.element_bytes = 0;
    }
}

fn header(mut attributes: AttrMap) -> Received {
    let mut attribute = |name| attributes.remove(Namespace::none(), name);
    Received::Header { id: attribute("id"), from: attribute("from") }
}
