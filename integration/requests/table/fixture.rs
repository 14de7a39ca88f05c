//! A server, a daemon with two connections of which the first accepts connection requests, and all kinds of senders:
//! accounts on the same host, accounts on another host of the server, and an external component.

use std::collections::BTreeMap;

use super::expected::{Answer, INFO, INFO_WITHOUT_REQUESTS, Outcome, RESULT, UNAVAILABLE, element};
use crate::harness::prosody::PASSWORD;
use crate::harness::raw_client::attribute;
use crate::harness::stanzas::{CONNECTION_REQUEST, iq};
use crate::harness::{CPE1, CPE2, Daemon, LIMIT, RawClient, Section, Server, ServerOptions, uci};

pub(super) const COMPONENT: &str = "acs.component.test";
pub(super) const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// A wrong password.
pub(super) const WRONG: &str = "open-sesame";

/// A sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) jid: &'static str,
    /// Whether `allowed_jid` allows it.
    pub(super) allowed: bool,
}

impl Sender {
    /// Whether the component sends in its name.
    pub(super) fn is_component(self) -> bool {
        self.jid.contains(COMPONENT)
    }
}

const fn allowed(jid: &'static str) -> Sender {
    Sender { jid, allowed: true }
}

const fn stranger(jid: &'static str) -> Sender {
    Sender { jid, allowed: false }
}

/// A domain in the list allows itself and its resources, not its users.
const ALLOWED_JID: &str = "acs@a.test acs@b.test/r acs.component.test listed@acs.component.test";
pub(super) const ACS: Sender = allowed("acs@a.test/r");
pub(super) const SENDERS: [Sender; 9] = [
    ACS,
    stranger("stranger@a.test/r"),
    allowed("acs@b.test/r"),
    stranger("acs@b.test/other"),
    stranger("stranger@b.test/r"),
    allowed(COMPONENT),
    allowed("acs.component.test/any"),
    allowed("listed@acs.component.test/any"),
    stranger("somebody@acs.component.test/any"),
];

/// The counts of a connection, by their names in the status.
type Counts = BTreeMap<&'static str, u64>;

const COUNTS: [&str; 13] = [
    "received",
    "transmitted",
    "received_errors",
    "transmitted_errors",
    "ignored",
    "refused_disabled",
    "refused_sender",
    "refused_locked",
    "refused_malformed",
    "refused_credentials",
    "refused_limit",
    "notify_failed",
    "accepted",
];

/// The form of a connection request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: &'static str,
    pub(super) content: &'static str,
}

pub(super) const GOOD: Form =
    Form { kind: "get", content: "<username>cpe-user</username><password>cpe-secret</password>" };

impl Form {
    pub(super) fn payload(self) -> String {
        format!("<connectionRequest xmlns='{CONNECTION_REQUEST}'>{}</connectionRequest>", self.content)
    }
}

/// The server, the daemon and the senders.
pub(super) struct Fixture<S> {
    pub(super) server: S,
    pub(super) daemon: Daemon,
    general: Section,
    rows: Vec<Section>,
    wires: BTreeMap<&'static str, RawClient>,
}

impl<S: Server> Fixture<S> {
    pub(super) async fn start() -> Self {
        let wanted = ServerOptions { components: &[COMPONENT], ..ServerOptions::default() };
        let server = S::launch(&["a.test", "b.test"], wanted).await;
        for account in ["cpe1@a.test", "cpe2@a.test"] {
            server.account(account);
        }
        let general = Section::general(&[1]).option("allowed_jid", ALLOWED_JID).option("connreq_limit", 0);
        let rows = vec![
            Section::connection(1, CPE1, &server),
            Section::connection(2, CPE2, &server),
            Section::server(1, &server),
            Section::server(2, &server),
        ];
        let daemon = Daemon::start(std::iter::once(&general).chain(&rows));
        let mut wires = BTreeMap::from([(COMPONENT, server.component(COMPONENT).await)]);
        for sender in SENDERS.iter().filter(|sender| !sender.is_component()) {
            wires.insert(sender.jid, server.raw_client(sender.jid).await);
        }
        let mut fixture = Self { server, daemon, general, rows, wires };
        fixture.wait_online().await;
        fixture
    }

    async fn wait_online(&mut self) {
        for (connection, jid) in [(1, CPE1), (2, CPE2)] {
            self.server.wait_client(jid, LIMIT).await;
            self.daemon.wait_for_value(connection, "status", "Enabled").await;
            // Its own presence is returned by the server.
            self.daemon.wait_for_value(connection, "received", "1").await;
        }
    }

    pub(super) fn no_secrets(&self) {
        self.daemon.log().assert_without(&["cpe-secret", WRONG, PASSWORD]);
    }

    /// Sets an option of the section `xmpp` and waits until it is applied.
    pub(super) async fn set(&mut self, option: &str, value: &str) {
        let mark = self.daemon.log().mark();
        self.general = self.general.clone().option(option, value);
        self.daemon.xmpp().write_in_place(&uci::text(std::iter::once(&self.general).chain(&self.rows)));
        self.daemon.log().wait(mark, &["general settings applied"], LIMIT).await;
    }

