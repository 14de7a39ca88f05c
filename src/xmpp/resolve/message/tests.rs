use std::net::{Ipv4Addr, Ipv6Addr};
use std::slice;

use proptest::prelude::*;

use super::*;

const ID: u16 = 0x1234;

/// Flags of a response (RFC 1035 4.1.1): QR, RD, RA; and TC.
const RESPONSE: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;

/// A compressed name (RFC 1035 4.1.4): the name of the first question.
const ASKED: &[u8] = &[0xc0, 12];

fn question() -> DnsQuestion {
    DnsQuestion { name: name("xmpp.test").unwrap(), kind: Rtype::A }
}

fn address(owner: &str, last: u8) -> Record {
    Record { owner: name(owner).unwrap(), data: RecordData::Address(Ipv4Addr::new(192, 0, 2, last).into()) }
}

fn alias(owner: &str, target: &str) -> Record {
    Record { owner: name(owner).unwrap(), data: RecordData::Cname(name(target).unwrap()) }
}

fn encoded(text: &str) -> Vec<u8> {
    name(text).unwrap().into_octets()
}

/// Encodes a record of the class IN.
fn record(owner: &[u8], kind: Rtype, data: &[u8]) -> Vec<u8> {
    record_of_class(1, owner, kind, data)
}

fn record_of_class(class: u16, owner: &[u8], kind: Rtype, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let [kind, class, length] = [kind.to_int(), class, length].map(u16::to_be_bytes);
    [owner, &kind, &class, &60_u32.to_be_bytes(), &length, data].concat()
}

/// Encodes an A record of the name of the question.
fn answer(last: u8) -> Vec<u8> {
    record(ASKED, Rtype::A, &[192, 0, 2, last])
}

/// Encodes a message with these questions, and with these records in its sections.
fn message(flags: u16, questions: &[DnsQuestion], sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
    let [answers, authorities, additionals] = sections.map(<[_]>::len);
    let counts = [questions.len(), answers, authorities, additionals].map(|count| u16::try_from(count).unwrap());
    let mut bytes = [&[ID, flags][..], &counts].concat().into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    for DnsQuestion { name, kind } in questions {
        bytes.extend([name.as_slice(), &kind.to_int().to_be_bytes(), &[0, 1]].concat());
    }
    [bytes, sections.concat().concat()].concat()
}

/// Encodes a message that answers the question.
fn response(answers: &[Vec<u8>]) -> Vec<u8> {
    message(RESPONSE, &[question()], [answers, &[], &[]])
}

fn received(bytes: &[u8]) -> Response {
    question().decode(ID, bytes)
}

/// The data of the records in the response to these records.
fn data(answers: &[Vec<u8>]) -> Option<Vec<RecordData>> {
    match received(&response(answers)) {
        Response::Answer(records) => Some(records.into_iter().map(|record| record.data).collect()),
        Response::Failed(NameServerError::Malformed) => None,
        other => panic!("{other:?}"),
    }
}

fn v4(last: u8) -> RecordData {
    address("xmpp.test", last).data
}

