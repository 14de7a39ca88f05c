use super::*;
use crate::testing::written;
use crate::xmpp::stanza::ReplyTo;

#[test]
fn each_element_is_written_like_this() {
    let bind = |resource: Option<&str>| OutgoingIq {
        type_: "set",
        id: Some("1".to_owned()),
        to: None,
        payload: vec![OutgoingPayload::Bind { resource: resource.map(str::to_owned) }],
    };
    let data = |text: &str| SaslData(Zeroizing::new(text.to_owned()));
    let session =
        OutgoingIq { type_: "set", id: Some("1".to_owned()), to: None, payload: vec![OutgoingPayload::Session] };
    let ping = OutgoingIq { type_: "get", id: Some("1".to_owned()), to: None, payload: vec![OutgoingPayload::Ping] };
    let cases = [
        (written(&StartTls), "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (
            written(&SaslAuth { mechanism: "PLAIN", data: data("AHUAcA==") }),
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHUAcA==</auth>",
        ),
        (written(&SaslResponse { data: data("=") }), "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>"),
        (written(&Presence { priority: -1 }), "<presence><priority>-1</priority></presence>"),
        (written(&bind(None)), "<iq id='1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        (
            written(&bind(Some("w&n"))),
            "<iq id='1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>w&amp;n</resource></bind></iq>",
        ),
        (written(&session), "<iq id='1' type='set'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"),
        (written(&ping), "<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"),
        (
            written(&OutgoingStreamError { condition: StreamCondition::PolicyViolation }),
            "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        ),
        (
            written(&OutgoingStreamError { condition: StreamCondition::NotWellFormed }),
            "<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        ),
        (
            written(&OutgoingStreamError { condition: StreamCondition::UndefinedCondition }),
            "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        ),
    ];
    for (written, expected) in cases {
        assert_eq!(canonical(&written), canonical(expected));
    }
}

/// Quotes, the order of attributes and how an empty element is written are the encoder's choice, and the same to a server.
fn canonical(text: &str) -> String {
    let tag = |tag: &str| {
        let (tag, empty) = match tag.strip_suffix("/>") {
            Some(tag) => (tag, true),
            None => (tag.trim_end_matches('>'), false),
        };
        let mut words = tag.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let mut attributes: Vec<String> = words.map(|attribute| format!(" {}", attribute.replace('"', "'"))).collect();
        attributes.sort_unstable();
        let end = if empty { format!("></{}>", name.trim_start_matches('<')) } else { ">".to_owned() };
        format!("{name}{}{end}", attributes.concat())
    };
    text.split_inclusive('>').map(tag).collect::<Vec<_>>().concat()
}

fn to_acs() -> ReplyTo {
    ReplyTo { id: Some("cr&1".to_owned()), from: Some("acs@a.test/r".to_owned()) }
}

/// Byte for byte but for quotes and the order of attributes: deployed ACSs take the first child of `<error>` for the condition.
#[test]
fn the_answers_are_these() {
    let error = |type_: &str, code: &str, condition: &str| {
        format!(
            "<iq id='cr&amp;1' to='acs@a.test/r' type='error'><error {code}type='{type_}'>\
             <{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
    };
    let to = to_acs();
    let cases = [
        (to.result(), "<iq id='cr&amp;1' to='acs@a.test/r' type='result'/>".to_owned()),
        (to.service_unavailable(), error("cancel", "code='503' ", "service-unavailable")),
        (to.not_authorized(), error("cancel", "code='401' ", "not-authorized")),
        (to.bad_request(), error("modify", "", "bad-request")),
        (ReplyTo { id: None, from: None }.result(), "<iq type='result'/>".to_owned()),
    ];
    for (answer, expected) in cases {
        assert_eq!(canonical(&written(&answer)), canonical(&expected));
    }
}

#[test]
fn disco_info_names_what_is_there() {
    let query = |more: &str| {
        format!(
            "<iq id='cr&amp;1' to='acs@a.test/r' type='result'><query xmlns='http://jabber.org/protocol/disco#info'>\
             <identity category='client' name='xmppd' type='bot'/>\
             <feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/>{more}</query></iq>"
        )
    };
    let request = "<feature var='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'/>";
    assert_eq!(canonical(&written(&to_acs().disco_info(true))), canonical(&query(request)));
    assert_eq!(canonical(&written(&to_acs().disco_info(false))), canonical(&query("")));
}
