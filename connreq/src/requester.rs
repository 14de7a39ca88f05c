//! One session of an ACS's account, and the requests that it sends.

use std::collections::VecDeque;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use xmpp::jid::{FullJid, Jid};
use xmpp::minidom::Element;
use xmpp::parsers::iq::Iq;
use xmpp::parsers::stanza::Stanza;
use xmpp::tokio_xmpp::xmlstream::Timeouts;
use xmpp::{Agent, ClientBuilder, Event};

use xmppd::xmpp::tls::{HandshakeError, TlsSetupError, handshake_error};

use super::connector::{Connector, Ended, OneLogin};
use super::payload::{Credentials, connection_request};
use super::tls::Trust;

/// Stanzas that are kept for [`Requester::incoming`]; the oldest goes when there are more.
const INBOX: usize = 256;
/// How long a clean end of the stream may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// An account and how its server is reached.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whom to log in as; with a resource, that one is asked for.
    pub jid: Jid,
    /// The account's password.
    pub password: SecretString,
    /// `host:port`; none = where DNS says that the JID's domain is served.
    pub server: Option<String>,
    /// What the server's certificate is checked against.
    pub trust: Trust,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The CA file cannot be used.
    #[error("cannot use the CA file: {0}")]
    Trust(TlsSetupError),
    /// A JID without a local part is a server, not an account.
    #[error("{0} is not an account: no user name before the @")]
    NoAccount(Jid),
    /// No stream over TLS to the server.
    #[error("{}", unreachable(.0))]
    Unreachable(tokio_xmpp::Error),
    /// The server does not let this account in.
    #[error("the server refused the login: {0}")]
    Refused(tokio_xmpp::Error),
    /// The server ended the session before it was usable.
    #[error("the server ended the session during the login")]
    Ended,
    /// The login took too long.
    #[error("not logged in within {0:?}")]
    TimedOut(Duration),
}

/// The library has no words for some of them, and too few for others.
fn unreachable(error: &tokio_xmpp::Error) -> String {
    match error {
        tokio_xmpp::Error::Io(error) => match handshake_error(error) {
            Some(HandshakeError::Certificate(words)) => format!("the server's certificate is not accepted: {words}"),
            Some(HandshakeError::Protocol(words)) => format!("cannot reach the server: TLS: {words}"),
            None => format!("cannot reach the server: {error}"),
        },
        tokio_xmpp::Error::DnsNet(error) => format!("cannot find the server: {error}"),
        tokio_xmpp::Error::DnsProto(error) => format!("cannot find the server: {error}"),
        other => format!("cannot reach the server: {other}"),
    }
}

/// The session is over: the server or the network ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the server was lost")]
pub struct Lost;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `<iq type='result'/>`: the CPE will contact its ACS.
    Result {
        /// From sending the request to reading the answer.
        rtt: Duration,
    },
    /// `<iq type='error'/>`, from the CPE or from a server on the way.
    Error {
        /// The defined condition (RFC 6120 8.3.3), such as `service-unavailable`.
        condition: String,
        /// The human-readable description, if there is one.
        text: Option<String>,
        /// From sending the request to reading the answer.
        rtt: Duration,
    },
    /// No answer came.
    None(Silence),
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The time given was over.
    TimedOut,
    /// The requester's own session ended.
    Lost,
}

/// A session from which requests can be sent. It is left to its own fate when it is lost: it does not log in again.
pub struct Requester {
    agent: Agent,
    jid: FullJid,
    ended: mpsc::UnboundedReceiver<Ended>,
    lost: bool,
    inbox: VecDeque<Stanza>,
    pub(super) responses: VecDeque<Iq>,
}

