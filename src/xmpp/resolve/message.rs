//! DNS messages (RFC 1035 4): builds questions, and reads what comes back.

use std::fmt;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// How many CNAMEs are followed from one name, within one answer and from one to the next.
pub(super) const MAX_ALIASES: usize = 8;

/// A name from A-labels, fully qualified. Anything is allowed in a label, an underscore too (RFC 2181 11).
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

/// One question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

/// Why a name server gave no answer that can be used: another one is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A response code other than success and NXDOMAIN.
    Code(u16),
    /// It cannot be reached.
    Io(String),
    /// It answers something that cannot be read.
    Malformed,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl fmt::Display for Failure {
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

/// What a received message is.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    /// Not an answer to this question: a late one to another, or a forged one.
    Foreign,
    /// The answer did not fit: the question is asked again over TCP. With the records that did fit.
    Truncated(Vec<Record>),
    /// The records of the answer section; none for NXDOMAIN.
    Answer(Vec<Record>),
    /// No answer that can be used.
    Failed(Failure),
}

impl Question {
    /// The message to send under this id. Without EDNS: the answers are small, and there are forwarders that drop or refuse it.
    ///
    /// # Errors
    /// None in practice: a name that exists fits in.
    pub(super) fn encode(&self, id: u16) -> Result<Vec<u8>, Failure> {
        let mut message = Message::query();
        message.metadata.id = id;
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.kind));
        message.to_vec().map_err(|error| Failure::Io(error.to_string()))
    }

    /// Reads a message that came in after [`encode`](Self::encode)'s was sent.
    pub(super) fn decode(&self, id: u16, bytes: &[u8]) -> Received {
        let [id_high, id_low, flags, code, ..] = *bytes else { return Received::Foreign };
        // RFC 1035 4.1.1: QR, TC, RCODE.
        let (is_response, is_truncated, code) = (flags & 0x80 != 0, flags & 0x02 != 0, u16::from(code & 0x0f));
        if u16::from_be_bytes([id_high, id_low]) != id || !is_response {
            return Received::Foreign;
        }
        let failed = code != 0 && code != u16::from(ResponseCode::NXDomain);
        let Ok(message) = Message::from_vec(bytes) else {
            return match (failed, is_truncated) {
                (true, _) => Received::Failed(Failure::Code(code)),
                (false, true) => Received::Truncated(vec![]),
                (false, false) => Received::Failed(Failure::Malformed),
            };
        };
        let is_ours = |query: &Query| *query.name() == self.name && query.query_type() == self.kind;
        let asked = match message.queries.as_slice() {
            // An error may come without the question.
            [] => failed,
            [query] => is_ours(query),
            _ => false,
        };
        match (asked && message.metadata.message_type == MessageType::Response, failed, is_truncated) {
            (false, ..) => Received::Foreign,
            (true, true, _) => Received::Failed(Failure::Code(code)),
            (true, false, true) => Received::Truncated(message.answers),
            (true, false, false) => Received::Answer(message.answers),
        }
    }

    /// Follows the aliases (CNAME) of an answer from the name that was asked for. Returns the name that they lead to, and its
    /// records of the kind that was asked for. Records of any other name are not looked at.
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
