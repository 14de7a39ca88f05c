//! Messages of ubusmsg.h: a header of 8 bytes (version, type, `seq`, `peer`), then one blob with the attributes.

use bytes::{Buf, BytesMut};

use super::attribute::{Attributes, HEADER as BLOB_HEADER, Malformed, length, write, write_text};
use super::blobmsg;
use super::status::StatusCode;
use crate::document::Table;

/// The longest message: its blob, in bytes.
pub const MAX_LENGTH: usize = 1 << 20;

const HEADER: usize = 8;
const VERSION: u8 = 0;

/// The types of messages that are known here.
#[allow(missing_docs, reason = "the names are those of ubusmsg.h")]
pub mod kind {
    pub const HELLO: u8 = 0;
    pub const STATUS: u8 = 1;
    pub const DATA: u8 = 2;
    pub const LOOKUP: u8 = 4;
    pub const INVOKE: u8 = 5;
    pub const ADD_OBJECT: u8 = 6;
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its type, see [`kind`].
    pub kind: u8,
    /// The number of the request.
    pub seq: u16,
    /// The object or client that it is for or from.
    pub peer: u32,
    /// The attributes in their order. Unknown ones are not kept; of several of one id the last one is.
    pub attributes: Vec<Attribute>,
}

/// An attribute of a message.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are those of ubusmsg.h")]
pub enum Attribute {
    Status(StatusCode),
    Path(String),
    Object(u32),
    Method(String),
    Type(u32),
    Signature(Table),
    Data(Table),
    NoReply(bool),
    User(String),
    Group(String),
    /// One of these ids whose payload cannot be read.
    Unreadable(u8, Malformed),
}

const STATUS: u8 = 1;
const PATH: u8 = 2;
const OBJECT: u8 = 3;
const METHOD: u8 = 4;
const TYPE: u8 = 5;
const SIGNATURE: u8 = 6;
const DATA: u8 = 7;
const NO_REPLY: u8 = 10;
const USER: u8 = 12;
const GROUP: u8 = 13;

/// Bytes that are no message: there is no telling where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another version of the protocol, or something else altogether.
    #[error("the peer does not speak the protocol of ubus: version {0} expected=0")]
    Version(u8),
    /// A length below the header's.
    #[error("the peer announces a message of impossible length {0}")]
    Short(usize),
    /// More than [`MAX_LENGTH`].
    #[error("the peer announces a message of {0} bytes, more than {MAX_LENGTH}")]
    Long(usize),
}

/// A message is longer than [`MAX_LENGTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes is longer than {MAX_LENGTH}")]
pub struct TooLong(pub usize);

impl Message {
    /// A message with these attributes.
    #[must_use]
    pub fn new(kind: u8, seq: u16, peer: u32, attributes: Vec<Attribute>) -> Self {
        Self { kind, seq, peer, attributes }
    }

    /// Takes the first message off `input`; none if it is not complete. Messages of unknown types are taken like the
    /// others.
    ///
    /// # Errors
    /// [`FrameError`]
    pub fn take(input: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        if let Some(&version @ 1..) = input.first() {
            return Err(FrameError::Version(version));
        }
        let Some(header) = input.first_chunk::<{ HEADER + BLOB_HEADER }>() else { return Ok(None) };
        let [_, kind, seq_high, seq_low, peer @ .., b0, b1, b2, b3] = *header;
        let length = length([b0, b1, b2, b3]);
        match length {
            ..BLOB_HEADER => return Err(FrameError::Short(length)),
            BLOB_HEADER..=MAX_LENGTH => {}
            _ => return Err(FrameError::Long(length)),
        }
        if input.len() < HEADER + length {
            return Ok(None);
        }
        let attributes = read_attributes(&input[HEADER + BLOB_HEADER..HEADER + length]);
        input.advance(HEADER + length);
        let seq = u16::from_be_bytes([seq_high, seq_low]);
        Ok(Some(Self { kind, seq, peer: u32::from_be_bytes(peer), attributes }))
    }

