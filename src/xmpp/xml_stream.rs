//! An XML stream (RFC 6120 4) over anything that can be read and written, driven from one task.
//!
//! Reading and writing go on side by side: [`XmlStream::next`] writes what is queued while it waits for the next
//! element, so that a server that waits for us to read cannot block us in a write. An element is queued as a whole and
//! leaves in one write.
//!
//! The parser is rxml's, as in tokio-xmpp, but with a token limit of our own: tokio-xmpp's `XmlStream` fixes it at 8 KiB,
//! and then one attribute of 9 KiB in a stranger's message ends the stream.
#![allow(clippy::transmute_ptr_to_ptr, reason = "rxml's macro for names does it, in the expanded code")]

mod fault;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use xso::exports::rxml::{
    self, AttrMap, Event, Namespace,
    error::EndOrError,
    writer::{Encoder, SimpleNamespaces, TrackNamespace},
    xml_ncname,
};
use xso::{AsXml, Context, FromEventsBuilder, FromXml};

pub use self::fault::StreamFault;
use self::fault::{broken, impossible, not_xml, unwritable};
use super::incoming::{Element, ElementBuilder};
use super::ns;
use super::parser::Parser;

/// The largest element that is read. Servers let stanzas of 256 KiB through; four times that is room for all of them, and
/// little enough for a device with 64 MiB.
pub const MAX_ELEMENT: usize = 1024 * 1024;

/// The longest attribute value or name: longer than the largest element by more than one read, so that it is always
/// [`MAX_ELEMENT`] that is exceeded first.
const MAX_TOKEN: usize = MAX_ELEMENT + 64 * 1024;

/// The most that waits to be written. More means that the server no longer reads what it asks us to answer.
const MAX_QUEUED: usize = 1024 * 1024;

/// Below so many queued bytes, more is taken from where it takes less memory than as bytes.
const ROOM: usize = MAX_QUEUED / 2;

/// What came in.
#[derive(Debug)]
pub enum Received {
    /// The server's stream header, with the attributes that matter.
    Header {
        /// The stream's id.
        id: Option<String>,
        /// Who the server says it is.
        from: Option<String>,
    },
    /// A whole element.
    Element(Box<Element>),
    /// `</stream:stream>`: the server has closed the stream.
    Footer,
}

/// What [`XmlStream::next_or`] has found.
#[derive(Debug)]
pub enum Next<T> {
    /// Something to send.
    Item(T),
    /// Something that came in.
    Received(Received),
}

enum Reading {
    /// Before the server's header.
    Header,
    /// Between two elements.
    Between,
    /// Within one.
    Element(Box<ElementBuilder>),
    /// After the footer.
    Ended,
}

/// An XML stream.
pub struct XmlStream<Io> {
    io: Io,
    parser: Parser,
    reading: Reading,
    /// Bytes of the element that is being read.
    element_bytes: usize,
    writer: Encoder<SimpleNamespaces>,
    queued: BytesMut,
    last_received: Rc<Cell<Instant>>,
}

fn new_writer() -> Encoder<SimpleNamespaces> {
    let mut writer = Encoder::new();
    writer.ns_tracker_mut().declare_fixed(Some(xml_ncname!("stream")), ns::STREAM.into());
    writer.ns_tracker_mut().declare_fixed(None, ns::CLIENT.into());
    writer
}

impl<Io: AsyncBufRead + AsyncWrite + Unpin> XmlStream<Io> {
    /// A stream over `io` on which nothing has been said yet.
    pub fn new(io: Io) -> Self {
        Self {
            io,
            parser: Parser::new(MAX_TOKEN),
            reading: Reading::Header,
            element_bytes: 0,
            writer: new_writer(),
            queued: BytesMut::new(),
            last_received: Rc::new(Cell::new(Instant::now())),
        }
    }

    /// The connection under the stream.
    pub fn io(&self) -> &Io {
        &self.io
    }

    /// When the last byte came in; the cell goes on being kept up to date while somebody else drives the stream.
    pub fn last_received(&self) -> Rc<Cell<Instant>> {
        Rc::clone(&self.last_received)
    }

