//! The expected answers to a stream: a second implementation of the rules, which works on the parsed tree.

use std::collections::BTreeMap;

use jid::Jid;
use xmppd::xmpp::established::StreamEnd;
use xmppd::xmpp::ns;
use xmppd::xmpp::xml_stream::StreamFault;

use crate::xml_tree::{Element, Rest, parse_stream};

/// The server's stream header.
pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='a.test' version='1.0'>";
/// The configured user name for connection requests.
pub(crate) const USERNAME: &str = "cr-user";
/// The configured password for connection requests.
pub(crate) const SECRET: &str = "hunter2";
/// The `connreq_limit`, if there is one.
pub(crate) const LIMIT: u16 = 3;

/// The settings of xmppd and of the simulated server.
#[allow(clippy::struct_excessive_bools, reason = "one for each word of an input's first line")]
pub(crate) struct Setting {
    /// Connection requests are enabled on the connection.
    pub(crate) accepting: bool,
    /// `allowed_jid` lists some senders.
    pub(crate) allowed: bool,
    /// `allowed_jid` lists the account itself.
    pub(crate) account: bool,
    /// `/etc/config/cwmp` has credentials.
    pub(crate) credentials: bool,
    /// There is a `connreq_limit`.
    pub(crate) limit: bool,
    /// Stream management is requested.
    pub(crate) managed: bool,
    /// Size of the pieces in which the server sends, bytes.
    pub(crate) piece: usize,
}

/// An answer of xmppd.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Iq {
        id: Option<String>,
        to: Option<String>,
        content: Content,
    },
    /// `<a/>`, with the count.
    Acknowledgement(u32),
}

/// The content of an IQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A result without a child.
    Result,
    /// disco#info, with the number of features.
    DiscoInfo(usize),
    /// 503
    ServiceUnavailable,
    /// 401
    NotAuthorized,
    BadRequest,
    /// Anything else, which is never expected.
    Unexpected(Element),
}

impl Answer {
    /// Reads an answer. Returns `None` for elements that are no answers.
    pub(crate) fn of(element: &Element) -> Option<Self> {
        if element.is(ns::STREAM_MANAGEMENT, "a") {
            return Some(Self::Acknowledgement(element.attribute("h").and_then(|h| h.parse().ok()).expect("a count")));
        }
        if !element.is(ns::CLIENT, "iq") {
            return None;
        }
        let owned = |name: &str| element.attribute(name).map(str::to_owned);
        let content = match (element.attribute("type"), element.children.as_slice()) {
            (Some("result"), []) => Content::Result,
            (Some("result"), [query]) if query.is(ns::DISCO_INFO, "query") => {
                Content::DiscoInfo(query.children.iter().filter(|child| child.is(ns::DISCO_INFO, "feature")).count())
            }
            (Some("error"), [error]) if error.is(ns::CLIENT, "error") => {
                let condition = match error.children.as_slice() {
                    [condition] if condition.namespace == ns::STANZA_ERRORS => condition.name.as_str(),
                    _ => "",
                };
                match (error.attribute("type"), error.attribute("code"), condition) {
                    (Some("cancel"), Some("503"), "service-unavailable") => Content::ServiceUnavailable,
                    (Some("cancel"), Some("401"), "not-authorized") => Content::NotAuthorized,
                    (Some("modify"), None, "bad-request") => Content::BadRequest,
                    _ => Content::Unexpected(element.clone()),
                }
            }
            _ => Content::Unexpected(element.clone()),
        };
        Some(Self::Iq { id: owned("id"), to: owned("to"), content })
    }
}

/// The expected end of a stream.
#[derive(Debug)]
pub(crate) enum Ending {
    /// xmppd closes it, after nothing more has come.
    Closed,
    Footer,
    StreamError,
    InvalidXml,
    InvalidCount,
}

impl Ending {
    pub(crate) fn matches(&self, end: &StreamEnd) -> bool {
        matches!(
            (self, end),
            (Self::Closed, StreamEnd::Closed)
                | (Self::Footer, StreamEnd::ClosedByServer)
                | (Self::StreamError, StreamEnd::StreamError(_))
                | (Self::InvalidXml, StreamEnd::Fault(StreamFault::NotXml(_) | StreamFault::Restricted))
                | (Self::InvalidCount, StreamEnd::Count(_))
        )
    }
}

/// The expected answers and end.
pub(crate) struct Expected {
    pub(crate) answers: Vec<Answer>,
    pub(crate) end: Ending,
    /// False if more answers may follow, and the end is unknown: the input exceeds a limit of xmppd, or ends with
    /// something that may be invalid.
    pub(crate) is_complete: bool,
}