    /// Appends the message.
    ///
    /// # Errors
    /// [`TooLong`]; nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let start = out.len();
        out.extend_from_slice(&[VERSION, self.kind]);
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.peer.to_be_bytes());
        write(out, false, 0, |out| self.attributes.iter().for_each(|attribute| attribute.write(out)));
        let length = out.len() - start - HEADER;
        if length > MAX_LENGTH {
            out.truncate(start);
            return Err(TooLong(length));
        }
        Ok(())
    }

    /// `STATUS`
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Status(status) => Some(*status),
            _ => None,
        })
    }

    /// `OBJPATH`
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Path(path) => Some(path.as_str()),
            _ => None,
        })
    }

    /// `OBJID`
    #[must_use]
    pub fn object(&self) -> Option<u32> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Object(id) => Some(*id),
            _ => None,
        })
    }

    /// `METHOD`
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Method(method) => Some(method.as_str()),
            _ => None,
        })
    }

    /// Whether the request is not to be answered.
    #[must_use]
    pub fn no_reply(&self) -> bool {
        self.attributes.contains(&Attribute::NoReply(true))
    }

    /// `DATA`; an empty table if there is none.
    ///
    /// # Errors
    /// `Malformed`: it cannot be read.
    pub fn into_data(self) -> Result<Table, Malformed> {
        for attribute in self.attributes {
            match attribute {
                Attribute::Data(table) => return Ok(table),
                Attribute::Unreadable(DATA, error) => return Err(error),
                _ => {}
            }
        }
        Ok(Table::new())
    }
}

impl Attribute {
    fn id(&self) -> u8 {
        match self {
            Self::Status(_) => STATUS,
            Self::Path(_) => PATH,
            Self::Object(_) => OBJECT,
            Self::Method(_) => METHOD,
            Self::Type(_) => TYPE,
            Self::Signature(_) => SIGNATURE,
            Self::Data(_) => DATA,
            Self::NoReply(_) => NO_REPLY,
            Self::User(_) => USER,
            Self::Group(_) => GROUP,
            Self::Unreadable(id, _) => *id,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        write(out, false, self.id(), |out| match self {
            Self::Status(StatusCode(number)) | Self::Object(number) | Self::Type(number) => {
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Path(text) | Self::Method(text) | Self::User(text) | Self::Group(text) => write_text(out, text),
            Self::Signature(table) | Self::Data(table) => blobmsg::encode(out, table),
            Self::NoReply(value) => out.push((*value).into()),
            Self::Unreadable(..) => {}
        });
    }

    /// None for an unknown id.
    fn read(attribute: &super::attribute::RawAttribute<'_>) -> Option<Self> {
        let read = match attribute.id {
            STATUS => attribute.number().map(|number| Self::Status(StatusCode(number))),
            PATH => attribute.text().map(Self::Path),
            OBJECT => attribute.number().map(Self::Object),
            METHOD => attribute.text().map(Self::Method),
            TYPE => attribute.number().map(Self::Type),
            SIGNATURE => blobmsg::decode(attribute.payload).map(Self::Signature),
            DATA => blobmsg::decode(attribute.payload).map(Self::Data),
            NO_REPLY => Ok(Self::NoReply(attribute.payload.first().is_some_and(|&byte| byte != 0))),
            USER => attribute.text().map(Self::User),
            GROUP => attribute.text().map(Self::Group),
            _ => return None,
        };
        Some(read.unwrap_or_else(|error| Self::Unreadable(attribute.id, error)))
    }
}

/// What follows an attribute of impossible length is not read.
fn read_attributes(bytes: &[u8]) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = Vec::new();
    for attribute in Attributes(bytes).map_while(Result::ok).filter_map(|attribute| Attribute::read(&attribute)) {
        match attributes.iter_mut().find(|earlier| earlier.id() == attribute.id()) {
            Some(earlier) => *earlier = attribute,
            None => attributes.push(attribute),
        }
    }
    attributes
}

#[cfg(test)]
mod tests;