impl Requester {
    /// Logs in, within `limit`.
    ///
    /// # Errors
    /// Says why there is no session; a refused login is told after about a second.
    pub async fn connect(account: Account, limit: Duration) -> Result<Self, LoginError> {
        let tls = account.trust.client_config().map_err(LoginError::Trust)?;
        if account.jid.node().is_none() {
            return Err(LoginError::NoAccount(account.jid));
        }
        let bare = account.jid.to_bare();
        let connector = Connector::new(account.server, tls);
        let (login, mut ended) = OneLogin::new(connector, bare.clone(), account.password.clone());
        let mut builder = ClientBuilder::new_with_connector(bare, account.password.expose_secret(), login.clone())
            .set_timeouts(Timeouts::tight());
        if let Some(resource) = account.jid.resource() {
            builder = builder.set_resource(resource.as_str());
        }
        let mut agent = builder.build();
        let jid = timeout(limit, async {
            loop {
                tokio::select! {
                    end = ended.recv() => return Err(match end {
                        Some(Ended::Unreachable(error)) => LoginError::Unreachable(error),
                        Some(Ended::Refused(error)) => LoginError::Refused(error),
                        Some(Ended::Lost) | None => LoginError::Ended,
                    }),
                    _ = agent.wait_for_events() => if let Some(jid) = agent.bound_jid() {
                        return Ok(jid.clone());
                    },
                }
            }
        })
        .await
        .unwrap_or(Err(LoginError::TimedOut(limit)))?;
        login.online();
        Ok(Self { agent, jid, ended, lost: false, inbox: VecDeque::new(), responses: VecDeque::new() })
    }

    /// The JID that the server bound.
    #[must_use]
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Sends one connection request and waits for its answer up to `limit`.
    pub async fn request(&mut self, to: &Jid, credentials: &Credentials, limit: Duration) -> Answer {
        let iq = request(String::new(), to, credentials);
        let start = Instant::now();
        match self.ask(iq, limit).await {
            Err(Lost) => Answer::None(Silence::Lost),
            Ok(None) => Answer::None(Silence::TimedOut),
            Ok(Some(iq)) => judge(&iq, start.elapsed()),
        }
    }

    /// Sends any request and waits for its answer up to `limit`. An empty id is replaced by an unpredictable one.
    ///
    /// # Errors
    /// [`Lost`] when the session is over.
    pub async fn ask(&mut self, mut iq: Iq, limit: Duration) -> Result<Option<Iq>, Lost> {
        let deadline = Instant::now() + limit;
        if iq.id().is_empty() {
            *iq.id_mut() = unguessable();
        }
        let id = iq.id().to_owned();
        let to = iq.to().cloned();
        self.responses.clear();
        match timeout_at(deadline, self.send(iq)).await {
            Err(_) => return Ok(None),
            Ok(sent) => sent?,
        }
        loop {
            while let Some(response) = self.responses.pop_front() {
                if answers(&response, &id, to.as_ref(), &self.jid) {
                    return Ok(Some(response));
                }
            }
            match timeout_at(deadline, self.step()).await {
                Err(_) => return Ok(None),
                Ok(stepped) => stepped?,
            }
        }
    }

    /// Sends any stanza, whatever is in it.
    ///
    /// # Errors
    /// [`Lost`] when the session is over.
    pub async fn send(&mut self, stanza: impl Into<Stanza>) -> Result<(), Lost> {
        if self.lost {
            return Err(Lost);
        }
        // Without a connection a stanza waits for the next one, which never comes.
        let sent = tokio::select! {
            _ = self.ended.recv() => Err(Lost),
            sent = self.agent.send_stanza(stanza) => sent.map(drop).map_err(|_| Lost),
        };
        self.lost |= sent.is_err();
        sent
    }

