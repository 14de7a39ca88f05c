//! Why a stream can no longer be used.

use std::fmt::Display;
use std::io;

use xso::error::FromEventsError;
use xso::exports::rxml;

/// Maximum size of an element, bytes: four times the stanzas of 256 KiB that servers let through, and little enough for
/// a device with 64 MiB of memory.
pub const MAX_ELEMENT: usize = 1024 * 1024;

/// Why a stream can no longer be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamFault {
    /// The connection failed.
    #[error("{0}")]
    Io(io::Error),
    /// The connection ended without `</stream:stream>`.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed the stream where more was expected.
    #[error("the server closed the stream")]
    Footer,
    /// The server sent malformed XML, or text between elements.
    #[error("the server sent something that is not XML ({0})")]
    NotXml(String),
    /// The server sent XML that RFC 6120 11.1 forbids.
    #[error("the server sent a comment, a processing instruction or a DTD, which XMPP forbids")]
    Restricted,
    /// The root element is not that of a stream.
    #[error("the server does not speak XMPP (its stream begins with <{0}/>)")]
    NotXmpp(String),
    /// The server sent an element of more than [`MAX_ELEMENT`] bytes.
    #[error("the server sent an element of more than {MAX_ELEMENT} bytes")]
    TooLarge,
    /// The server did not answer a keepalive for this many seconds.
    #[error("nothing received from the server for {0} s")]
    Silent(u64),
    /// The server has stopped reading.
    #[error("the server does not read what is sent to it")]
    NotRead,
}

impl StreamFault {
    /// Converts an error of reading. The end of TCP without TLS's `close_notify` is an ordinary end.
    pub(super) fn reading(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }

    /// Converts an error of the parser.
    pub(super) fn parsing(error: &rxml::Error) -> Self {
        match error {
            // rxml reports a DTD as a `<!` that begins neither a comment nor a CDATA section.
            rxml::Error::RestrictedXml(_) | rxml::Error::InvalidSyntax("malformed cdata or comment section start") => {
                Self::Restricted
            }
            _ => Self::NotXml(error.to_string()),
        }
    }

    /// Converts an error of the encoder.
    pub(super) fn encoding(error: impl Display) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }
}

/// [`Element`](crate::xmpp::incoming::Element) accepts every name: this error does not occur.
impl From<FromEventsError> for StreamFault {
    fn from(_: FromEventsError) -> Self {
        Self::NotXml("an element that cannot be begun".to_owned())
    }
}
