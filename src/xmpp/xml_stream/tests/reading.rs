//! Streams of well-behaved servers.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::xmpp::incoming::{Element, KnownElement};

/// A stream with entities, CDATA, characters of several bytes, empty elements and white space.
const CONVERSATION: &str = concat!(
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>",
    " \n<iq type='get' id='a&amp;b' from='m\u{fc}ller@a.test/\u{1f600}'>",
    "<connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>",
    "<username>u&#x20;<![CDATA[<x>&]]></username>\n<password>p</password></connectionRequest></iq>",
    "<message type='error'><body>\u{20ac}</body></message><presence/>\t",
    "<x xmlns='urn:x'><y a='1'/>text</x><iq type='result' id='2'/>",
    "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>b.test:1</see-other-host>",
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>moved</text></stream:error></stream:stream>",
);

fn conversation() -> String {
    format!("{HEADER}{CONVERSATION}")
}

#[test]
fn header_elements_and_footer_are_yielded_in_order() {
    let received = read(&conversation());
    let begins = [
        "Header { id: Some(\"s1\"), from: Some(\"a.test\") }",
        "Element(Known(Features(StreamFeatures { features: Features { starttls: Some(StartTlsFeature { required: true })",
        "Element(Known(Iq(IncomingIq { type_: Some(\"get\"), id: Some(\"a&b\"), from: Some(\"m\u{fc}ller@a.test/\u{1f600}\")",
        "Element(Known(Message { type_: Some(\"error\") }))",
        "Element(Known(Presence { type_: None }))",
        "Element(Unknown)",
        "Element(Known(Iq(IncomingIq { type_: Some(\"result\"), id: Some(\"2\")",
        "Element(Known(StreamError(IncomingStreamError { condition: ErrorCondition { condition: Some(\"see-other-host\"), content: \"b.test:1\"",
        "Footer",
        "Closed",
    ];
    assert_eq!(received.len(), begins.len(), "{received:#?}");
    for (received, begin) in received.iter().zip(begins) {
        assert!(received.starts_with(begin), "{received} does not begin with {begin}");
    }
}

#[test]
fn a_cut_at_any_byte_makes_no_difference() {
    let text = conversation();
    let whole = read(&text);
    for at in 0..text.len() {
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(read_pieces([left, right]), whole, "cut at {at}: {}", String::from_utf8_lossy(left));
    }
}

#[test]
fn single_bytes_make_no_difference() {
    let text = conversation();
    assert_eq!(read_pieces(text.as_bytes().chunks(1)), read(&text));
}

/// The parser still holds the end of an empty element when all bytes have been read.
#[test]
fn the_last_element_before_the_end_of_the_connection_is_not_lost() {
    let received = read(&format!("{HEADER}<presence/>"));
    assert_eq!(received[1..], ["Element(Known(Presence { type_: None }))", "Closed"]);
    let received = read(&format!("{HEADER}<stream:error><conflict xmlns='{}'/></stream:error>", ns::STREAM_ERRORS));
    assert!(received[1].contains("conflict"), "{received:?}");
}

#[test]
fn the_end_of_the_connection_within_an_element_is_reported() {
    for text in ["", "<?xml version='1.0'?>", HEADER, &format!("{HEADER}<iq"), &format!("{HEADER}<iq><a>text")] {
        assert_eq!(read(text).last().map(String::as_str), Some("Closed"), "{text}");
    }
}

#[test]
fn white_space_between_elements_only_counts_as_received() {
    run(async {
        let (mut stream, mut server) = connected(1024);
        let last_received = stream.last_received();
        server.write_all(HEADER.as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        for white in [" ", "\n", "\r\n\t ", "&#x20;"] {
            let before = last_received.get();
            tokio::time::advance(Duration::from_secs(100)).await;
            server.write_all(white.as_bytes()).await.unwrap();
            let nothing = tokio::time::timeout(Duration::from_secs(1), stream.next()).await;
            assert!(nothing.is_err(), "{white:?} yields {nothing:?}");
            assert!(last_received.get() >= before + Duration::from_secs(100), "{white:?} does not count as received");
        }
        server.write_all(b"<presence/>").await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Element(_))));
    });
}

#[test]
fn an_element_is_yielded_at_its_end() {
    run(async {
        let (mut stream, mut server) = connected(1024);
        server.write_all(format!("{HEADER}<message><body>").as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        // Each timeout drops the future, which must not lose what was read.
        for part in ["half", "</body>", "</mess", "age"] {
            assert!(tokio::time::timeout(Duration::from_secs(1), stream.next()).await.is_err(), "before {part}");
            server.write_all(part.as_bytes()).await.unwrap();
        }
        server.write_all(b">").await.unwrap();
        let Ok(Received::Element(element)) = stream.next().await else { panic!("no element") };
        assert!(matches!(*element, Element::Known(KnownElement::Message { .. })), "{element:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_make_no_difference(cuts in prop::collection::vec(1_usize..40, 1..200)) {
        let text = conversation();
        let mut rest = text.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(read_pieces(pieces), read(&text));
    }

    #[test]
    fn no_bytes_cause_a_panic_or_a_hang(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..1000_usize) {
        let mut text = conversation().into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        let whole = read_pieces([text.as_slice()]);
        prop_assert_eq!(read_pieces(text.chunks(7)).len(), whole.len());
    }
}
