//! What a well-behaved server sends.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::xmpp::incoming::Known;

/// A stream with something of everything: entities, CDATA, characters of several bytes, empty elements, white space.
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
fn a_header_elements_and_the_footer() {
    let received = read(&conversation());
    let begins = [
        "Header { id: Some(\"s1\"), from: Some(\"a.test\") }",
        "Element(Known(Features(StreamFeatures { features: Features { starttls: Some(StartTls { required: true })",
        "Element(Known(Iq(Iq { type_: Some(\"get\"), id: Some(\"a&b\"), from: Some(\"m\u{fc}ller@a.test/\u{1f600}\")",
        "Element(Known(Message { type_: Some(\"error\") }))",
        "Element(Known(Presence { type_: None }))",
        "Element(Unknown)",
        "Element(Known(Iq(Iq { type_: Some(\"result\"), id: Some(\"2\")",
        "Element(Known(StreamError(StreamError { condition: ErrorCondition { condition: Some(\"see-other-host\"), content: \"b.test:1\"",
        "Footer",
        "Closed",
    ];
    assert_eq!(received.len(), begins.len(), "{received:#?}");
    for (received, begin) in received.iter().zip(begins) {
        assert!(received.starts_with(begin), "{received} is not {begin}");
    }
}

#[test]
fn an_element_cut_in_two_at_any_byte_is_the_same() {
    let text = conversation();
    let whole = read(&text);
    for at in 0..text.len() {
        let (left, right) = text.as_bytes().split_at(at);
        assert_eq!(read_pieces([left, right]), whole, "cut at {at}: {}", String::from_utf8_lossy(left));
    }
}

#[test]
fn byte_by_byte_is_the_same() {
    let text = conversation();
    assert_eq!(read_pieces(text.as_bytes().chunks(1)), read(&text));
}

/// The end of an empty element is an event that the parser still holds when all bytes have been read.
#[test]
fn the_last_element_before_the_end_of_the_connection_is_not_lost() {
    let received = read(&format!("{HEADER}<presence/>"));
    assert_eq!(received[1..], ["Element(Known(Presence { type_: None }))", "Closed"]);
    let received = read(&format!("{HEADER}<stream:error><conflict xmlns='{}'/></stream:error>", ns::STREAM_ERRORS));
    assert!(received[1].contains("conflict"), "{received:?}");
}

#[test]
fn an_end_in_the_middle_is_an_end() {
    for text in ["", "<?xml version='1.0'?>", HEADER, &format!("{HEADER}<iq"), &format!("{HEADER}<iq><a>text")] {
        assert_eq!(read(text).last().map(String::as_str), Some("Closed"), "{text}");
    }
}

#[test]
fn white_space_between_elements_is_life_and_nothing_else() {
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
            assert!(nothing.is_err(), "{white:?} came out as {nothing:?}");
            assert!(last_received.get() >= before + Duration::from_secs(100), "{white:?} was not heard");
        }
        server.write_all(b"<presence/>").await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Element(_))));
    });
}

#[test]
fn an_element_is_not_there_before_its_end() {
    run(async {
        let (mut stream, mut server) = connected(1024);
        server.write_all(format!("{HEADER}<message><body>").as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        // The future is dropped by each timeout: nothing that was read may go with it.
        for part in ["half", "</body>", "</mess", "age"] {
            assert!(tokio::time::timeout(Duration::from_secs(1), stream.next()).await.is_err(), "before {part}");
            server.write_all(part.as_bytes()).await.unwrap();
        }
        server.write_all(b">").await.unwrap();
        let Ok(Received::Element(element)) = stream.next().await else { panic!("no element") };
        assert!(matches!(*element, Element::Known(Known::Message { .. })), "{element:?}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn how_the_bytes_are_cut_up_does_not_matter(cuts in prop::collection::vec(1_usize..40, 1..200)) {
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
    fn no_bytes_whatever_make_it_panic_or_hang(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..1000_usize) {
        let mut text = conversation().into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        let whole = read_pieces([text.as_slice()]);
        prop_assert_eq!(read_pieces(text.chunks(7)).len(), whole.len());
    }
}
