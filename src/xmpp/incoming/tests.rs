use super::*;
use crate::testing::received;

/// The debug output of the element.
fn read(text: &str) -> String {
    match received(text) {
        Element::Known(known) => format!("{known:?}"),
        Element::Unknown => "Unknown".to_owned(),
    }
}

fn iq(text: &str) -> IncomingIq {
    match received(text) {
        Element::Known(KnownElement::Iq(iq)) => iq,
        other => panic!("{text}: {other:?}"),
    }
}

const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const TLS: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'";

#[test]
fn unknown_attributes_children_and_text_are_ignored() {
    let contents = [
        ("", ""),
        (" a='1' xml:lang='en' xmlns:p='urn:p' p:b='2'", ""),
        ("", "text &amp; <![CDATA[more]]>"),
        ("", "<x xmlns='urn:x'><y/>z</x><text/>"),
        (" type='error'", "<body>b</body>"),
    ];
    for (attributes, inner) in contents {
        let type_ = if attributes.contains("type") { "Some(\"error\")" } else { "None" };
        for (open, close, expected) in [
            ("message", "message", format!("Message {{ type_: {type_} }}")),
            ("presence", "presence", format!("Presence {{ type_: {type_} }}")),
            (&*format!("proceed {TLS}"), "proceed", "TlsProceed".to_owned()),
            (&*format!("failure {TLS}"), "failure", "TlsFailure".to_owned()),
        ] {
            let text = format!("<{open}{attributes}>{inner}</{close}>");
            assert_eq!(read(&text), expected, "{text}");
        }
    }
}

#[test]
fn elements_are_known_by_name_and_namespace() {
    for text in [
        "<iq xmlns='urn:x'/>",
        "<message xmlns=''/>",
        "<IQ/>",
        "<features/>",
        "<error/>",
        "<proceed/>",
        "<failure/>",
        "<challenge/>",
        "<success/>",
        "<stream:iq/>",
        "<x xmlns='urn:x' type='get'><iq xmlns='jabber:client'/></x>",
    ] {
        assert_eq!(read(text), "Unknown", "{text}");
    }
    assert_eq!(read("<p:presence xmlns:p='jabber:client'/>"), "Presence { type_: None }");
}

#[test]
fn an_iq_is_read_whatever_attributes_are_missing_or_invalid() {
    let bare = iq("<iq/>");
    assert_eq!((bare.type_, bare.id, bare.from, bare.to, bare.payloads.count), (None, None, None, None, 0));
    let full = iq("<iq type='other' id='' from='not a@jid@' to='&lt;' x='1' xml:lang='en'>text<a/>text</iq>");
    assert_eq!(full.type_.as_deref(), Some("other"));
    assert_eq!(full.id.as_deref(), Some(""));
    assert_eq!(full.from.as_deref(), Some("not a@jid@"));
    assert_eq!(full.to.as_deref(), Some("<"));
    assert_eq!(full.payloads.count, 1);
    // Attributes of other namespaces are ignored.
    let other = iq("<iq xmlns:p='urn:p' p:type='get' p:id='1' p:from='a'/>");
    assert_eq!((other.type_, other.id, other.from), (None, None, None));
}

#[test]
fn the_children_of_an_iq_are_counted() {
    let children = ["<a/>", "<b xmlns='urn:b'>text</b>", "<ping xmlns='urn:xmpp:ping'/>", "<error/>"];
    for n in 0..=4 {
        let text = format!("<iq type='get'> {} </iq>", children[..n].join("\n"));
        assert_eq!(iq(&text).payloads.count, n, "{text}");
    }
    assert_eq!(iq(&format!("<iq>{}</iq>", "<a/>".repeat(10_000))).payloads.count, 10_000);
}

#[test]
fn challenge_and_success_have_base64_text() {
    assert_eq!(read(&format!("<challenge {SASL}>YQ==</challenge>")), "SaslChallenge { data: \"YQ==\" }");
    assert_eq!(read(&format!("<success {SASL} x='1'>YQ==</success>")), "SaslSuccess { data: \"YQ==\" }");
    assert_eq!(read(&format!("<success {SASL}/>")), "SaslSuccess { data: \"\" }");
}

fn error_of(text: &str) -> ErrorCondition {
    match received(text) {
        Element::Known(
            KnownElement::SaslFailure { condition } | KnownElement::StreamError(IncomingStreamError { condition }),
        ) => condition,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_first_condition_and_the_first_text_are_kept() {
    let error = |inner: &str| {
        let inner = inner.replace('!', " xmlns='urn:ietf:params:xml:ns:xmpp-streams'");
        error_of(&format!("<stream:error>{inner}</stream:error>"))
    };
    let cases = [
        ("", None, "", None),
        ("<conflict!/>", Some("conflict"), "", None),
        ("<conflict!/><text! xml:lang='en'>why</text>", Some("conflict"), "", Some("why")),
        ("<text!>why</text><conflict!/>", Some("conflict"), "", Some("why")),
        ("<text!>one</text><text!>two</text><reset!/><conflict!/>", Some("reset"), "", Some("one")),
        ("<see-other-host!>b.test:9</see-other-host>", Some("see-other-host"), "b.test:9", None),
        ("<see-other-host!>b<x/>.test</see-other-host>", Some("see-other-host"), "b.test", None),
        ("<x xmlns='urn:x'>y</x><reset!/>", Some("reset"), "", None),
        ("<conflict xmlns='urn:x'/>", None, "", None),
        ("stray text", None, "", None),
    ];
    for (inner, condition, content, text) in cases {
        let expected = ErrorCondition {
            condition: condition.map(str::to_owned),
            content: content.to_owned(),
            text: text.map(str::to_owned),
        };
        assert_eq!(error(inner), expected, "{inner}");
    }
}

#[test]
fn a_sasl_failure_is_displayed_with_its_text() {
    let refused = error_of(&format!("<failure {SASL} x='1'><not-authorized/><text xml:lang='en'>no</text>x</failure>"));
    assert_eq!(refused.to_string(), "not-authorized (no)");
    assert_eq!(error_of(&format!("<failure {SASL}/>")).to_string(), "undefined-condition");
    assert_eq!(error_of(&format!("<failure {SASL}><text/></failure>")).to_string(), "undefined-condition");
}

#[test]
fn a_known_element_with_invalid_content_is_unknown() {
    for text in ["<a xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='-1'/>"] {
        assert_eq!(read(text), "Unknown", "{text}");
    }
}
