//! The outgoing half of a stream: a queue of encoded elements.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;
use xso::AsXml;
use xso::exports::rxml::writer::{Encoder, SimpleNamespaces, TrackNamespace};
use xso::exports::rxml::{Item, Namespace, XmlVersion, xml_ncname};

use super::fault::StreamFault;
use crate::xmpp::ns;

/// Maximum number of queued bytes. Beyond it the server no longer reads what it asks us to answer.
pub(super) const MAX_QUEUED: usize = 1024 * 1024;

/// With fewer queued bytes there is room for another element.
const ROOM: usize = MAX_QUEUED / 2;

/// Encodes elements, and queues their bytes until they are written.
pub(super) struct ElementWriter {
    encoder: Encoder<SimpleNamespaces>,
    pub(super) queued: BytesMut,
}

impl ElementWriter {
    pub(super) fn new() -> Self {
        Self { encoder: new_encoder(), queued: BytesMut::new() }
    }

    /// Begins a new stream. What is queued stays queued.
    pub(super) fn restart(&mut self) {
        self.encoder = new_encoder();
    }

    pub(super) fn has_room(&self) -> bool {
        self.queued.len() < ROOM
    }

    /// Queues the stream header (RFC 6120 4.7).
    pub(super) fn open(&mut self, to: &str) -> Result<(), StreamFault> {
        let stream = xml_ncname!("stream");
        for item in [
            Item::XmlDeclaration(XmlVersion::V1_0),
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

    /// Queues one element; nothing of it in case of an error.
    pub(super) fn queue(&mut self, element: &impl AsXml) -> Result<(), StreamFault> {
        if self.queued.len() > MAX_QUEUED {
            return Err(StreamFault::NotRead);
        }
        let before = self.queued.len();
        let result = element.as_xml_iter().map_err(StreamFault::encoding).and_then(|items| {
            for item in items {
                self.encode(item.map_err(StreamFault::encoding)?.as_rxml_item())?;
            }
            Ok(())
        });
        if result.is_err() {
            self.queued.truncate(before);
        }
        result
    }

    /// Queues `</stream:stream>`, without the encoder: it must be sent even if the encoder has failed within an
    /// element.
    pub(super) fn close(&mut self) {
        self.queued.extend_from_slice(b"</stream:stream>");
    }

    pub(super) fn poll_write<Io: AsyncWrite + Unpin>(
        &mut self,
        io: &mut Io,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &self.queued))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queued.advance(written);
        }
        Pin::new(io).poll_flush(cx)
    }

    fn encode(&mut self, item: Item<'_>) -> Result<(), StreamFault> {
        self.encoder.encode_into_bytes(item, &mut self.queued).map_err(StreamFault::encoding)
    }
}

fn new_encoder() -> Encoder<SimpleNamespaces> {
    let mut encoder = Encoder::new();
    encoder.ns_tracker_mut().declare_fixed(Some(xml_ncname!("stream")), ns::STREAM.into());
    encoder.ns_tracker_mut().declare_fixed(None, ns::CLIENT.into());
    encoder
}
