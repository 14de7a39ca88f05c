//! An XML stream (RFC 6120 4) over any connection, driven by one task.
//!
//! [`XmlStream::next`] writes what is queued while it waits for the next element. So a server that stops reading until
//! we read does not block us. Each element is queued as a whole, and leaves in one write.
//!
//! The parser is rxml's, as in tokio-xmpp, but with a higher token limit: tokio-xmpp's `XmlStream` has 8 KiB, so that
//! one attribute of 9 KiB, in a message of any sender, ends the stream.
#![allow(clippy::transmute_ptr_to_ptr, reason = "in the expanded code of rxml's macro for names")]

mod fault;
mod reader;
mod writer;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use xso::AsXml;

pub use self::fault::{MAX_ELEMENT, StreamFault};
use self::reader::ElementReader;
pub use self::reader::Received;
use self::writer::ElementWriter;

/// What [`XmlStream::next_or`] returns.
#[derive(Debug)]
pub enum Next<T> {
    /// An item of the source.
    Item(T),
    /// What the server sent.
    Received(Received),
}

/// An XML stream. After an error it can only be closed.
pub struct XmlStream<Io> {
    io: Io,
    reader: ElementReader,
    writer: ElementWriter,
}

impl<Io: AsyncBufRead + AsyncWrite + Unpin> XmlStream<Io> {
    /// Creates a stream over a connection. The header is still to be sent: see [`open`](Self::open).
    pub fn new(io: Io) -> Self {
        Self { io, reader: ElementReader::new(), writer: ElementWriter::new() }
    }

    /// The connection under the stream.
    pub fn io(&self) -> &Io {
        &self.io
    }

    /// The time of the last received byte. The cell is updated while the stream is read.
    pub fn last_received(&self) -> Rc<Cell<Instant>> {
        self.reader.last_received()
    }

    /// Returns the connection, for STARTTLS.
    pub fn into_io(self) -> Io {
        self.io
    }

    /// Opens a new stream on the same connection (RFC 6120 4.3.3), after SASL.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn restart(&mut self, to: &str) -> Result<(), StreamFault> {
        self.reader.restart();
        self.writer.restart();
        self.open(to)
    }

    /// Queues our stream header (RFC 6120 4.7).
    ///
    /// # Errors
    /// XML cannot represent a character of `to`.
    pub fn open(&mut self, to: &str) -> Result<(), StreamFault> {
        self.writer.open(to)
    }

    /// Queues an element. The next call of [`next`](Self::next) or [`flush`](Self::flush) writes it.
    ///
    /// # Errors
    /// [`StreamFault::NotRead`]: too much is queued. [`StreamFault::Io`]: XML cannot represent the element; nothing of
    /// it is queued.
    pub fn queue(&mut self, element: &impl AsXml) -> Result<(), StreamFault> {
        self.writer.queue(element)
    }

    /// Queues `</stream:stream>`.
    pub fn close(&mut self) {
        self.writer.close();
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn flush(&mut self) -> Result<(), StreamFault> {
        poll_fn(|cx| self.writer.poll_write(&mut self.io, cx)).await.map_err(StreamFault::Io)
    }

    /// Ends the sending direction of the connection (TLS `close_notify`, TCP FIN).
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.io.shutdown().await
    }

    /// Returns what the server sends next, and writes what is queued meanwhile. Cancel safe.
    ///
    /// # Errors
    /// The stream can no longer be used.
    pub async fn next(&mut self) -> Result<Received, StreamFault> {
        match self.next_or(|_| Poll::<Infallible>::Pending).await? {
            Next::Received(received) => Ok(received),
        }
    }

    /// As [`next`](Self::next), but also polls `source`, before writing and reading, while the queue has room: all that is
    /// ready at once leaves in one write. A write makes room; the server may read for a long time without sending anything.
    ///
    /// # Errors
    /// The stream can no longer be used.
    pub async fn next_or<T>(
        &mut self,
        mut source: impl FnMut(&mut TaskContext<'_>) -> Poll<T>,
    ) -> Result<Next<T>, StreamFault> {
        poll_fn(|cx| {
            let written = loop {
                let had_room = self.writer.has_room();
                if had_room && let Poll::Ready(item) = source(cx) {
                    return Poll::Ready(Ok(Next::Item(item)));
                }
                let written = self.writer.poll_write(&mut self.io, cx);
                if had_room || !self.writer.has_room() {
                    break written;
                }
            };
            // A failed write is reported after all received data: the server may have sent the reason.
            match (self.reader.poll(&mut self.io, cx), written) {
                (Poll::Ready(received), _) => Poll::Ready(received.map(Next::Received)),
                (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(StreamFault::Io(error))),
                (Poll::Pending, _) => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests;
