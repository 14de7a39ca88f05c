use super::*;
use crate::testing::received;
use crate::xmpp::incoming::{Element, KnownElement};

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";
const DISCO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const DISCO_NODE: &str = "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>";
const REQUEST: &str = "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>\
    <username>u</username><password>p</password></connectionRequest>";
const MALFORMED: &str = "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'/>";
const BIND: &str = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";

fn iq(attributes: &str, inner: &str) -> IncomingIq {
    match received(&format!("<iq id='1' from='acs@a.test/r' {attributes}>{inner}</iq>")) {
        Element::Known(KnownElement::Iq(iq)) => iq,
        other => panic!("{other:?}"),
    }
}

#[test]
fn iqs_are_classified() {
    let answer = "Answer { id: Some(\"1\"), from: Some(\"acs@a.test/r\") }";
    let request = "ConnectionRequest(Some(GivenCredentials([redacted])))";
    let cases = [
        ("type='get'", PING, "Ping"),
        ("type='set'", PING, "Unsupported"),
        ("type='get'", DISCO, "DiscoInfo { has_node: false }"),
        ("type='get'", DISCO_NODE, "DiscoInfo { has_node: true }"),
        ("type='set'", DISCO, "Unsupported"),
        ("type='get'", REQUEST, request),
        ("type='set'", REQUEST, request),
        ("type='get'", MALFORMED, "ConnectionRequest(None)"),
        ("type='set'", MALFORMED, "ConnectionRequest(None)"),
        ("type='get'", "<x xmlns='urn:x'/>", "Unsupported"),
        ("type='set'", "<x/>", "Unsupported"),
        ("type='set'", BIND, "Unsupported"),
        ("type='get'", "<error/>", "Unsupported"),
        ("type='get'", "", "BadRequest"),
        ("type='get'", "text", "BadRequest"),
        ("type='set'", "", "BadRequest"),
        ("type='get'", "<x/><y/>", "BadRequest"),
        ("type='get'", &format!("{REQUEST}<x/>"), "BadRequest"),
        ("type='get'", &format!("{PING}{PING}"), "BadRequest"),
        ("type='result'", "", answer),
        ("type='result'", REQUEST, answer),
        ("type='result'", "<x/><y/>", answer),
        ("type='error'", "<error/>", answer),
        ("type='error'", REQUEST, answer),
        ("", REQUEST, "BadRequest"),
        ("type=''", PING, "BadRequest"),
        ("type='GET'", PING, "BadRequest"),
        ("type=' get'", PING, "BadRequest"),
        ("type='subscribe'", PING, "BadRequest"),
    ];
    for (attributes, inner, expected) in cases {
        let mut iq = iq(attributes, inner);
        assert_eq!(format!("{:?}", classify(&mut iq)), expected, "{attributes} {inner}");
    }
}

#[test]
fn a_reply_goes_where_the_request_came_from() {
    let iq = iq("type='get' to='cpe@a.test/wan'", PING);
    let answer = ReplyTo::of(&iq).result();
    assert_eq!((answer.id.as_deref(), answer.to.as_deref()), (Some("1"), Some("acs@a.test/r")));
}
