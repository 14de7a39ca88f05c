//! The expected outcome of a stanza.

use xmpp_parsers::minidom::Element;
use xmppd::cwmp::authorize::Refusal;

use crate::harness::CPE1;

/// The outcome of a connection request, as the table names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Ignored,
    Refused(Refusal),
    /// Unavailable, with this text in the log.
    NotifyFailed(&'static str),
    Accepted,
}

impl Outcome {
    /// Returns the name of its count in the status.
    pub(super) fn counted_as(&self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Refused(Refusal::NotAccepting) => "refused_disabled",
            Self::Refused(Refusal::InvalidSender | Refusal::UnlistedSender | Refusal::UnlistedAccount) => {
                "refused_sender"
            }
            Self::Refused(Refusal::LockedOut { .. }) => "refused_locked",
            Self::Refused(Refusal::Malformed) => "refused_malformed",
            Self::Refused(Refusal::NoCredentials | Refusal::WrongCredentials) => "refused_credentials",
            Self::Refused(Refusal::Limit) => "refused_limit",
            Self::NotifyFailed(_) => "notify_failed",
            Self::Accepted => "accepted",
        }
    }

    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Ignored => Answer::None,
            Self::Refused(Refusal::Malformed) => BAD_REQUEST,
            Self::Refused(Refusal::NoCredentials | Refusal::WrongCredentials) => {
                Answer::Error { kind: "cancel", code: Some(401), condition: "not-authorized" }
            }
            Self::Refused(_) | Self::NotifyFailed(_) => UNAVAILABLE,
            Self::Accepted => RESULT,
        }
    }

    /// Returns what the log line has after the sender: its beginning, and a text in it.
    pub(super) fn words(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Ignored => None,
            Self::Refused(Refusal::LockedOut { .. }) => {
                Some(("refused: the sender is locked out for ".to_owned(), " s more"))
            }
            Self::Refused(refusal) => Some((format!("refused: {refusal}"), "")),
            Self::NotifyFailed(words) => Some(("failed: ".to_owned(), words)),
            Self::Accepted => Some(("accepted, the CWMP client was notified".to_owned(), "")),
        }
    }
}

/// An answer with all its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    None,
    /// With this content.
    Result(&'static str),
    Error {
        kind: &'static str,
        code: Option<u16>,
        condition: &'static str,
    },
}

pub(super) const RESULT: Answer = Answer::Result("");
pub(super) const UNAVAILABLE: Answer =
    Answer::Error { kind: "cancel", code: Some(503), condition: "service-unavailable" };
pub(super) const BAD_REQUEST: Answer = Answer::Error { kind: "modify", code: None, condition: "bad-request" };

/// For a connection that accepts connection requests.
pub(super) const INFO: Answer = Answer::Result(
    "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='bot' name='xmppd'/>\
     <feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/>\
     <feature var='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'/></query>",
);
/// For a connection that accepts none.
pub(super) const INFO_WITHOUT_REQUESTS: Answer = Answer::Result(
    "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='bot' name='xmppd'/>\
     <feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/></query>",
);

impl Answer {
    pub(super) fn is_error(self) -> bool {
        matches!(self, Self::Error { .. })
    }

    /// The expected stanza: exactly these attributes, and exactly these children in this order.
    pub(super) fn element(self, id: &str, from: &str, to: &str) -> Element {
        let (type_, content) = match self {
            Self::None => panic!("no answer is expected"),
            Self::Result(content) => ("result", content.to_owned()),
            Self::Error { kind, code, condition } => {
                let code = code.map(|code| format!(" code='{code}'")).unwrap_or_default();
                let condition = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
                ("error", format!("<error type='{kind}'{code}>{condition}</error>"))
            }
        };
        element(&format!("<iq type='{type_}' id='{id}' from='{from}' to='{to}'>{content}</iq>"))
    }
}

/// Parses a received stanza, without the language that ejabberd adds.
pub(super) fn element(stanza: &str) -> Element {
    let (tag, rest) = stanza.split_at(stanza.find('>').unwrap());
    let tag = match tag.split_once(" xml:lang='") {
        Some((before, after)) => format!("{before}{}", after.split_once('\'').unwrap().1),
        None => tag.to_owned(),
    };
    let whole = format!("{tag}{rest}");
    Element::from_reader_with_prefixes(whole.as_bytes(), "jabber:client".to_owned())
        .unwrap_or_else(|error| panic!("{error}: {stanza}"))
}

#[test]
fn answers_that_differ_in_any_part_are_unequal() {
    let expected = UNAVAILABLE.element("i", CPE1, "acs@a.test/r");
    let condition = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>";
    let iq = format!("<iq from='{CPE1}' to='acs@a.test/r' id='i' type='error' xml:lang='en'>");
    let right = format!("{iq}<error type='cancel' code='503'>{condition}</error></iq>");
    assert!(element(&right) == expected);
    for wrong in [
        right.replace("id='i'", "id='j'"),
        right.replace("acs@", "acs2@"),
        right.replace("503", "401"),
        right.replace(" code='503'", ""),
        right.replace("code='503'", "code='503' by='a.test'"),
        right.replace("cancel", "modify"),
        right.replace("<error", "<connectionRequest xmlns='x'/><error"),
        right.replace("</error>", "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error>"),
        right.replace("stanzas", "streams"),
        right.replace("</iq>", "text</iq>"),
    ] {
        assert!(wrong != right && element(&wrong) != expected, "{wrong}");
    }
}