#[test]
fn a_question_asks_for_recursion_and_has_no_edns() {
    let mut expected = message(0x0100, &[question()], [&[], &[], &[]]);
    assert_eq!(question().encode(ID), expected);
    assert_eq!(expected.split_off(12), b"\x04xmpp\x04test\x00\x00\x01\x00\x01");
    assert_eq!(expected, [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn response_codes_are_distinguished() {
    assert_eq!(received(&response(&[answer(1)])), Response::Answer(vec![address("xmpp.test", 1)]));
    let empty = |code: Rcode, questions: &[DnsQuestion]| {
        received(&message(RESPONSE | u16::from(code.to_int()), questions, [&[], &[], &[]]))
    };
    for code in [Rcode::NOERROR, Rcode::NXDOMAIN] {
        assert_eq!(empty(code, &[question()]), Response::Answer(vec![]));
    }
    for (code, words) in [
        (Rcode::FORMERR, "FORMERR"),
        (Rcode::SERVFAIL, "SERVFAIL"),
        (Rcode::NOTIMP, "NOTIMP"),
        (Rcode::REFUSED, "REFUSED"),
        (Rcode::NOTAUTH, "response code 9"),
    ] {
        // With the question, and without.
        for questions in [&[question()][..], &[]] {
            let Response::Failed(error) = empty(code, questions) else { panic!("{code}") };
            assert_eq!(error.to_string(), words);
        }
    }
}

#[test]
fn a_message_that_does_not_answer_the_question_is_foreign() {
    let right = response(&[answer(1)]);
    let mut other_id = right.clone();
    other_id[1] ^= 1;
    let mut query = right.clone();
    query[2] &= 0x7f;
    let other_name = DnsQuestion { name: name("other.test").unwrap(), ..question() };
    let other_kind = DnsQuestion { kind: Rtype::AAAA, ..question() };
    let asks = |questions: &[DnsQuestion]| message(RESPONSE, questions, [&[answer(1)], &[], &[]]);
    for message in [
        other_id,
        query,
        asks(&[question(), other_name.clone()]),
        message(RESPONSE, &[], [&[record(&encoded("xmpp.test"), Rtype::A, &[192, 0, 2, 1])], &[], &[]]),
        asks(slice::from_ref(&other_name)),
        message(RESPONSE | 5, &[other_name], [&[], &[], &[]]),
        asks(&[other_kind]),
    ] {
        assert_eq!(received(&message), Response::Foreign, "{message:?}");
    }
    for short in [&b""[..], &[0x12], &[0x12, 0x34, 0x81]] {
        assert_eq!(received(short), Response::Foreign);
    }
    // Names are compared without regard to case.
    let upper = DnsQuestion { name: name("XMPP.test").unwrap(), ..question() };
    assert_eq!(received(&asks(&[upper])), Response::Answer(vec![address("xmpp.TEST", 1)]));
}

#[test]
fn truncated_and_malformed_answers_are_distinguished() {
    let with = |flags: u16| message(RESPONSE | flags, &[question()], [&[answer(1)], &[], &[]]);
    assert_eq!(received(&with(TRUNCATED)), Response::Truncated(vec![address("xmpp.test", 1)]));
    // Cut in the middle of a record.
    let cut = |flags: u16| {
        let bytes = with(flags);
        received(&bytes[..bytes.len() - 3])
    };
    assert_eq!(cut(TRUNCATED), Response::Truncated(vec![]));
    assert_eq!(cut(0), Response::Failed(NameServerError::Malformed));
    assert_eq!(cut(5), Response::Failed(NameServerError::Code(5)));
    // The header alone, with and without the counts.
    assert_eq!(received(&with(0)[..12]), Response::Failed(NameServerError::Malformed));
    assert_eq!(received(&with(0)[..5]), Response::Failed(NameServerError::Malformed));
    assert_eq!(received(&with(TRUNCATED)[..12]), Response::Truncated(vec![]));
}

#[test]
fn no_part_of_a_message_is_taken_for_the_whole() {
    let sections = [&[answer(1), answer(2)][..], &[answer(3)], &[answer(4)]];
    let whole = message(RESPONSE, &[question()], sections);
    assert_eq!(received(&whole), Response::Answer(vec![address("xmpp.test", 1), address("xmpp.test", 2)]));
    for length in 4..whole.len() {
        assert_eq!(received(&whole[..length]), Response::Failed(NameServerError::Malformed), "{length}");
    }
    // What follows the message is ignored.
    assert_eq!(received(&[&whole[..], b"x"].concat()), received(&whole));
}

#[test]
fn records_of_the_used_kinds_are_decoded() {
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    assert_eq!(data(&[answer(1)]), Some(vec![v4(1)]));
    assert_eq!(data(&[record(ASKED, Rtype::AAAA, &v6.octets())]), Some(vec![RecordData::Address(v6.into())]));
    let cname = record(ASKED, Rtype::CNAME, b"\x03B_1\x04test\x00");
    assert_eq!(data(&[cname]), Some(vec![alias("xmpp.test", "B_1.test").data]));
    // A compressed name that leads to another one: the owner of the record.
    assert_eq!(data(&[record(ASKED, Rtype::CNAME, &[0xc0, 27])]), Some(vec![alias("xmpp.test", "xmpp.test").data]));
    let srv = |target: &[u8]| record(ASKED, Rtype::SRV, &[&[0, 10, 1, 0, 0x14, 0x66], target].concat());
    let same = |target: Name| Some(vec![RecordData::Srv(Srv::new(10, 256, 5222, target))]);
    assert_eq!(data(&[srv(b"\x02s1\x04isp_\x00")]), same(name("s1.isp_").unwrap()));
    assert_eq!(data(&[srv(&[b"\x02s1", ASKED].concat())]), same(name("s1.xmpp.test").unwrap()));
    assert_eq!(data(&[srv(&[0])]), same(Name::root()));
    // The class is not looked at.
    assert_eq!(data(&[record_of_class(3, ASKED, Rtype::A, &[192, 0, 2, 1])]), Some(vec![v4(1)]));
}

#[test]
fn records_of_other_kinds_are_ignored() {
    for kind in [Rtype::NULL, Rtype::TXT, Rtype::MX, Rtype::DNAME, Rtype::RRSIG, Rtype::OPT, Rtype::from_int(65280)] {
        for content in [&b""[..], &[0xff], b"\xc0\xff\x00\x01"] {
            let other = record(ASKED, kind, content);
            assert_eq!(data(&[answer(1), other, answer(2)]), Some(vec![v4(1), v4(2)]), "{kind}");
        }
    }
    // Of the other sections nothing is used.
    let sections =
        [&[answer(1)][..], &[record(ASKED, Rtype::NS, &[0xff])], &[answer(2), record(&[0], Rtype::OPT, &[])]];
    assert_eq!(received(&message(RESPONSE, &[question()], sections)), Response::Answer(vec![address("xmpp.test", 1)]));
}

#[test]
fn malformed_records_make_the_message_malformed() {
    // The data of the record starts at the 39th byte.
    let long = [&[63][..], &[b'a'; 63]].concat().repeat(4);
    for (kind, content) in [
        (Rtype::A, &[192, 0, 2][..]),
        (Rtype::A, &[192, 0, 2, 1, 0]),
        (Rtype::A, &[]),
        (Rtype::AAAA, &[0; 15]),
        (Rtype::AAAA, &[0; 17]),
        (Rtype::SRV, &[0, 10, 0, 20, 0x14, 0x66]),
        (Rtype::SRV, &[0, 10, 0, 20, 0x14, 0x66, 0, 0]),
        (Rtype::CNAME, &[]),
        // No root, a label without its end, an unknown kind of label.
        (Rtype::CNAME, b"\x01a"),
        (Rtype::CNAME, b"\x05a\x00"),
        (Rtype::CNAME, b"\x41a\x00"),
        (Rtype::CNAME, b"\x81a\x00"),
        // Compressed names that lead to themselves, forwards, and nowhere.
        (Rtype::CNAME, &[0xc0, 39]),
        (Rtype::CNAME, &[1, b'a', 0xc0, 39]),
        (Rtype::CNAME, &[0xc0, 41, 0]),
        (Rtype::CNAME, &[0xff, 0xff]),
        (Rtype::CNAME, &[0xc0]),
        (Rtype::CNAME, &long),
        (Rtype::CNAME, &[&long[..192], &[52], &[b'a'; 52], ASKED].concat()),
    ] {
        let bad = record(ASKED, kind, content);
        assert_eq!(data(&[bad.clone(), answer(1)]), None, "{kind} {content:?}");
        let (good, bad) = (&[answer(1)][..], &[bad][..]);
        for sections in [[good, bad, &[]], [good, &[], bad]] {
            let received = received(&message(RESPONSE, &[question()], sections));
            assert_eq!(received, Response::Failed(NameServerError::Malformed), "{kind} {content:?}");
        }
    }
    // The longest name.
    assert!(data(&[record(ASKED, Rtype::CNAME, &[&long[..192], &[51], &[b'a'; 51], ASKED].concat())]).is_some());
    // A bad owner, even of a record that is ignored.
    assert_eq!(data(&[record(&[0xc0, 27], Rtype::TXT, &[])]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded(
        flags in prop_oneof![Just(RESPONSE), Just(RESPONSE | TRUNCATED), any::<u16>()],
        counts in prop::array::uniform4(0_u16..4),
        pieces in prop::collection::vec(
            prop_oneof![
                Just(encoded("xmpp.test")),
                Just(answer(1)),
                (0_u8..80).prop_map(|to| vec![0xc0, to]),
                any::<[u8; 2]>().prop_map(Vec::from),
                prop::sample::select(vec![1, 5, 28, 33]).prop_map(|kind| vec![0, kind, 0, 1, 0, 0, 0, 60, 0]),
            ],
            0..20,
        ),
    ) {
        let header = [&[ID, flags][..], &counts].concat().into_iter().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        if let Response::Answer(found) | Response::Truncated(found) = received(&[header, pieces.concat()].concat()) {
            for Record { owner, data } in &found {
                let target = match data {
                    RecordData::Address(_) => owner,
                    RecordData::Cname(target) => target,
                    RecordData::Srv(srv) => srv.target(),
                };
                for name in [owner, target] {
                    prop_assert!(Name::from_octets(name.clone().into_octets()).is_ok(), "{:?}", name);
                }
            }
        }
    }
}

#[test]
fn aliases_are_followed_and_other_names_ignored() {
    let follow = |answer: &[Record]| {
        let (owner, found) = question().follow(answer);
        (host(&owner), found)
    };
    let is = |owner: &str, found: &[u8]| (owner.to_owned(), found.iter().map(|last| v4(*last)).collect::<Vec<_>>());
    assert_eq!(follow(&[]), is("xmpp.test.", &[]));
    assert_eq!(follow(&[address("xmpp.test", 1), address("XMPP.test", 2)]), is("xmpp.test.", &[1, 2]));
    assert_eq!(follow(&[address("evil.test", 9)]), is("xmpp.test.", &[]));
    let chain = [address("c.test", 3), alias("B.test", "c.test"), alias("xmpp.test", "b.test"), address("b.tes", 9)];
    assert_eq!(follow(&chain), is("c.test.", &[3]));
    // The rest of the chain needs another question.
    assert_eq!(follow(&[alias("xmpp.test", "b.test")]), is("b.test.", &[]));
    // A loop is left.
    assert_eq!(follow(&[alias("xmpp.test", "b.test"), alias("b.test", "xmpp.test")]).1, []);
}

#[test]
fn names_are_converted_in_both_directions() {
    let written = |text: &str| name(text).map(|name| host(&name));
    let same = ["xmpp.test.", "Xmpp_1.isp.test.", "-a_._b.test.", "xn--bcher-kva.test."];
    for text in same {
        assert_eq!(written(text).as_deref(), Some(text));
        assert_eq!(written(text.trim_end_matches('.')).as_deref(), Some(text));
    }
    let long = "0123456789".repeat(7);
    let many = vec!["0123456789"; 24].join(".");
    for text in ["", ".", "a..b", ".a", "a.test..", &long, &many] {
        assert_eq!(written(text), None, "{text}");
    }
    // The longest name has 255 bytes: those of its labels, one before each, and the root.
    let label = "a".repeat(63);
    let of_length = |last: usize| written(&[&label, &label, &label, &label[..last]].join("."));
    assert!(of_length(61).is_some());
    assert_eq!(of_length(62), None);
    assert_eq!(name(&"a".repeat(256)), None);
}
