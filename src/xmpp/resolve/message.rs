//! DNS messages (RFC 1035 4): encodes questions, and decodes responses.

use std::fmt;
use std::net::IpAddr;

use domain::base::Message;
use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::message::Section;
use domain::base::name::{FlattenInto, ParsedName, ToName};
use domain::base::rdata::{self, ParseRecordData, RecordData as _};
use domain::base::wire::ParseError;
use domain::rdata::{A, Aaaa, Srv};
use octseq::Parser;

/// Maximum number of CNAMEs to follow within one answer, and of further questions for them.
pub(super) const MAX_ALIASES: usize = 8;

/// A fully qualified name. Names are compared without regard to ASCII case.
pub(super) type Name = domain::base::Name<Vec<u8>>;

/// Returns the fully qualified name of A-labels. A label may hold anything, even an underscore (RFC 2181 11).
///
/// Returns `None` if a label is empty or longer than 63 bytes, or the name longer than 255.
pub(super) fn name(ascii: &str) -> Option<Name> {
    let ascii = ascii.strip_suffix('.').unwrap_or(ascii);
    let mut encoded = Vec::with_capacity(ascii.len() + 2);
    // The root is an empty label.
    for label in ascii.split('.').chain([""]) {
        encoded.push(u8::try_from(label.len()).ok()?);
        encoded.extend(label.as_bytes());
    }
    Name::from_octets(encoded).ok()
}

/// The reverse of [`name`], with a trailing dot.
pub(super) fn host(name: &Name) -> String {
    let labels = name.iter().filter(|label| !label.is_root());
    labels.map(|label| String::from_utf8_lossy(label.as_slice()) + ".").collect()
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DnsQuestion {
    pub(super) name: Name,
    pub(super) kind: Rtype,
}

/// A record of a kind that is of use here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) owner: Name,
    pub(super) data: RecordData,
}

/// The data of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RecordData {
    /// A or AAAA.
    Address(IpAddr),
    Cname(Name),
    Srv(Srv<Name>),
}

impl rdata::RecordData for RecordData {
    fn rtype(&self) -> Rtype {
        match self {
            Self::Address(IpAddr::V4(_)) => Rtype::A,
            Self::Address(IpAddr::V6(_)) => Rtype::AAAA,
            Self::Cname(_) => Rtype::CNAME,
            Self::Srv(_) => Rtype::SRV,
        }
    }
}

/// Only these kinds are parsed: the crate's types for all kinds would enlarge the program.
impl<'a> ParseRecordData<'a, [u8]> for RecordData {
    fn parse_rdata(kind: Rtype, data: &mut Parser<'a, [u8]>) -> Result<Option<Self>, ParseError> {
        Ok(Some(match kind {
            Rtype::A => Self::Address(A::parse(data)?.addr().into()),
            Rtype::AAAA => Self::Address(Aaaa::parse(data)?.addr().into()),
            Rtype::CNAME => Self::Cname(ParsedName::parse_ref(data)?.to_name()),
            Rtype::SRV => Self::Srv(Srv::parse(data)?.flatten_into()),
            _ => return Ok(None),
        }))
    }
}

/// Why a name server gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameServerError {
    /// A response code other than NOERROR and NXDOMAIN.
    Code(u8),
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
    pub(super) fn encode(&self, id: u16) -> Vec<u8> {
        // RFC 1035 4.1.1: RD, one question, no records.
        let header = [id, 0x0100, 1, 0, 0, 0].map(u16::to_be_bytes);
        let [kind, class] = [self.kind.to_int(), Class::IN.to_int()].map(u16::to_be_bytes);
        [header.as_flattened(), self.name.as_slice(), &kind, &class].concat()
    }

    /// Decodes a message that was received after the question with this id was sent.
    pub(super) fn decode(&self, id: u16, bytes: &[u8]) -> Response {
        let [id_high, id_low, flags, code, ..] = *bytes else { return Response::Foreign };
        // RFC 1035 4.1.1: QR, TC, RCODE.
        let (is_response, is_truncated, code) = (flags & 0x80 != 0, flags & 0x02 != 0, code & 0x0f);
        if u16::from_be_bytes([id_high, id_low]) != id || !is_response {
            return Response::Foreign;
        }
        let failed = code != 0 && code != Rcode::NXDOMAIN.to_int();
        let Ok((questions, records)) = parse(bytes) else {
            return match (failed, is_truncated) {
                (true, _) => Response::Failed(NameServerError::Code(code)),
                (false, true) => Response::Truncated(vec![]),
                (false, false) => Response::Failed(NameServerError::Malformed),
            };
        };
        let asked = match questions.as_slice() {
            // Errors may omit the question.
            [] => failed,
            [question] => question == self,
            _ => false,
        };
        match (asked, failed, is_truncated) {
            (false, ..) => Response::Foreign,
            (true, true, _) => Response::Failed(NameServerError::Code(code)),
            (true, false, true) => Response::Truncated(records),
            (true, false, false) => Response::Answer(records),
        }
    }

    /// Follows the aliases (CNAME) of an answer. Returns the name that they lead to, and its records of the requested
    /// kind. Records of other names are ignored.
    pub(super) fn follow(&self, answer: &[Record]) -> (Name, Vec<RecordData>) {
        let mut owner = self.name.clone();
        for _ in 0..=MAX_ALIASES {
            let of_owner = || answer.iter().filter(|record| record.owner == owner).map(|record| &record.data);
            let found: Vec<RecordData> = of_owner().filter(|data| data.rtype() == self.kind).cloned().collect();
            let alias = of_owner()
                .find_map(|data| if let RecordData::Cname(alias) = data { Some(alias.clone()) } else { None });
            match alias {
                Some(alias) if found.is_empty() => owner = alias,
                _ => return (owner, found),
            }
        }
        (owner, vec![])
    }
}

/// Returns the questions of a message, and the records of its answer section that are of use here.
///
/// # Errors
/// The message is malformed, be it in a section that is not used. The data of records of other kinds is not looked at.
fn parse(bytes: &[u8]) -> Result<(Vec<DnsQuestion>, Vec<Record>), ParseError> {
    let message = Message::from_slice(bytes).map_err(|_| ParseError::ShortInput)?;
    let mut questions = Vec::new();
    for question in message.question() {
        let question = question?;
        questions.push(DnsQuestion { name: question.qname().to_name(), kind: question.qtype() });
    }
    let mut records = Vec::new();
    for record in message {
        let (record, section) = record?;
        if let Some(record) = record.to_record()?
            && section == Section::Answer
        {
            records.push(Record { owner: record.owner().to_name(), data: record.into_data() });
        }
    }
    Ok((questions, records))
}

#[cfg(test)]
mod tests;
