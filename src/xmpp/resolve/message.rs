//! DNS messages (RFC 1035 4): encodes questions, and decodes responses.

use std::fmt;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Maximum number of CNAMEs to follow within one answer, and of further questions for them.
pub(super) const MAX_ALIASES: usize = 8;

/// Returns the fully qualified name of A-labels. A label may hold anything, even an underscore (RFC 2181 11).
///
/// Returns `None` if a label is empty or longer than 63 bytes, or the name longer than 255.
pub(super) fn name(ascii: &str) -> Option<Name> {
    let ascii = ascii.strip_suffix('.').unwrap_or(ascii);
    Name::from_labels(ascii.split('.').map(str::as_bytes)).ok()
}

/// The reverse of [`name`], with a trailing dot.
pub(super) fn host(name: &Name) -> String {
    name.iter().map(|label| String::from_utf8_lossy(label) + ".").collect()
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DnsQuestion {
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

/// Why a name server gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameServerError {
    /// A response code other than NOERROR and NXDOMAIN.
    Code(u16),
    /// The server cannot be reached.
    Io(String),
    /// The answer is malformed.
    Malformed,
}

impl From<std::io::Error> for NameServerError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl fmt::Display for NameServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(1) => f.write_str("FORMERR"),
            Self::Code(2) => f.write_str("SERVFAIL"),
            Self::Code(4) => f.write_str("NOTIMP"),
            Self::Code(5) => f.write_str("REFUSED"),
            Self::Code(code) => write!(f, "response code {code}"),
            Self::Io(error) => f.write_str(error),
            Self::Malformed => f.write_str("malformed answer"),
        }
    }
}

/// A received message.
#[derive(Debug, PartialEq)]
pub(super) enum Response {
    /// Not an answer to this question: a late one to another question, or a forged one.
    Foreign,
    /// The answer does not fit into a datagram; the records that do.
    Truncated(Vec<Record>),
    /// The records of the answer section; none for NXDOMAIN.
    Answer(Vec<Record>),
    /// The answer is not usable.
    Failed(NameServerError),
}

impl DnsQuestion {
    /// Encodes the message with this id. Without EDNS: the answers are small, and some forwarders drop or refuse it.
    ///
    /// # Errors
    /// None in practice: every name fits.
    pub(super) fn encode(&self, id: u16) -> Result<Vec<u8>, NameServerError> {
        let mut message = Message::query();
        message.metadata.id = id;
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.kind));
        message.to_vec().map_err(|error| NameServerError::Io(error.to_string()))
    }

    /// Decodes a message that was received after the question with this id was sent.
    pub(super) fn decode(&self, id: u16, bytes: &[u8]) -> Response {
        let [id_high, id_low, flags, code, ..] = *bytes else { return Response::Foreign };
        // RFC 1035 4.1.1: QR, TC, RCODE.
        let (is_response, is_truncated, code) = (flags & 0x80 != 0, flags & 0x02 != 0, u16::from(code & 0x0f));
        if u16::from_be_bytes([id_high, id_low]) != id || !is_response {
            return Response::Foreign;
        }
        let failed = code != 0 && code != u16::from(ResponseCode::NXDomain);
        let Ok(message) = Message::from_vec(bytes) else {
            return match (failed, is_truncated) {
                (true, _) => Response::Failed(NameServerError::Code(code)),
                (false, true) => Response::Truncated(vec![]),
                (false, false) => Response::Failed(NameServerError::Malformed),
            };
        };
        let is_ours = |query: &Query| *query.name() == self.name && query.query_type() == self.kind;
        let asked = match message.queries.as_slice() {
            // Errors may omit the question.
            [] => failed,
            [query] => is_ours(query),
            _ => false,
        };
        match (asked && message.metadata.message_type == MessageType::Response, failed, is_truncated) {
            (false, ..) => Response::Foreign,
            (true, true, _) => Response::Failed(NameServerError::Code(code)),
            (true, false, true) => Response::Truncated(message.answers),
            (true, false, false) => Response::Answer(message.answers),
        }
    }

    /// Follows the aliases (CNAME) of an answer. Returns the name that they lead to, and its records of the requested
    /// kind. Records of other names are ignored.
    pub(super) fn follow(&self, answer: &[Record]) -> (Name, Vec<RData>) {
        let mut owner = self.name.clone();
        for _ in 0..=MAX_ALIASES {
            let of_owner = || answer.iter().filter(|record| record.name == owner).map(|record| &record.data);
            let found: Vec<RData> = of_owner().filter(|data| data.record_type() == self.kind).cloned().collect();
            let alias =
                of_owner().find_map(|data| if let RData::CNAME(alias) = data { Some(alias.0.clone()) } else { None });
            match alias {
                Some(alias) if found.is_empty() => owner = alias,
                _ => return (owner, found),
            }
        }
        (owner, vec![])
    }
}

#[cfg(test)]
mod tests;
