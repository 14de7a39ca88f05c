//! What xmppd has to say to a stream, told from the tree of what came by rules that are written down here a second time.

use std::collections::BTreeMap;

use jid::Jid;
use xmppd::xmpp::ns;
use xmppd::xmpp::session::End;
use xmppd::xmpp::xml_stream::StreamFault;

use super::tree::{self, Element, Rest};

/// What the server begins with.
pub const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='a.test' version='1.0'>";
pub const USERNAME: &str = "cr-user";
pub const SECRET: &str = "hunter2";
pub const LIMIT: u16 = 3;

/// How xmppd is set up.
#[allow(clippy::struct_excessive_bools, reason = "one for each word of an input's first line")]
pub struct Setting {
    /// The connection takes connection requests.
    pub accepting: bool,
    /// There is an `allowed_jid`.
    pub allowed: bool,
    /// The account itself is in it.
    pub account: bool,
    /// `/etc/config/cwmp` has credentials.
    pub credentials: bool,
    /// There is a `connreq_limit`.
    pub limit: bool,
    /// Stream management is asked for.
    pub managed: bool,
    /// The bytes come in pieces of this size.
    pub piece: usize,
}

/// What is said in answer to something.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Iq {
        id: Option<String>,
        to: Option<String>,
        what: What,
    },
    /// `<a/>`
    Count(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Yes,
    /// disco#info with so many features.
    About(usize),
    /// 503
    Unavailable,
    /// 401
    NotAuthorized,
    BadRequest,
    /// None of these.
    Odd(Element),
}

impl Answer {
    pub fn of(element: &Element) -> Option<Self> {
        if element.is(ns::STREAM_MANAGEMENT, "a") {
            return Some(Self::Count(element.attribute("h").and_then(|h| h.parse().ok()).expect("a count")));
        }
        if !element.is(ns::CLIENT, "iq") {
            return None;
        }
        let owned = |name: &str| element.attribute(name).map(str::to_owned);
        let what = match (element.attribute("type"), element.children.as_slice()) {
            (Some("result"), []) => What::Yes,
            (Some("result"), [query]) if query.is(ns::DISCO_INFO, "query") => {
                What::About(query.children.iter().filter(|child| child.is(ns::DISCO_INFO, "feature")).count())
            }
            (Some("error"), [error]) if error.is(ns::CLIENT, "error") => {
                let condition = match error.children.as_slice() {
                    [condition] if condition.namespace == ns::STANZA_ERRORS => condition.name.as_str(),
                    _ => "",
                };
                match (error.attribute("type"), error.attribute("code"), condition) {
                    (Some("cancel"), Some("503"), "service-unavailable") => What::Unavailable,
                    (Some("cancel"), Some("401"), "not-authorized") => What::NotAuthorized,
                    (Some("modify"), None, "bad-request") => What::BadRequest,
                    _ => What::Odd(element.clone()),
                }
            }
            _ => What::Odd(element.clone()),
        };
        Some(Self::Iq { id: owned("id"), to: owned("to"), what })
    }
}

/// How a stream has to end.
#[derive(Debug)]
pub enum Ending {
    /// By us, because nothing more came.
    Closed,
    Footer,
    StreamError,
    Wrong,
    Count,
}

impl Ending {
    pub fn is(&self, end: &End) -> bool {
        matches!(
            (self, end),
            (Self::Closed, End::Closed)
                | (Self::Footer, End::ClosedByServer)
                | (Self::StreamError, End::StreamError(_))
                | (Self::Wrong, End::Fault(StreamFault::NotXml(_) | StreamFault::Restricted))
                | (Self::Count, End::Count(_))
        )
    }
}

/// What is to be said, told from the tree of what came.
pub struct Expected {
    pub answers: Vec<Answer>,
    pub end: Ending,
    /// False where more may follow that is not foretold: the memory of xmppd ends before the input does, or the input
    /// ends in the middle of something wrong.
    pub is_whole: bool,
}

