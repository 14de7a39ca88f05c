//! Input that violates the protocol or the limits, from the server or from a sender through it.

use super::*;

fn fault(text: &[u8]) -> String {
    read_pieces(text.chunks(4096)).pop().unwrap()
}

/// The expected fault: XMPP forbids comments, processing instructions and DTDs (RFC 6120 11.1).
fn expected(text: &str) -> &'static str {
    if ["<!--", "<?pi", "<!DOCTYPE"].iter().any(|forbidden| text.contains(forbidden)) {
        "Restricted"
    } else {
        "NotXml("
    }
}

#[test]
fn malformed_or_restricted_xml_ends_the_stream() {
    for text in [
        "hello",
        "&amp;",
        "<!DOCTYPE a>",
        "<!-- comment -->",
        "<?pi?>",
        "<iq><!-- comment --></iq>",
        "<iq><?pi?></iq>",
        "<iq>&nbsp;</iq>",
        "<iq></message>",
        "<iq a='1' a='2'/>",
        "<iq a='<'/>",
        "<u:iq/>",
        "<iq>&#0;</iq>",
        "<iq>\u{1}</iq>",
        "<iq>\u{fffe}</iq>",
        "</iq>",
    ] {
        let fault = fault(format!("{HEADER}{text}").as_bytes());
        assert!(fault.starts_with(expected(text)), "{text}: {fault}");
    }
}

#[test]
fn malformed_or_restricted_xml_before_the_header_ends_the_stream() {
    for text in ["hello", "<!DOCTYPE stream>", "<!-- comment -->", "</stream>", "HTTP/1.1 400 Bad Request\r\n"] {
        let fault = fault(text.as_bytes());
        assert!(fault.starts_with(expected(text)), "{text}: {fault}");
    }
}

#[test]
fn invalid_utf_8_ends_the_stream() {
    for bytes in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"] {
        let text = [format!("{HEADER}<message><body>").as_bytes(), bytes, b"</body></message>"].concat();
        let fault = fault(&text);
        assert!(fault.starts_with("NotXml("), "{bytes:?}: {fault}");
    }
}

#[test]
fn the_root_of_another_protocol_is_reported() {
    for text in ["<html>", "<stream:stream xmlns:stream='urn:x'>", "<stream xmlns='jabber:client'>"] {
        let fault = fault(text.as_bytes());
        assert!(fault.starts_with("NotXmpp("), "{text}: {fault}");
    }
}

#[test]
fn a_server_may_use_any_prefix() {
    let received = read("<s:stream xmlns:s='http://etherx.jabber.org/streams'><iq xmlns='jabber:client'/></s:stream>");
    assert!(received[0].starts_with("Header") && received[1].starts_with("Element(Known(Iq"), "{received:?}");
    assert_eq!(received[2..], ["Footer", "Closed"]);
}

#[test]
fn data_after_the_footer_is_ignored() {
    for text in ["<iq/>", "text", "</stream:stream>"] {
        let received = read(&format!("{HEADER}</stream:stream>{text}"));
        assert_eq!((received.len(), received[1].as_str()), (3, "Footer"));
        assert!(received[2].starts_with("NotXml(") || received[2] == "Closed", "{received:?}");
    }
}

/// An element of exactly `size` bytes.
fn filled(size: usize, open: &str, filler: u8, close: &str) -> Vec<u8> {
    let mut text = open.as_bytes().to_vec();
    text.resize(size - close.len(), filler);
    text.extend_from_slice(close.as_bytes());
    text
}

/// 256 KiB are what servers let through.
#[test]
fn an_element_of_the_maximum_size_is_read() {
    for size in [256 * 1024, MAX_ELEMENT] {
        for (open, close) in [
            ("<message><body>", "</body></message>"),
            ("<message><body><![CDATA[", "]]></body></message>"),
            ("<message><body a='", "'/></message>"),
            ("<message id='", "'/>"),
            ("<message><", "/></message>"),
            ("<message><a ", "='1'/></message>"),
            ("<message><a xmlns='", "'/></message>"),
        ] {
            let text = [HEADER.as_bytes(), &filled(size, open, b'x', close), b" <presence/>"].concat();
            let received = read_pieces(text.chunks(4096));
            let expected =
                ["Element(Known(Message { type_: None }))", "Element(Known(Presence { type_: None }))", "Closed"];
            assert_eq!(received[1..], expected, "{open} of {size}");
        }
    }
}

#[test]
fn an_element_of_one_byte_more_is_too_large() {
    for (open, filler, close) in
        [("<message><body>", b'x', "</body></message>"), ("<message id='", b'x', "'/>"), ("<message", b' ', "/>")]
    {
        let text = [HEADER.as_bytes(), &filled(MAX_ELEMENT + 1, open, filler, close)].concat();
        assert_eq!(fault(&text), "TooLarge", "{open}");
    }
}

#[test]
fn an_element_without_end_is_too_large() {
    for (open, again) in [
        ("<message><body>", "text"),
        ("<message><body>", "&amp;"),
        ("<message id='", "x"),
        ("<message id='", "&#x20;"),
        ("<message", " "),
        ("<message ", "y"),
        ("<message><", "z"),
        ("", "<a>"),
        ("<message>", "<a/>"),
        ("<iq>", "<a xmlns='urn:a'>"),
        ("<iq type='get'><query xmlns='http://jabber.org/protocol/disco#info'>", "<a/>text"),
        ("<iq type='get'><connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'>", "<username/>"),
    ] {
        let mut text = format!("{HEADER}{open}");
        while text.len() < 2 * MAX_ELEMENT {
            text.push_str(again);
        }
        assert_eq!(fault(text.as_bytes()), "TooLarge", "{open}{again}...");
    }
}

#[test]
fn an_element_of_many_attributes_is_too_large() {
    let attributes: Vec<_> = (0..100_000).map(|n| format!(" a{n}='{n}'")).collect();
    assert_eq!(fault(format!("{HEADER}<message{}/>", attributes.concat()).as_bytes()), "TooLarge");
}

#[test]
fn white_space_between_elements_never_becomes_too_large() {
    let text = format!("{HEADER}{}<presence/>", " \n".repeat(MAX_ELEMENT));
    assert_eq!(read_pieces(text.as_bytes().chunks(4096))[1..], ["Element(Known(Presence { type_: None }))", "Closed"]);
}

/// On a stack of 256 KiB: neither reading nor dropping recurses.
#[test]
fn a_hundred_thousand_nested_children_are_skipped() {
    let deep = |open: &str, close: &str| format!("{open}{}{}{close}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let elements = [
        deep("<iq type='get' id='deep'>", "</iq>"),
        deep(
            "<iq><connectionRequest xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'><username>",
            "</username></connectionRequest></iq>",
        ),
        deep("<iq><error><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>", "</gone></error></iq>"),
        deep("<message>", "</message>"),
        deep("<x xmlns='urn:x'>", "</x>"),
        deep("<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>", "</bind></stream:features>"),
    ];
    let read = move || {
        for element in elements {
            let text = format!("{HEADER}{element}<presence/>");
            let received = read_pieces(text.as_bytes().chunks(4096));
            assert!(received[1].starts_with("Element("), "{}", received[1]);
            assert_eq!(received[2], "Element(Known(Presence { type_: None }))");
        }
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(read).unwrap().join().unwrap();
}
