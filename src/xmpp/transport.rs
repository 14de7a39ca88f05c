//! The connection under an XML stream: TCP, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// How long sent bytes may remain unacknowledged before the system closes the connection. Detects a dead link during a
/// write, when the keepalive does not.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// The label of the `tls-exporter` channel binding (RFC 9266 4.2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Bytes of the read buffer, which each stream keeps. Most stanzas fit; with TLS a further read is no system call.
const READ_BUFFER: usize = 1024;

/// TCP, or TLS over TCP.
#[derive(Debug)]
pub enum Transport {
    /// No TLS.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// A connection in memory, for tests: a paused clock does not wait for events of the system.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

/// The connection that an XML stream uses.
pub type Buffered = BufReader<Transport>;

impl Transport {
    /// Opens a TCP connection.
    ///
    /// # Errors
    /// The error of the system.
    pub async fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        // An answer is a single write, and must not be delayed.
        stream.set_nodelay(true)?;
        let millis = u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&stream, millis)?;
        Ok(Self::Plain(stream))
    }

    /// Adds the read buffer.
    #[must_use]
    pub fn buffered(self) -> Buffered {
        BufReader::with_capacity(READ_BUFFER, self)
    }

    /// Acknowledges what arrives next without delay. The server's TLS session tickets are a write of its own, and until they
    /// are acknowledged Nagle's algorithm keeps back the stream features that follow, for up to 40 ms.
    pub fn acknowledge_at_once(&self) {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            #[cfg(test)]
            Self::Memory(_) => return,
        };
        // Without it the login takes longer, and works.
        let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Returns the `tls-exporter` channel binding (RFC 9266); `None` below TLS 1.3, where it is not unique without
    /// further conditions.
    #[must_use]
    pub fn channel_binding(&self) -> Option<Vec<u8>> {
        let Self::Tls(stream) = self else { return None };
        let connection = stream.get_ref().1;
        if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return None;
        }
        connection.export_keying_material(vec![0; 32], EXPORTER_LABEL, Some(b"")).ok()
    }

    /// Describes TLS version and session resumption, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self::Tls(stream) = self else { return "no TLS".to_owned() };
        let connection = stream.get_ref().1;
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        let resumed = matches!(connection.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
        if resumed { format!("{version}, session resumed") } else { version.to_owned() }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
