//! Connects xmppd and the simulated server by a pair of sockets, in one thread with tokio's paused clock.

use std::cell::RefCell;
use std::future::Future;
use std::net;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Runs a future to completion, on this thread's runtime.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    RUNTIME.with_borrow_mut(|runtime| {
        let new = || Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.get_or_insert_with(new).block_on(work)
    })
}

/// Returns two connected local sockets, which read and write like TCP connections.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("two sockets");
    let end = |fd| TcpStream::from_std(net::TcpStream::from(fd)).expect("a socket");
    (end(one), end(other))
}

/// Writes `bytes` in pieces of `piece` bytes, and appends to `read` what arrives meanwhile. Returns false if the peer
/// has closed the connection.
pub(crate) async fn exchange<S>(socket: &mut S, bytes: &[u8], piece: usize, read: &mut Vec<u8>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = tokio::io::split(socket);
    let write = async {
        for piece in bytes.chunks(piece.max(1)) {
            if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
                return;
            }
            // The peer's next read returns this piece only.
            tokio::task::yield_now().await;
        }
    };
    let keep_reading = async {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            read.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::select! {
        biased;
        () = keep_reading => false,
        () = write => true,
    }
}

/// Appends to `read` what arrives, until nothing has for `quiet`. Returns false if the peer has closed the connection.
pub(crate) async fn receive<S>(socket: &mut S, quiet: Duration, read: &mut Vec<u8>) -> bool
where
    S: AsyncRead + Unpin,
{
    let mut buffer = [0; 8192];
    loop {
        match tokio::time::timeout(quiet, socket.read(&mut buffer)).await {
            Err(_) => return true,
            Ok(Ok(count @ 1..)) => read.extend_from_slice(&buffer[..count]),
            Ok(_) => return false,
        }
    }
}

/// Splits an input into the words of the first line and the rest.
pub(crate) fn split_settings(input: &[u8]) -> (Vec<&str>, &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (line, rest) = input.split_at(end);
    let words = std::str::from_utf8(line).map(|line| line.split(' ').collect()).unwrap_or_default();
    (words, rest.get(1..).unwrap_or_default())
}
