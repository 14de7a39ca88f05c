//! Where `ubusd` listens.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// The sockets since release 21.02 of the system and before, in the order in which they are tried.
pub const DEFAULT_SOCKETS: [&str; 2] = ["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"];

/// Opens a connection to `ubusd`. Tests use other streams than sockets.
pub trait Dial {
    /// The connection.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Opens one.
    fn dial(&self) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// Sockets that are tried in order until one can be connected to.
#[derive(Debug, Clone)]
pub struct Sockets(Vec<PathBuf>);

impl Sockets {
    /// The one that was given, or [`DEFAULT_SOCKETS`].
    #[must_use]
    pub fn new(given: Option<&Path>) -> Self {
        Self(given.map_or_else(|| DEFAULT_SOCKETS.map(PathBuf::from).to_vec(), |path| vec![path.to_owned()]))
    }
}

impl Dial for Sockets {
    type Stream = UnixStream;

    async fn dial(&self) -> io::Result<UnixStream> {
        let mut first = None;
        for path in &self.0 {
            match UnixStream::connect(path).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    let text = format!("{}: {error}", path.display());
                    first.get_or_insert(io::Error::new(error.kind(), text));
                }
            }
        }
        Err(first.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
    }
}
