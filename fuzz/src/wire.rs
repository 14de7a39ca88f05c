//! A server and xmppd on the two ends of a pair of sockets, in one thread, with a clock that stands still while anything
//! is to be done.

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

/// Runs this to its end.
pub fn run<F: Future>(work: F) -> F::Output {
    RUNTIME.with_borrow_mut(|runtime| {
        let new = || Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.get_or_insert_with(new).block_on(work)
    })
}

/// Two ends. A local socket reads and writes as a TCP connection does.
pub fn pair() -> (TcpStream, TcpStream) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("two sockets");
    let end = |fd| TcpStream::from_std(net::TcpStream::from(fd)).expect("a socket");
    (end(one), end(other))
}

/// Writes all of it in pieces of this size, and reads meanwhile, into `read`; false if the other side has left.
pub async fn exchange<S>(socket: &mut S, bytes: &[u8], piece: usize, read: &mut Vec<u8>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = tokio::io::split(socket);
    let write = async {
        for piece in bytes.chunks(piece.max(1)) {
            if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
                return;
            }
            // What is read next is to be this piece alone.
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

/// Reads until nothing more comes; false if the other side has left.
pub async fn listen<S>(socket: &mut S, patience: Duration, read: &mut Vec<u8>) -> bool
where
    S: AsyncRead + Unpin,
{
    let mut buffer = [0; 8192];
    loop {
        match tokio::time::timeout(patience, socket.read(&mut buffer)).await {
            Err(_) => return true,
            Ok(Ok(count @ 1..)) => read.extend_from_slice(&buffer[..count]),
            Ok(_) => return false,
        }
    }
}

/// The words of the first line, and what is below it.
pub fn first_line(input: &[u8]) -> (Vec<&str>, &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let (line, rest) = input.split_at(end);
    let words = std::str::from_utf8(line).map(|line| line.split(' ').collect()).unwrap_or_default();
    (words, rest.get(1..).unwrap_or_default())
}
