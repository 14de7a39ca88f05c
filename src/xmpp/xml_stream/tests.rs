mod hostile;
mod reading;
mod writing;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, DuplexStream, ReadBuf};

use super::*;
use crate::xmpp::ns;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='a.test' version='1.0'>";

/// A connection that delivers exactly these pieces, with a pause before each, and then ends. It records each write.
struct Pieces {
    left: VecDeque<Vec<u8>>,
    paused: bool,
    writes: Vec<Vec<u8>>,
}

impl Pieces {
    fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect();
        Self { left: pieces, paused: false, writes: Vec::new() }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        unreachable!("a stream reads through the buffer")
    }
}

impl AsyncBufRead for Pieces {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.paused = !this.paused;
        // The end comes without a pause, as when a server closes the connection right after its last data.
        if this.paused && !this.left.is_empty() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(this.left.front().map(Vec::as_slice).unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        if let Some(piece) = self.left.front_mut() {
            piece.drain(..amount);
            if piece.is_empty() {
                self.left.pop_front();
            } else {
                // There is no pause within a piece.
                self.paused = true;
            }
        }
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.push(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3600), test).await.expect("the test hangs") })
}

/// The debug output of all that a stream yields, and of the fault that ends it.
async fn read_all<Io: AsyncBufRead + AsyncWrite + Unpin>(stream: &mut XmlStream<Io>) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match stream.next().await {
            Ok(received) => all.push(format!("{received:?}")),
            Err(fault) => {
                all.push(format!("{fault:?}"));
                return all;
            }
        }
    }
}

fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    run(async { read_all(&mut XmlStream::new(Pieces::new(pieces))).await })
}

fn read(text: &str) -> Vec<String> {
    read_pieces([text.as_bytes()])
}

/// A stream and the server's end of its connection, which holds `room` bytes in each direction.
fn connected(room: usize) -> (XmlStream<BufReader<DuplexStream>>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(room);
    (XmlStream::new(BufReader::new(ours)), theirs)
}
