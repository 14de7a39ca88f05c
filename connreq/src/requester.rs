//! One session of an ACS's account, which sends requests one at a time.

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

/// Maximum number of stanzas kept for [`Requester::incoming`]; the oldest are dropped.
const INBOX: usize = 256;
/// Maximum time for closing the stream.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// An account and how to reach its server.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account's JID. A resource in it is requested from the server.
    pub jid: Jid,
    /// The account's password.
    pub password: SecretString,
    /// `host:port`; without it, DNS names the server of the JID's domain.
    pub server: Option<String>,
    /// What the server's certificate is checked against.
    pub trust: Trust,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The CA file cannot be used.
    #[error("cannot use the CA file: {0}")]
    Trust(TlsSetupError),
    /// A JID without a local part names a server, not an account.
    #[error("{0} is not an account: no user name before the @")]
    NoAccount(Jid),
    /// No TLS stream to the server.
    #[error("{}", unreachable(.0))]
    Unreachable(tokio_xmpp::Error),
    /// The server refused the login.
    #[error("the server refused the login: {0}")]
    Refused(tokio_xmpp::Error),
    /// The server ended the session during the login.
    #[error("the server ended the session during the login")]
    Ended,
    /// The login took too long.
    #[error("not logged in within {0:?}")]
    TimedOut(Duration),
}

/// Renders the error: the library's text is missing or unspecific for some.
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

/// The session has ended, closed by the server or broken by the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the server was lost")]
pub struct SessionLost;

/// The outcome of a request.
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
    None(NoAnswer),
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The time limit passed.
    TimedOut,
    /// The requester's session ended.
    Lost,
}

/// A logged-in session from which requests can be sent. It does not reconnect.
pub struct Requester {
    agent: Agent,
    jid: FullJid,
    ended: mpsc::UnboundedReceiver<Ended>,
    lost: bool,
    inbox: VecDeque<Stanza>,
    pub(super) responses: VecDeque<Iq>,
}

impl Requester {
    /// Logs in within `limit`.
    ///
    /// # Errors
    /// See [`LoginError`]. A refused login is reported after about a second.
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

    /// Returns the JID that the server bound.
    #[must_use]
    pub fn jid(&self) -> &FullJid {
        &self.jid
    }

    /// Sends a connection request and waits up to `limit` for its answer.
    pub async fn request(&mut self, to: &Jid, credentials: &Credentials, limit: Duration) -> Answer {
        let iq = request(String::new(), to, credentials);
        let start = Instant::now();
        match self.ask(iq, limit).await {
            Err(SessionLost) => Answer::None(NoAnswer::Lost),
            Ok(None) => Answer::None(NoAnswer::TimedOut),
            Ok(Some(iq)) => into_answer(&iq, start.elapsed()),
        }
    }

    /// Sends any IQ request and waits up to `limit` for its answer. An empty id is replaced by a random one.
    ///
    /// # Errors
    /// [`SessionLost`] when the session is over.
    pub async fn ask(&mut self, mut iq: Iq, limit: Duration) -> Result<Option<Iq>, SessionLost> {
        let deadline = Instant::now() + limit;
        if iq.id().is_empty() {
            *iq.id_mut() = random_id();
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

    /// Sends any stanza.
    ///
    /// # Errors
    /// [`SessionLost`] when the session is over.
    pub async fn send(&mut self, stanza: impl Into<Stanza>) -> Result<(), SessionLost> {
        if self.lost {
            return Err(SessionLost);
        }
        // After a disconnect the agent would hold the stanza back until it reconnects, which it never does.
        let sent = tokio::select! {
            _ = self.ended.recv() => Err(SessionLost),
            sent = self.agent.send_stanza(stanza) => sent.map(drop).map_err(|_| SessionLost),
        };
        self.lost |= sent.is_err();
        sent
    }

    /// Returns the next request, message or presence that arrives within `limit`. The `xmpp` crate has already answered a
    /// request: disco#info with its own, any other with `service-unavailable`. It does so only while this or
    /// [`ask`](Self::ask) is waiting.
    ///
    /// # Errors
    /// [`SessionLost`] when the session is over.
    pub async fn incoming(&mut self, limit: Duration) -> Result<Option<Stanza>, SessionLost> {
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

    /// Closes the stream cleanly.
    pub async fn close(self) {
        // On failure the connection is dropped, which is all that remains to do.
        let _ = timeout(CLOSE_LIMIT, self.agent.disconnect()).await;
    }

    /// Receives the next stanzas. Cancelling it loses at most an incoming request, never a response.
    pub(super) async fn step(&mut self) -> Result<(), SessionLost> {
        if self.lost {
            return Err(SessionLost);
        }
        let events = tokio::select! {
            _ = self.ended.recv() => {
                self.lost = true;
                return Err(SessionLost);
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

/// Builds the IQ of a connection request.
pub(super) fn request(id: String, to: &Jid, credentials: &Credentials) -> Iq {
    Iq::Get { from: None, to: Some(to.clone()), id, payload: connection_request(credentials) }
}

/// Returns an unpredictable id, so that only the recipient of the request can answer it.
pub(super) fn random_id() -> String {
    format!("connreq-{:016x}", rand::random::<u64>())
}

/// Returns whether `response` answers the request `id` that was sent to `to` (RFC 6120 8.1.2.1 and 8.2.3). A response
/// without `from` comes from the own account, or from its server on the account's behalf.
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

/// Converts the response to a connection request.
pub(super) fn into_answer(iq: &Iq, rtt: Duration) -> Answer {
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
    fn a_response_needs_the_id_and_the_address_of_the_request() {
        let to = Jid::new("cpe@a.test/wan").unwrap();
        assert!(answers(&result(Some("cpe@a.test/wan"), "1"), "1", Some(&to), &own()));
        assert!(!answers(&result(Some("cpe@a.test/wan"), "2"), "1", Some(&to), &own()));
        assert!(!answers(&result(Some("cpe@a.test/lan"), "1"), "1", Some(&to), &own()));
        assert!(!answers(&result(None, "1"), "1", Some(&to), &own()));
    }

    #[test]
    fn a_response_without_from_comes_from_the_own_account() {
        assert!(answers(&result(None, "1"), "1", None, &own()));
        assert!(answers(&result(Some("acs@a.test"), "1"), "1", None, &own()));
        assert!(!answers(&result(Some("x@a.test"), "1"), "1", None, &own()));
    }

    #[test]
    fn an_error_is_converted_with_its_condition_and_text() {
        let iq: Element = "<iq xmlns='jabber:client' type='error' id='1'><error type='cancel'>\
            <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
            <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error></iq>"
            .parse()
            .unwrap();
        let answer = into_answer(&Iq::try_from(iq).unwrap(), Duration::from_millis(5));
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