impl Expected {
    /// Computes what to expect for these bytes after [`HEADER`].
    pub(crate) fn of(setting: &Setting, bytes: &[u8]) -> Self {
        let (elements, rest) = parse_stream(&[HEADER.as_bytes(), bytes].concat());
        let mut model = Model { counting_sent: setting.managed, ..Model::default() };
        let mut answers = Vec::new();
        for element in &elements {
            if model.unacknowledged > 500 || model.failures.len() > 50 {
                return Self { answers, end: Ending::Closed, is_complete: false };
            }
            if element.is(ns::STREAM, "error") {
                return Self { answers, end: Ending::StreamError, is_complete: true };
            }
            match model.take(setting, element) {
                Ok(answer) => answers.extend(answer),
                Err(()) => return Self { answers, end: Ending::InvalidCount, is_complete: true },
            }
        }
        let end = match rest {
            Rest::MaybeInvalid => return Self { answers, end: Ending::InvalidXml, is_complete: false },
            Rest::Incomplete => Ending::Closed,
            Rest::Footer => Ending::Footer,
            Rest::Invalid => Ending::InvalidXml,
        };
        if matches!(end, Ending::Closed) && model.counting_received {
            // XEP-0198 4: the side that closes the stream acknowledges what it has received.
            answers.push(Answer::Acknowledgement(model.received));
        }
        Self { answers, end, is_complete: true }
    }
}

#[derive(Default)]
struct Model {
    counting_sent: bool,
    counting_received: bool,
    received: u32,
    acknowledged: u32,
    unacknowledged: u32,
    /// Number of wrong credentials by sender.
    failures: BTreeMap<String, u32>,
    granted: u16,
}

impl Model {
    fn take(&mut self, setting: &Setting, element: &Element) -> Result<Option<Answer>, ()> {
        if element.namespace == ns::CLIENT && ["iq", "message", "presence"].contains(&element.name.as_str()) {
            self.received = self.received.wrapping_add(u32::from(self.counting_received));
        }
        if element.is(ns::CLIENT, "iq") {
            let owned = |name: &str| element.attribute(name).map(str::to_owned);
            let content = self.answer_iq(setting, element);
            self.unacknowledged += u32::from(self.counting_sent && content.is_some());
            return Ok(content.map(|content| Answer::Iq { id: owned("id"), to: owned("from"), content }));
        }
        if element.namespace != ns::STREAM_MANAGEMENT {
            return Ok(None);
        }
        match element.name.as_str() {
            "enabled" => self.counting_received = self.counting_sent,
            "failed" => {
                *self = Self { failures: std::mem::take(&mut self.failures), granted: self.granted, ..Self::default() }
            }
            "r" if self.counting_received => return Ok(Some(Answer::Acknowledgement(self.received))),
            "a" if self.counting_received => {
                if let Some(h) = element.attribute("h").and_then(|h| h.parse::<u32>().ok()) {
                    let more = h.wrapping_sub(self.acknowledged);
                    self.unacknowledged = self.unacknowledged.checked_sub(more).ok_or(())?;
                    self.acknowledged = h;
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn answer_iq(&mut self, setting: &Setting, iq: &Element) -> Option<Content> {
        let get = match iq.attribute("type") {
            Some("get") => true,
            Some("set") => false,
            Some("result" | "error") => return None,
            _ => return Some(Content::BadRequest),
        };
        let [payload] = iq.children.as_slice() else { return Some(Content::BadRequest) };
        let from = iq.attribute("from");
        Some(if payload.is(ns::CONNECTION_REQUEST, "connectionRequest") {
            self.answer_request(setting, payload, from)
        } else if get && payload.is(ns::PING, "ping") {
            Content::Result
        } else if get && payload.is(ns::DISCO_INFO, "query") && payload.attribute("node").is_none() {
            match sender(setting, from) {
                Some(_) => Content::DiscoInfo(2 + usize::from(setting.accepting)),
                None => Content::ServiceUnavailable,
            }
        } else {
            Content::ServiceUnavailable
        })
    }

    fn answer_request(&mut self, setting: &Setting, request: &Element, from: Option<&str>) -> Content {
        if !setting.accepting {
            return Content::ServiceUnavailable;
        }
        let Some(sender) = sender(setting, from) else { return Content::ServiceUnavailable };
        if self.failures.get(&sender).is_some_and(|&failures| failures >= 5) {
            return Content::ServiceUnavailable;
        }
        let only = |name: &str| {
            let mut all = request.children.iter().filter(|child| child.is(ns::CONNECTION_REQUEST, name));
            all.next().filter(|first| all.next().is_none() && first.children.is_empty())
        };
        let (Some(username), Some(password)) = (only("username"), only("password")) else { return Content::BadRequest };
        if !setting.credentials || username.text != USERNAME || password.text != SECRET {
            *self.failures.entry(sender).or_default() += 1;
            return Content::NotAuthorized;
        }
        self.failures.remove(&sender);
        if setting.limit && self.granted >= LIMIT {
            return Content::ServiceUnavailable;
        }
        self.granted += 1;
        Content::Result
    }
}

/// Returns the sender's bare JID if the sender is allowed.
fn sender(setting: &Setting, from: Option<&str>) -> Option<String> {
    let Some(from) = from else { return setting.account.then(|| "cpe@a.test".to_owned()) };
    let jid = Jid::new(from).ok()?;
    let bare = jid.to_bare().to_string();
    let listed = setting.allowed
        && (bare == "acs@a.test" || (jid.node().is_none() && bare == "b.test") || jid.to_string() == "full@a.test/one");
    let account = setting.account && bare == "cpe@a.test";
    let everyone = !setting.allowed && !setting.account;
    (listed || account || everyone).then_some(bare)
}
