//! The bytes of a server's stream after the login, on their way from stanza to decision to answer: each request is
//! answered once and rightly, whatever is before and behind it, and no answer says more than it has to.
//!
//! The first line of an input says with words how xmppd is set up; the stream's bytes are below it.

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
use xmppd::xmpp::connect::{Session, SessionStart};
use xmppd::xmpp::incoming::{Element as Received, Iq, Known};
use xmppd::xmpp::outgoing::{Iq as OutIq, Stanza};
use xmppd::xmpp::session::{End, Event, SharedManagement, StreamCommand, events};
use xmppd::xmpp::stanza::{Meaning, ReplyTo, meaning};
use xmppd::xmpp::transport::Transport;
use xmppd::xmpp::xml_stream::{Received as First, XmlStream};

use super::stanza_oracle::{Answer, Expected, HEADER, LIMIT, SECRET, Setting, USERNAME};
use super::tree::{self, Element, Rest};
use super::wire;

const CONNECTION: ConnectionId = ConnectionId(1);

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
    let start = SessionStart::Bound { jid, manageable: setting.managed };
    let session = Session { stream, start, tls: false, description: String::new() };
    let (outgoing, queue) = unbounded_channel();
    let mut events = pin!(events(session, queue, Rc::clone(&management)));
    let mut decider = Decider::new(setting);
    let mut closing = false;
    loop {
        let Ok(event) = tokio::time::timeout(Duration::from_secs(60), events.next()).await else {
            assert!(!closing, "it does not end");
            closing = true;
            let _ = outgoing.send(StreamCommand::Close);
            continue;
        };
        match event.expect("the last event says that it is the last") {
            Event::Element(element) => {
                if let Received::Known(Known::Iq(iq)) = *element
                    && let Some(answer) = decider.answer(iq)
                {
                    let stanza = Stanza::Iq(answer);
                    let ask = management.borrow_mut().sent(stanza.clone());
                    let _ = outgoing.send(StreamCommand::Stanza(stanza));
                    if ask {
                        let _ = outgoing.send(StreamCommand::AskAcknowledgement);
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