    /// The next request, message or presence that arrives, or none within `limit`. Requests were already answered by the
    /// `xmpp` crate: with its own disco#info, with `service-unavailable` otherwise. While neither this nor
    /// [`ask`](Self::ask) is waiting, nothing that arrives is answered.
    ///
    /// # Errors
    /// [`Lost`] when the session is over.
    pub async fn incoming(&mut self, limit: Duration) -> Result<Option<Stanza>, Lost> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(stanza) = self.inbox.pop_front() {
                return Ok(Some(stanza));
            }
            match timeout_at(deadline, self.step()).await {
                Err(_) => return Ok(None),
                Ok(stepped) => stepped?,
            }
        }
    }

    /// Ends the stream cleanly and closes.
    pub async fn close(self) {
        // What could be done about a failure, the end of the connection does.
        let _ = timeout(GOODBYE, self.agent.disconnect()).await;
    }

    /// Takes in what arrives next. May be given up at any time: at most a request of somebody else is lost by it.
    pub(super) async fn step(&mut self) -> Result<(), Lost> {
        if self.lost {
            return Err(Lost);
        }
        let events = tokio::select! {
            _ = self.ended.recv() => {
                self.lost = true;
                return Err(Lost);
            }
            events = self.agent.wait_for_events() => events,
        };
        for event in events {
            match event {
                Event::Iq(iq @ (Iq::Result { .. } | Iq::Error { .. })) => {
                    self.responses.push_back(iq);
                }
                Event::Iq(iq) => self.inbox.push_back(Stanza::Iq(iq)),
                Event::Message(message) => self.inbox.push_back(Stanza::Message(message)),
                Event::Presence(presence) => self.inbox.push_back(Stanza::Presence(presence)),
                _ => {}
            }
        }
        while self.inbox.len() > INBOX {
            self.inbox.pop_front();
        }
        while self.responses.len() > INBOX {
            self.responses.pop_front();
        }
        Ok(())
    }
}

/// The IQ with a connection request.
pub(super) fn request(id: String, to: &Jid, credentials: &Credentials) -> Iq {
    Iq::Get { from: None, to: Some(to.clone()), id, payload: connection_request(credentials) }
}

/// An id that nobody can answer who did not get the request.
pub(super) fn unguessable() -> String {
    format!("connreq-{:016x}", rand::random::<u64>())
}

/// Whether `response` answers the request `id` that went to `to`: RFC 6120 8.1.2.1 and 8.2.3. An answer without `from`
/// comes from the own account, or from its server on the account's behalf.
pub(super) fn answers(response: &Iq, id: &str, to: Option<&Jid>, own: &FullJid) -> bool {
    if response.id() != id {
        return false;
    }
    let account = Jid::from(own.to_bare());
    let asked = to.unwrap_or(&account);
    match response.from() {
        Some(from) => from == asked,
        None => asked.to_bare() == own.to_bare() && asked.resource().is_none_or(|r| r == own.resource()),
    }
}

pub(super) fn judge(iq: &Iq, rtt: Duration) -> Answer {
    match iq {
        Iq::Error { error, .. } => Answer::Error {
            condition: Element::from(error.defined_condition.clone()).name().to_owned(),
            text: error.texts.get("en").or_else(|| error.texts.values().next()).cloned(),
            rtt,
        },
        _ => Answer::Result { rtt },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(from: Option<&str>, id: &str) -> Iq {
        Iq::Result { from: from.map(|jid| Jid::new(jid).unwrap()), to: None, id: id.to_owned(), payload: None }
    }

    fn own() -> FullJid {
        FullJid::new("acs@a.test/r").unwrap()
    }

    #[test]
    fn an_answer_has_the_id_and_comes_from_whom_was_asked() {
        let to = Jid::new("cpe@a.test/wan").unwrap();
        assert!(answers(&result(Some("cpe@a.test/wan"), "1"), "1", Some(&to), &own()));
        assert!(!answers(&result(Some("cpe@a.test/wan"), "2"), "1", Some(&to), &own()));
        assert!(!answers(&result(Some("cpe@a.test/lan"), "1"), "1", Some(&to), &own()));
        assert!(!answers(&result(None, "1"), "1", Some(&to), &own()));
    }

    #[test]
    fn the_own_account_may_answer_without_from() {
        assert!(answers(&result(None, "1"), "1", None, &own()));
        assert!(answers(&result(Some("acs@a.test"), "1"), "1", None, &own()));
        assert!(!answers(&result(Some("x@a.test"), "1"), "1", None, &own()));
    }

    #[test]
    fn an_error_is_told_by_its_condition_and_text() {
        let iq: Element = "<iq xmlns='jabber:client' type='error' id='1'><error type='cancel'>\
            <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
            <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error></iq>"
            .parse()
            .unwrap();
        let answer = judge(&Iq::try_from(iq).unwrap(), Duration::from_millis(5));
        assert_eq!(
            answer,
            Answer::Error {
                condition: "service-unavailable".to_owned(),
                text: Some("no".to_owned()),
                rtt: Duration::from_millis(5)
            }
        );
    }
}