    pub(super) fn raw_client(&mut self, sender: Sender) -> &mut RawClient {
        let key = if sender.is_component() { COMPONENT } else { sender.jid };
        self.wires.get_mut(key).unwrap()
    }

    async fn counts(&self, connection: u32) -> Counts {
        let status = self.daemon.status(connection).await;
        COUNTS.iter().map(|name| (*name, status.number(name))).collect()
    }

    /// Sends a connection request and checks everything that follows: the one answer, the counts of both connections,
    /// the log line, and whether the CWMP client was notified.
    pub(super) async fn request(&mut self, sender: Sender, to: &str, form: Form, outcome: Outcome) {
        let what = format!("{} to {to}: {form:?}, {outcome:?}", sender.jid);
        let (mark, calls) = (self.daemon.log().mark(), self.daemon.ubus().calls().len());
        let own = [(outcome.counted_as(), 1)];
        self.stanza(sender, to, &iq(form.kind, to, &form.payload()), outcome.answer(), &own).await;
        let told = matches!(outcome, Outcome::Accepted | Outcome::NotifyFailed(_));
        assert_eq!(self.daemon.ubus().calls().len(), calls + usize::from(told), "{what}");
        let n = if to == CPE1 { 1 } else { 2 };
        let lines = self.daemon.log().since(mark, &["connection request from"]);
        match outcome.words() {
            None => assert_eq!(lines, [""; 0], "{what}"),
            Some((beginning, words)) => {
                assert_eq!(lines.len(), 1, "{what}: {lines:?}");
                let line = format!("xmppd: NOTICE connection {n} (cpe-{n}): connection request from {} ", sender.jid);
                assert!(lines[0].starts_with(&(line + &beginning)) && lines[0].contains(words), "{what}: {lines:?}");
            }
        }
    }

    /// Sends a stanza that reaches the connection, and checks its one answer, or that there is none, and the counts of
    /// both connections. `own` are the counts that it increases besides the four of TR-181.
    pub(super) async fn stanza(
        &mut self,
        sender: Sender,
        to: &str,
        stanza: &str,
        answer: Answer,
        own: &[(&'static str, u64)],
    ) {
        let what = format!("{}: {stanza}", sender.jid);
        let (connection, other) = if to == CPE1 { (1, 2) } else { (2, 1) };
        let mut expected = self.counts(connection).await;
        let untouched = self.counts(other).await;
        self.send(sender, stanza).await;
        if answer != Answer::None {
            self.is_next(sender, to, stanza, answer).await;
        }
        self.nothing_more(sender, to).await;
        let mut add = |name, number| *expected.get_mut(name).unwrap() += number;
        // The stanza itself, and the ping that shows that nothing more arrives.
        add("received", 3);
        add("received_errors", u64::from(stanza.contains(" type='error'")));
        add("transmitted", 2 + u64::from(answer != Answer::None));
        add("transmitted_errors", u64::from(answer.is_error()) + u64::from(!sender.allowed));
        for (name, number) in own {
            add(name, *number);
        }
        assert_eq!(self.counts(connection).await, expected, "{what}");
        assert_eq!(self.counts(other).await, untouched, "{what}: the other connection");
    }

    /// Fails unless the next stanza for the sender is this answer.
    async fn is_next(&mut self, sender: Sender, to: &str, question: &str, answer: Answer) {
        let got = self.raw_client(sender).next(LIMIT).await;
        let got = got.unwrap_or_else(|| panic!("{}: no answer to {question}", sender.jid));
        let expected = answer.element(&attribute(question, "id"), to, sender.jid);
        let shown = String::from(&expected);
        assert!(element(&got) == expected, "{} got\n{got}\ninstead of\n{shown}\nafter\n{question}", sender.jid);
    }

    /// Sends a stanza in the sender's name.
    pub(super) async fn send(&mut self, sender: Sender, stanza: &str) {
        let (name, rest) = stanza.split_once(' ').unwrap();
        let stanza = format!("{name} from='{}' {rest}", sender.jid);
        self.raw_client(sender).send(&stanza).await;
    }

    /// Fails if anything else arrives before the answers to two requests sent now: one that passes the router, one that
    /// does not.
    pub(super) async fn nothing_more(&mut self, sender: Sender, to: &str) {
        let disco = iq("get", to, &format!("<query xmlns='{DISCO_INFO}'/>"));
        let info = if to == CPE1 { INFO } else { INFO_WITHOUT_REQUESTS };
        let ping = iq("get", to, "<ping xmlns='urn:xmpp:ping'/>");
        for (question, answer) in [(disco, if sender.allowed { info } else { UNAVAILABLE }), (ping, RESULT)] {
            self.send(sender, &question).await;
            self.is_next(sender, to, &question, answer).await;
        }
    }
}
