use super::*;
use crate::testing::received;
use crate::xmpp::incoming::{Element, IncomingIq, KnownElement};

fn iq(payload: &str) -> IncomingIq {
    match received(&format!("<iq type='get' id='1'>{payload}</iq>")) {
        Element::Known(KnownElement::Iq(iq)) => iq,
        other => panic!("{payload}: {other:?}"),
    }
}

fn payload(text: &str) -> IncomingPayload {
    let payloads = iq(text).payloads;
    assert_eq!(payloads.count, 1, "{text}");
    payloads.first.unwrap()
}

/// User name and password of a connection request with this content; `None`: malformed.
fn credentials(inner: &str) -> Option<(String, String)> {
    let text = format!("<connectionRequest xmlns='{}'>{inner}</connectionRequest>", ns::CONNECTION_REQUEST);
    match payload(&text) {
        IncomingPayload::Known(KnownPayload::ConnectionRequest(request)) => {
            request.into_credentials().map(|given| (given.username, given.password.expose().to_owned()))
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_connection_request_is_read_in_any_form_of_xml() {
    for inner in [
        "<username>u</username><password>p</password>",
        "<password>p</password><username>u</username>",
        "\n  <username>u</username>\r\n\t<password>p</password> ",
        "<username><![CDATA[u]]></username><password><![CDATA[]]>p<![CDATA[]]></password>",
        "<username>&#117;</username><password>&#x70;</password>",
        "<x/><username>u</username><y xmlns='urn:y'><username>other</username></y><password>p</password><z>z</z>",
        "stray<username>u</username>text<password>p</password>",
        "<username a='1' xml:lang='en'>u</username><password b='2'>p</password>",
        "<username xmlns='urn:x'>other</username><username>u</username><password>p</password>",
        "<p:username xmlns:p='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>u</p:username><password>p</password>",
    ] {
        assert_eq!(credentials(inner), Some(("u".to_owned(), "p".to_owned())), "{inner}");
    }
}

#[test]
fn credentials_are_neither_trimmed_nor_normalized() {
    for (written, expected) in [
        ("&lt;&amp;&gt;&quot;&apos;", "<&>\"'"),
        ("<![CDATA[<a>&amp;]]>", "<a>&amp;"),
        (" u ", " u "),
        ("m\u{fc}\u{1f600}", "m\u{fc}\u{1f600}"),
        ("", ""),
        ("a<![CDATA[b]]>&#99;d", "abcd"),
    ] {
        let inner = format!("<username>{written}</username><password>{written}</password>");
        assert_eq!(credentials(&inner), Some((expected.to_owned(), expected.to_owned())), "{written}");
    }
    assert_eq!(credentials("<username/><password/>"), Some((String::new(), String::new())));
}

#[test]
fn a_connection_request_without_exactly_one_user_name_and_password_is_malformed() {
    for inner in [
        "",
        "text",
        "<username>u</username>",
        "<password>p</password>",
        "<username>u</username><password xmlns='urn:x'>p</password>",
        "<username>u</username><username>u</username><password>p</password>",
        "<username>u</username><password>p</password><password>p</password>",
        "<username>u</username><password>p</password><password/>",
        "<username>u<x/></username><password>p</password>",
        "<username>u</username><password><x>p</x></password>",
        "<username><username>u</username></username><password>p</password>",
        "<x><username>u</username><password>p</password></x>",
        "<Username>u</Username><password>p</password>",
    ] {
        assert_eq!(credentials(inner), None, "{inner}");
    }
}

#[test]
fn payloads_are_known_by_name_and_namespace() {
    let bind = |inner: &str| format!("<bind xmlns='{}'>{inner}</bind>", ns::BIND);
    let cases = [
        ("<ping xmlns='urn:xmpp:ping'/>".to_owned(), "Known(Ping)"),
        ("<ping xmlns='urn:xmpp:ping' a='1'>text<x/></ping>".to_owned(), "Known(Ping)"),
        ("<ping/>".to_owned(), "Unknown"),
        ("<ping xmlns='urn:xmpp:pong'/>".to_owned(), "Unknown"),
        (format!("<query xmlns='{}'/>", ns::DISCO_INFO), "Known(DiscoInfo { node: None })"),
        (format!("<query xmlns='{}' node=''/>", ns::DISCO_INFO), "Known(DiscoInfo { node: Some(\"\") })"),
        (format!("<query xmlns='{}'><feature var='x'/></query>", ns::DISCO_INFO), "Known(DiscoInfo { node: None })"),
        ("<query xmlns='http://jabber.org/protocol/disco#items'/>".to_owned(), "Unknown"),
        (bind("<jid>a@a.test/r</jid>"), "Known(Bind { jid: Some(\"a@a.test/r\") })"),
        (bind("<x/>text<jid a='1'>a@a.test/r</jid>"), "Known(Bind { jid: Some(\"a@a.test/r\") })"),
        (bind(""), "Known(Bind { jid: None })"),
        (bind("<jid>a</jid><jid>b</jid>"), "Unknown"),
        (
            "<error type='cancel'/>".to_owned(),
            "Known(Error { type_: Some(\"cancel\"), condition: StanzaErrorCondition(None) })",
        ),
        ("<error/>".to_owned(), "Known(Error { type_: None, condition: StanzaErrorCondition(None) })"),
        ("<connectionRequest/>".to_owned(), "Unknown"),
        ("<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-1'/>".to_owned(), "Unknown"),
    ];
    for (text, expected) in cases {
        assert_eq!(format!("{:?}", payload(&text)), expected, "{text}");
    }
}

#[test]
fn the_first_defined_condition_of_an_error_counts() {
    let condition = |inner: &str| {
        let inner = inner.replace('!', " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'");
        match payload(&format!("<error type='cancel' code='503' by='a.test'>{inner}</error>")) {
            IncomingPayload::Known(KnownPayload::Error { condition, .. }) => condition.to_string(),
            other => panic!("{inner}: {other:?}"),
        }
    };
    for (inner, expected) in [
        ("<service-unavailable!/>", "service-unavailable"),
        ("<text!>why</text><gone!>xmpp:b.test</gone>", "gone"),
        ("<x xmlns='urn:x'/><not-authorized!><y/></not-authorized>", "not-authorized"),
        ("<conflict!/><gone!/>", "conflict"),
        ("<text!>only</text>", "undefined-condition"),
        ("<conflict/>", "undefined-condition"),
        ("", "undefined-condition"),
    ] {
        assert_eq!(condition(inner), expected, "{inner}");
    }
}

#[test]
fn the_first_payload_is_kept_and_the_others_are_counted() {
    let payloads = iq("<ping xmlns='urn:xmpp:ping'/><a/><b/>").payloads;
    assert!(matches!(payloads.first, Some(IncomingPayload::Known(KnownPayload::Ping))), "{payloads:?}");
    assert_eq!(payloads.count, 3);
}

#[test]
fn debug_output_holds_no_credentials() {
    let request =
        |inner: &str| format!("<connectionRequest xmlns='{}'>{inner}</connectionRequest>", ns::CONNECTION_REQUEST);
    for inner in [
        "<username>somename</username><password>hunter2</password>",
        "<username>somename</username><username>somename</username><password>hunter2</password>",
        "<password>hunter2<x>somename</x></password>",
        "hunter2",
    ] {
        let iq = iq(&request(inner));
        let mut shown = format!("{iq:?}");
        let Some(IncomingPayload::Known(KnownPayload::ConnectionRequest(given))) = iq.payloads.first else {
            panic!("{inner}")
        };
        shown = format!("{shown} {given:?}");
        shown = format!("{shown} {:?}", given.into_credentials());
        assert!(!shown.contains("somename") && !shown.contains("hunter2"), "{shown}");
    }
    let meaning =
        crate::xmpp::stanza::classify(&mut iq(&request("<username>somename</username><password>hunter2</password>")));
    let shown = format!("{meaning:?}");
    assert!(shown.contains("redacted") && !shown.contains("somename") && !shown.contains("hunter2"), "{shown}");
}
