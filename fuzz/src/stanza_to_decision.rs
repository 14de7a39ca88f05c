//! The bytes of a server's stream after the login, on their way from stanza to decision to answer: each request is
//! answered once and rightly, whatever is before and behind it, and no answer says more than it has to.
//!
//! The first line of an input says with words how xmppd is set up; the stream's bytes are below it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use jid::{FullJid, Jid};
use tokio::io::BufReader;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;
use xmppd::config::model::{ConnectionId, General, Password};
use xmppd::cwmp::authorize::{Decision, History, Refusal, Request, accepts, allowed_sender, decide};
use xmppd::cwmp::credentials::Credentials;
use xmppd::xmpp::connect::{Entry, Session};
use xmppd::xmpp::incoming::{Element as Received, Iq, Known};
use xmppd::xmpp::ns;
use xmppd::xmpp::outgoing::{Iq as OutIq, Stanza};
use xmppd::xmpp::session::{End, Event, Out, SharedManagement, events};
use xmppd::xmpp::stanza::{Meaning, ReplyTo, meaning};
use xmppd::xmpp::transport::Transport;
use xmppd::xmpp::xml_stream::{Received as First, StreamFault, XmlStream};

use super::tree::{self, Element, Rest};
use super::wire;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='a.test' version='1.0'>";
const USERNAME: &str = "cr-user";
const SECRET: &str = "hunter2";
const CONNECTION: ConnectionId = ConnectionId(1);
const LIMIT: u16 = 3;

/// How xmppd is set up.
#[allow(clippy::struct_excessive_bools, reason = "one for each word of an input's first line")]
struct Setting {
    /// The connection takes connection requests.
    accepting: bool,
    /// There is an `allowed_jid`.
    allowed: bool,
    /// The account itself is in it.
    account: bool,
    /// `/etc/config/cwmp` has credentials.
    credentials: bool,
    /// There is a `connreq_limit`.
    limit: bool,
    /// Stream management is asked for.
    managed: bool,
    /// The bytes come in pieces of this size.
    piece: usize,
}

/// One input.
pub fn run(input: &[u8]) {
    let (words, bytes) = wire::first_line(input);
    let has = |word: &str| words.contains(&word);
    let setting = Setting {
        accepting: has("accepting"),
        allowed: has("allowed"),
        account: has("account"),
        credentials: has("credentials"),
        limit: has("limit"),
        managed: has("managed"),
        piece: if has("pieces") { 7 } else { 4096 },
    };
    let (written, end) = wire::run(play(&setting, bytes));
    let (said, rest) = tree::stream(&written);
    assert!(rest != Rest::Wrong, "what is written is no stream: {}", String::from_utf8_lossy(&written));
    keeps_secrets(&said);
    let expected = Expected::of(&setting, bytes);
    let answers: Vec<Answer> = said.iter().filter_map(Answer::of).collect();
    if expected.is_whole {
        assert_eq!(answers, expected.answers, "{end:?}");
        assert!(expected.end.is(&end), "{:?} and not {end:?}", expected.end);
    } else {
        assert!(answers.starts_with(&expected.answers), "{answers:?} and {:?}", expected.answers);
    }
}

fn general(setting: &Setting) -> General {
    let mut general = General { enable: true, limit: if setting.limit { LIMIT } else { 0 }, ..General::default() };
    general.accepting.extend(setting.accepting.then_some(CONNECTION));
    if setting.allowed {
        general.allowed.extend(["acs@a.test", "b.test", "full@a.test/one"].map(|jid| Jid::new(jid).expect("a JID")));
        general.allowed.extend(setting.account.then(|| Jid::new("cpe@a.test").expect("a JID")));
    } else if setting.account {
        general.allowed.push(Jid::new("cpe@a.test").expect("a JID"));
    }
    general
}

/// A server that says this, and xmppd: what it says, and how it ends.
async fn play(setting: &Setting, bytes: &[u8]) -> (Vec<u8>, End) {
    let (ours, mut server) = wire::pair();
    let serve = async {
        let mut read = Vec::new();
        let text = [HEADER.as_bytes(), bytes].concat();
        if wire::exchange(&mut server, &text, setting.piece, &mut read).await {
            wire::listen(&mut server, Duration::from_secs(600), &mut read).await;
        }
        read
    };
    tokio::join!(serve, client(setting, XmlStream::new(BufReader::new(Transport::Plain(ours)))))
}