impl Expected {
    pub fn of(setting: &Setting, bytes: &[u8]) -> Self {
        let (elements, rest) = tree::stream(&[HEADER.as_bytes(), bytes].concat());
        let mut model = Model { counting_sent: setting.managed, ..Model::default() };
        let mut answers = Vec::new();
        for element in &elements {
            if model.unacknowledged > 500 || model.wrong.len() > 50 {
                return Self { answers, end: Ending::Closed, is_whole: false };
            }
            if element.is(ns::STREAM, "error") {
                return Self { answers, end: Ending::StreamError, is_whole: true };
            }
            match model.take(setting, element) {
                Ok(answer) => answers.extend(answer),
                Err(()) => return Self { answers, end: Ending::Count, is_whole: true },
            }
        }
        let end = match rest {
            Rest::Unclear => return Self { answers, end: Ending::Wrong, is_whole: false },
            Rest::Open => Ending::Closed,
            Rest::Footer => Ending::Footer,
            Rest::Wrong => Ending::Wrong,
        };
        if matches!(end, Ending::Closed) && model.counting_received {
            // XEP-0198 4: whoever closes the stream says how much of it has arrived.
            answers.push(Answer::Count(model.received));
        }
        Self { answers, end, is_whole: true }
    }
}

#[derive(Default)]
struct Model {
    counting_sent: bool,
    counting_received: bool,
    received: u32,
    acknowledged: u32,
    unacknowledged: u32,
    /// Wrong credentials by sender.
    wrong: BTreeMap<String, u32>,
    granted: u16,
}

impl Model {
    fn take(&mut self, setting: &Setting, element: &Element) -> Result<Option<Answer>, ()> {
        if element.namespace == ns::CLIENT && ["iq", "message", "presence"].contains(&element.name.as_str()) {
            self.received = self.received.wrapping_add(u32::from(self.counting_received));
        }
        if element.is(ns::CLIENT, "iq") {
            let owned = |name: &str| element.attribute(name).map(str::to_owned);
            let what = self.judge(setting, element);
            self.unacknowledged += u32::from(self.counting_sent && what.is_some());
            return Ok(what.map(|what| Answer::Iq { id: owned("id"), to: owned("from"), what }));
        }
        if element.namespace != ns::STREAM_MANAGEMENT {
            return Ok(None);
        }
        match element.name.as_str() {
            "enabled" => self.counting_received = self.counting_sent,
            "failed" => {
                *self = Self { wrong: std::mem::take(&mut self.wrong), granted: self.granted, ..Self::default() }
            }
            "r" if self.counting_received => return Ok(Some(Answer::Count(self.received))),
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

    fn judge(&mut self, setting: &Setting, iq: &Element) -> Option<What> {
        let get = match iq.attribute("type") {
            Some("get") => true,
            Some("set") => false,
            Some("result" | "error") => return None,
            _ => return Some(What::BadRequest),
        };
        let [payload] = iq.children.as_slice() else { return Some(What::BadRequest) };
        let from = iq.attribute("from");
        Some(if payload.is(ns::CONNECTION_REQUEST, "connectionRequest") {
            self.request(setting, payload, from)
        } else if get && payload.is(ns::PING, "ping") {
            What::Yes
        } else if get && payload.is(ns::DISCO_INFO, "query") && payload.attribute("node").is_none() {
            match sender(setting, from) {
                Some(_) => What::About(2 + usize::from(setting.accepting)),
                None => What::Unavailable,
            }
        } else {
            What::Unavailable
        })
    }

    fn request(&mut self, setting: &Setting, request: &Element, from: Option<&str>) -> What {
        if !setting.accepting {
            return What::Unavailable;
        }
        let Some(sender) = sender(setting, from) else { return What::Unavailable };
        if self.wrong.get(&sender).is_some_and(|&times| times >= 5) {
            return What::Unavailable;
        }
        let only = |name: &str| {
            let mut all = request.children.iter().filter(|child| child.is(ns::CONNECTION_REQUEST, name));
            all.next().filter(|first| all.next().is_none() && first.children.is_empty())
        };
        let (Some(username), Some(password)) = (only("username"), only("password")) else { return What::BadRequest };
        if !setting.credentials || username.text != USERNAME || password.text != SECRET {
            *self.wrong.entry(sender).or_default() += 1;
            return What::NotAuthorized;
        }
        self.wrong.remove(&sender);
        if setting.limit && self.granted >= LIMIT {
            return What::Unavailable;
        }
        self.granted += 1;
        What::Yes
    }
}

/// The sender's bare JID, if it may ask.
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
