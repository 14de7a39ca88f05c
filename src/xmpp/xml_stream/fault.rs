//! Why a stream is over, and what of the parser's and the system's errors means which.

use std::io;

use xso::error::FromEventsError;
use xso::exports::rxml;

use super::MAX_ELEMENT;

/// Why nothing more can be read from, or written to, a stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamFault {
    /// The connection failed.
    #[error("{0}")]
    Io(io::Error),
    /// The connection ended without `</stream:stream>`.
    #[error("the server closed the connection")]
    Closed,
    /// What came is not XML as RFC 6120 11 allows it.
    #[error("the server sent something that is not XML ({0})")]
    NotXml(String),
    /// What came is XML that RFC 6120 11.1 forbids.
    #[error("the server sent a comment, a processing instruction or a DTD, which XMPP forbids")]
    Restricted,
    /// What came is XML but not a stream.
    #[error("the server does not speak XMPP (its stream begins with <{0}/>)")]
    NotXmpp(String),
    /// An element of more than [`MAX_ELEMENT`] bytes.
    #[error("the server sent an element of more than {MAX_ELEMENT} bytes")]
    TooLarge,
    /// No sign of life, though one was asked for.
    #[error("no sign of life from the server for {0} s")]
    Silent(u64),
    /// The server has stopped reading.
    #[error("the server does not read what is sent to it")]
    NotRead,
}

/// An end without TLS's own word of farewell is an end all the same.
pub(super) fn broken(error: io::Error) -> StreamFault {
    if error.kind() == io::ErrorKind::UnexpectedEof { StreamFault::Closed } else { StreamFault::Io(error) }
}

pub(super) fn not_xml(error: &rxml::Error) -> StreamFault {
    match error {
        // Nothing is too long for the parser that is not too long for us before.
        // A DTD is known to the parser only as a `<!` that begins neither a comment nor a CDATA section.
        rxml::Error::RestrictedXml(_) | rxml::Error::InvalidSyntax("malformed cdata or comment section start") => {
            StreamFault::Restricted
        }
        _ => StreamFault::NotXml(error.to_string()),
    }
}

pub(super) fn unwritable(error: impl std::fmt::Display) -> StreamFault {
    StreamFault::Io(io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
}

/// [`Element`] takes every name; this arm exists for the type alone.
pub(super) fn impossible(_: FromEventsError) -> StreamFault {
    StreamFault::NotXml("an element that cannot be begun".to_owned())
}
