//! A server's stream after the login: each request gets its one correct answer, whatever precedes and follows it, and
//! no answer holds a password.
//!
//! The words of an input's first line are the settings. The bytes of the stream follow.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;
use jid::{FullJid, Jid};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;
use xmppd::config::model::{ConnectionId, General, Password};
use xmppd::cwmp::authorize::{History, Refusal, Request, allowed_sender, decide};
use xmppd::cwmp::credentials::Credentials;
use xmppd::xmpp::bind::SessionStart;
use xmppd::xmpp::established::{SharedManagement, StreamCommand, StreamEnd, StreamEvent, events};
use xmppd::xmpp::incoming::{Element as Received, IncomingIq, KnownElement};
use xmppd::xmpp::login::Session;
use xmppd::xmpp::outgoing::{OutgoingIq, Stanza};
use xmppd::xmpp::stanza::{IqKind, ReplyTo, classify};
use xmppd::xmpp::transport::{Buffered, Transport};
use xmppd::xmpp::xml_stream::{Received as First, XmlStream};

use crate::socket;
use crate::stanza_oracle::{Answer, Expected, HEADER, LIMIT, SECRET, Setting, USERNAME};
use crate::xml_tree::{Element, Rest, parse_stream};

const CONNECTION: ConnectionId = ConnectionId(1);

/// Runs one input.
pub fn run(input: &[u8]) {
    let (words, bytes) = socket::split_settings(input);
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
    let (written, end) = socket::block_on(exchange(&setting, bytes));
    let (sent, rest) = parse_stream(&written);
    assert!(rest != Rest::Invalid, "xmppd sends invalid XML: {}", String::from_utf8_lossy(&written));
    check_secrecy(&sent);
    let expected = Expected::of(&setting, bytes);
    let answers: Vec<Answer> = sent.iter().filter_map(Answer::of).collect();
    if expected.is_complete {
        assert_eq!(answers, expected.answers, "{end:?}");
        assert!(expected.end.matches(&end), "expected {:?}: {end:?}", expected.end);
    } else {
        assert!(answers.starts_with(&expected.answers), "{answers:?}, expected {:?}", expected.answers);
    }
}

fn general(setting: &Setting) -> General {
    let mut general = General { enable: true, limit: if setting.limit { LIMIT } else { 0 }, ..General::default() };
    general.accepts_requests.extend(setting.accepting.then_some(CONNECTION));
    if setting.allowed {
        general.allowed.extend(["acs@a.test", "b.test", "full@a.test/one"].map(|jid| Jid::new(jid).expect("a JID")));
        general.allowed.extend(setting.account.then(|| Jid::new("cpe@a.test").expect("a JID")));
    } else if setting.account {
        general.allowed.push(Jid::new("cpe@a.test").expect("a JID"));
    }
    general
}

/// Connects xmppd to a server that sends these bytes. Returns what xmppd sends, and how the stream ends.
async fn exchange(setting: &Setting, bytes: &[u8]) -> (Vec<u8>, StreamEnd) {
    let (ours, mut server) = socket::pair();
    let serve = async {
        let mut read = Vec::new();
        let text = [HEADER.as_bytes(), bytes].concat();
        if socket::exchange(&mut server, &text, setting.piece, &mut read).await {
            socket::receive(&mut server, Duration::from_secs(600), &mut read).await;
        }
        read
    };
    tokio::join!(serve, client(setting, XmlStream::new(Transport::Plain(ours).buffered())))
}

/// Handles a stream as the actors of the connection and of the router do.
async fn client(setting: &Setting, mut stream: XmlStream<Buffered>) -> StreamEnd {
    stream.open("a.test").expect("a name that XML can hold");
    let header = stream.next().await;
    assert!(matches!(header, Ok(First::Header { .. })), "{header:?}");
    let jid = FullJid::new("cpe@a.test/wan").expect("a JID");
    let management = SharedManagement::default();
    if setting.managed {
        management.borrow_mut().enable();
    }
    let start = SessionStart::Bound { jid, manageable: setting.managed };
    let session = Session { stream, start, tls: false, description: String::new() };
    let (outgoing, queue) = unbounded_channel();
    let mut events = pin!(events(session, queue, Rc::clone(&management)));
    let mut decider = Decider::new(setting);
    let mut closing = false;
    loop {
        let Ok(event) = tokio::time::timeout(Duration::from_secs(60), events.next()).await else {
            assert!(!closing, "the stream does not end");
            closing = true;
            let _ = outgoing.send(StreamCommand::Close);
            continue;
        };
        match event.expect("no event before `Ended`") {
            StreamEvent::Element(element) => {
                if let Received::Known(KnownElement::Iq(iq)) = *element
                    && let Some(answer) = decider.answer(iq)
                {
                    let stanza = Stanza::Iq(answer);
                    let ask = management.borrow_mut().sent(stanza.clone());
                    let _ = outgoing.send(StreamCommand::Stanza(Box::new(stanza)));
                    if ask {
                        let _ = outgoing.send(StreamCommand::AskAcknowledgement);
                    }
                }
            }
            StreamEvent::Ended(end) => {
                assert!(events.next().await.is_none(), "an event after `Ended`");
                return end;
            }
        }
    }
}

/// Decides on IQs as the router does.
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

    fn answer(&mut self, mut iq: IncomingIq) -> Option<OutgoingIq> {
        let reply_to = ReplyTo::of(&iq);
        let account = FullJid::new("cpe@a.test/wan").expect("a JID").to_bare();
        let from = reply_to.from.clone();
        Some(match classify(&mut iq) {
            IqKind::Answer { .. } => return None,
            IqKind::Ping => reply_to.result(),
            IqKind::BadRequest => reply_to.bad_request(),
            IqKind::Unsupported => reply_to.service_unavailable(),
            IqKind::DiscoInfo { has_node: node } => {
                let allowed = allowed_sender(&self.general.allowed, from.as_deref(), &account).is_ok();
                if allowed && !node {
                    reply_to.disco_info(self.general.accepts_requests.contains(&CONNECTION))
                } else {
                    reply_to.service_unavailable()
                }
            }
            IqKind::ConnectionRequest(credentials) => {
                let request = Request { connection: CONNECTION, account, from, credentials };
                let known = self.credentials.as_ref();
                match decide(&self.general, known, &mut self.history, &request, false, self.now) {
                    Ok(()) => reply_to.result(),
                    Err(Refusal::Malformed) => reply_to.bad_request(),
                    Err(Refusal::NoCredentials | Refusal::WrongCredentials) => reply_to.not_authorized(),
                    Err(_) => reply_to.service_unavailable(),
                }
            }
        })
    }
}

/// Checks that no answer holds the password. The request's own `id` and `from` are returned and may hold anything.
fn check_secrecy(sent: &[Element]) {
    fn reveals(element: &Element, exempt: &[&str]) -> bool {
        let mut attributes = element.attributes.iter().filter(|(_, name, _)| !exempt.contains(&name.as_str()));
        element.text.contains(SECRET)
            || attributes.any(|(_, _, value)| value.contains(SECRET))
            || element.children.iter().any(|child| reveals(child, &[]))
    }
    for element in sent {
        assert!(!reveals(element, &["id", "to"]), "{element:?}");
    }
}