/// What the connection's actor and the router do with a stream, without their mailboxes.
async fn client(setting: &Setting, mut stream: XmlStream<BufReader<Transport>>) -> End {
    stream.open("a.test").expect("a name that XML can hold");
    let header = stream.next().await;
    assert!(matches!(header, Ok(First::Header { .. })), "{header:?}");
    let jid = FullJid::new("cpe@a.test/wan").expect("a JID");
    let management = SharedManagement::default();
    if setting.managed {
        management.borrow_mut().enable();
    }
    let entry = Entry::Bound { jid, manageable: setting.managed };
    let session = Session { stream, entry, tls: false, description: String::new() };
    let (outgoing, queue) = unbounded_channel();
    let mut events = pin!(events(session, queue, Rc::clone(&management)));
    let mut decider = Decider::new(setting);
    let mut closing = false;
    loop {
        let Ok(event) = tokio::time::timeout(Duration::from_secs(60), events.next()).await else {
            assert!(!closing, "it does not end");
            closing = true;
            let _ = outgoing.send(Out::Close);
            continue;
        };
        match event.expect("the last event says that it is the last") {
            Event::Element(element) => {
                if let Received::Known(Known::Iq(iq)) = *element
                    && let Some(answer) = decider.answer(iq)
                {
                    let stanza = Stanza::Iq(answer);
                    let ask = management.borrow_mut().sent(stanza.clone());
                    let _ = outgoing.send(Out::Stanza(stanza));
                    if ask {
                        let _ = outgoing.send(Out::AskAcknowledgement);
                    }
                }
            }
            Event::Ended(end) => {
                assert!(events.next().await.is_none(), "something follows the end");
                return end;
            }
        }
    }
}

struct Decider {
    general: General,
    credentials: Option<Credentials>,
    history: History,
    now: Instant,
}

impl Decider {
    fn new(setting: &Setting) -> Self {
        let secret = |text: &str| Password::from(text.to_owned());
        let both = Credentials { username: secret(USERNAME), password: secret(SECRET) };
        Self {
            general: general(setting),
            credentials: setting.credentials.then_some(both),
            history: History::default(),
            now: Instant::now(),
        }
    }

    fn answer(&mut self, mut iq: Iq) -> Option<OutIq> {
        let reply_to = ReplyTo::of(&iq);
        let account = FullJid::new("cpe@a.test/wan").expect("a JID").to_bare();
        let from = reply_to.from.clone();
        Some(match meaning(&mut iq) {
            Meaning::Answer { .. } => return None,
            Meaning::Ping => reply_to.result(),
            Meaning::BadRequest => reply_to.bad_request(),
            Meaning::Unsupported => reply_to.service_unavailable(),
            Meaning::DiscoInfo { node } => {
                let allowed = allowed_sender(&self.general.allowed, from.as_deref(), &account).is_some();
                if allowed && !node {
                    reply_to.disco_info(accepts(&self.general.accepting, CONNECTION))
                } else {
                    reply_to.service_unavailable()
                }
            }
            Meaning::ConnectionRequest(credentials) => {
                let request = Request { connection: CONNECTION, account, from, credentials };
                let known = self.credentials.as_ref();
                match decide(&self.general, known, &mut self.history, &request, false, self.now) {
                    Decision::Grant => reply_to.result(),
                    Decision::Refuse(Refusal::Malformed) => reply_to.bad_request(),
                    Decision::Refuse(Refusal::Credentials) => reply_to.not_authorized(),
                    Decision::Refuse(_) => reply_to.service_unavailable(),
                }
            }
        })
    }
}

/// The password of a request is in none of the answers; only the request's own `id` and `from` come back.
fn keeps_secrets(said: &[Element]) {
    fn tells(element: &Element, given_back: &[&str]) -> bool {
        let mut attributes = element.attributes.iter().filter(|(_, name, _)| !given_back.contains(&name.as_str()));
        element.text.contains(SECRET)
            || attributes.any(|(_, _, value)| value.contains(SECRET))
            || element.children.iter().any(|child| tells(child, &[]))
    }
    for element in said {
        assert!(!tells(element, &["id", "to"]), "{element:?}");
    }
}

/// What is said in answer to something.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Iq {
        id: Option<String>,
        to: Option<String>,
        what: What,
    },
    /// `<a/>`
    Count(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
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
    fn of(element: &Element) -> Option<Self> {
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
enum Ending {
    /// By us, because nothing more came.
    Closed,
    Footer,
    StreamError,
    Wrong,
    Count,
}

impl Ending {
    fn is(&self, end: &End) -> bool {
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
struct Expected {
    answers: Vec<Answer>,
    end: Ending,
    /// False where more may follow that is not foretold: the memory of xmppd ends before the input does, or the input
    /// ends in the middle of something wrong.
    is_whole: bool,
}

impl Expected {
    fn of(setting: &Setting, bytes: &[u8]) -> Self {
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