    /// Ends the XML, keeps the connection: for STARTTLS.
    pub fn into_io(self) -> Io {
        self.io
    }

    /// Forgets the XML so far and opens a new stream on the same connection (RFC 6120 4.3.3): after SASL.
    ///
    /// # Errors
    /// Writing fails only in the encoder.
    pub fn restart(&mut self, to: &str) -> Result<(), StreamFault> {
        self.parser = Parser::new(MAX_TOKEN);
        self.writer = new_writer();
        self.reading = Reading::Header;
        self.element_bytes = 0;
        self.open(to)
    }

    /// Queues our stream header (RFC 6120 4.7).
    ///
    /// # Errors
    /// Only if `to` holds characters that XML cannot hold.
    pub fn open(&mut self, to: &str) -> Result<(), StreamFault> {
        use rxml::Item;
        let stream = xml_ncname!("stream");
        for item in [
            Item::XmlDeclaration(rxml::XmlVersion::V1_0),
            Item::ElementHeadStart(Namespace::from(ns::STREAM), stream),
            Item::Attribute(Namespace::NONE, xml_ncname!("to"), to),
            Item::Attribute(Namespace::NONE, xml_ncname!("version"), "1.0"),
            Item::Attribute(Namespace::XML, xml_ncname!("lang"), "en"),
            Item::ElementHeadEnd,
        ] {
            self.encode(item)?;
        }
        Ok(())
    }

    fn encode(&mut self, item: rxml::Item<'_>) -> Result<(), StreamFault> {
        self.writer.encode_into_bytes(item, &mut self.queued).map_err(unwritable)
    }

    /// Queues one element. It is written by the next call of [`next`](Self::next) or [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`StreamFault::NotRead`] when too much is queued. An element that XML cannot hold is an error too, and leaves
    /// nothing behind in the queue; but the stream is of no more use, because its writer stopped inside the element.
    pub fn queue(&mut self, element: &impl AsXml) -> Result<(), StreamFault> {
        if self.queued.len() > MAX_QUEUED {
            return Err(StreamFault::NotRead);
        }
        let before = self.queued.len();
        let result = element.as_xml_iter().map_err(unwritable).and_then(|items| {
            for item in items {
                self.encode(item.map_err(unwritable)?.as_rxml_item())?;
            }
            Ok(())
        });
        if result.is_err() {
            self.queued.truncate(before);
        }
        result
    }

    /// Queues `</stream:stream>`.
    pub fn close(&mut self) {
        // The footer is the one thing that is written without the encoder: it must go out whatever state that is in.
        self.queued.extend_from_slice(b"</stream:stream>");
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn flush(&mut self) -> Result<(), StreamFault> {
        poll_fn(|cx| self.poll_write(cx)).await.map_err(StreamFault::Io)
    }

    /// Ends the connection's sending side (TLS `close_notify`, TCP FIN).
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }

    /// Reads the next thing, and writes what is queued meanwhile. Cancelling loses nothing.
    ///
    /// # Errors
    /// After an error the stream is of no more use.
    pub async fn next(&mut self) -> Result<Received, StreamFault> {
        match self.next_or(|_| Poll::<Infallible>::Pending).await? {
            Next::Received(received) => Ok(received),
        }
    }

    /// As [`next`](Self::next), but takes from `source` as well, and first, while the queue has room. Room is looked for
    /// after each write, and not only when the call begins: the server may read for a long time without sending anything.
    ///
    /// # Errors
    /// After an error the stream is of no more use.
    pub async fn next_or<T>(
        &mut self,
        mut source: impl FnMut(&mut TaskContext<'_>) -> Poll<T>,
    ) -> Result<Next<T>, StreamFault> {
        poll_fn(|cx| {
            let written = self.poll_write(cx);
            if self.queued.len() < ROOM
                && let Poll::Ready(item) = source(cx)
            {
                return Poll::Ready(Ok(Next::Item(item)));
            }
            // A failed write is not reported before everything that came in has been read: the server may have said why.
            match (self.poll_read(cx), written) {
                (Poll::Ready(received), _) => Poll::Ready(received.map(Next::Received)),
                (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(StreamFault::Io(error))),
                (Poll::Pending, _) => Poll::Pending,
            }
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.queued))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queued.advance(written);
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Received, StreamFault>> {
        loop {
            // Text that is awaited whole is kept together; between elements white space must not pile up.
            self.parser.set_text_buffering(matches!(self.reading, Reading::Element(_)));
            match ready!(self.poll_event(cx)) {
                Ok(Some(event)) => {
                    if let Some(received) = self.take(event)? {
                        return Poll::Ready(Ok(received));
                    }
                }
                Ok(None) => return Poll::Ready(Err(StreamFault::Closed)),
                Err(fault) => return Poll::Ready(Err(fault)),
            }
        }
    }

    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Option<Event>, StreamFault>> {
        loop {
            // The parser may hold an event that needs no further byte: the end of an empty element. None may come.
            match self.parser.parse(&mut &[][..]) {
                Ok(event) => return Poll::Ready(Ok(event)),
                Err(EndOrError::NeedMoreData) => {}
                Err(EndOrError::Error(error)) => return Poll::Ready(Err(not_xml(&error))),
            }
            let buffer = match ready!(Pin::new(&mut self.io).poll_fill_buf(cx)) {
                Ok(buffer) => buffer,
                Err(error) => return Poll::Ready(Err(broken(error))),
            };
            if buffer.is_empty() {
                return Poll::Ready(Ok(None));
            }
            let mut rest = buffer;
            let before = rest.len();
            let parsed = self.parser.parse(&mut rest);
            let consumed = before - rest.len();
            Pin::new(&mut self.io).consume(consumed);
            self.last_received.set(Instant::now());
            self.element_bytes = self.element_bytes.saturating_add(consumed);
            match parsed {
                Ok(event) => return Poll::Ready(Ok(event)),
                Err(EndOrError::NeedMoreData) => {}
                Err(EndOrError::Error(error)) => return Poll::Ready(Err(not_xml(&error))),
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
        match (&mut self.reading, event) {
            (_, Event::XmlDeclaration(..)) => Ok(None),
            (Reading::Header, Event::StartElement(_, (namespace, name), attributes)) => {
                if namespace != ns::STREAM || name != "stream" {
                    return Err(StreamFault::NotXmpp(name.to_string()));
                }
                self.between();
                Ok(Some(header(attributes)))
            }
            (Reading::Between, Event::StartElement(_, name, attributes)) => {
                let builder = Element::from_events(name, attributes, &Context::empty()).map_err(impossible)?;
                self.reading = Reading::Element(Box::new(builder));
                Ok(None)
            }
            (Reading::Element(builder), event) => match builder.feed(event, &Context::empty()) {
                Ok(None) => Ok(None),
                Ok(Some(element)) => {
                    self.between();
                    Ok(Some(Received::Element(Box::new(element))))
                }
                Err(error) => Err(StreamFault::NotXml(error.to_string())),
            },
            (Reading::Between, Event::EndElement(_)) => {
                self.reading = Reading::Ended;
                Ok(Some(Received::Footer))
            }
            (Reading::Header | Reading::Between, Event::Text(_, text)) => {
                self.element_bytes = 0;
                if text.bytes().all(|byte| b" \t\r\n".contains(&byte)) {
                    Ok(None)
                } else {
                    Err(StreamFault::NotXml("text between elements".to_owned()))
                }
            }
            (Reading::Header, Event::EndElement(_)) | (Reading::Ended, _) => Err(StreamFault::Closed),
        }
    }

    fn between(&mut self) {
        self.reading = Reading::Between;
        self.element_bytes = 0;
        // What one large element needed is given back.
        self.parser.release_temporaries();
    }
}

fn header(mut attributes: AttrMap) -> Received {
    let mut attribute = |name| attributes.remove(Namespace::none(), name);
    Received::Header { id: attribute("id"), from: attribute("from") }
}

#[cfg(test)]
mod tests;
