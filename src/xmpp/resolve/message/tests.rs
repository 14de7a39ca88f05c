use hickory_proto::op::OpCode;
use hickory_proto::rr::rdata::{A, CNAME};

use super::*;

const ID: u16 = 0x1234;

fn question() -> DnsQuestion {
    DnsQuestion { name: name("xmpp.test").unwrap(), kind: RecordType::A }
}

fn address(owner: &str, last: u8) -> Record {
    Record::from_rdata(name(owner).unwrap(), 60, RData::A(A::new(192, 0, 2, last)))
}

fn alias(owner: &str, target: &str) -> Record {
    Record::from_rdata(name(owner).unwrap(), 60, RData::CNAME(CNAME(name(target).unwrap())))
}

fn response(code: ResponseCode, question: Option<DnsQuestion>, answers: Vec<Record>) -> Message {
    let mut message = Message::response(ID, OpCode::Query);
    message.metadata.response_code = code;
    message.queries.extend(question.map(|question| Query::query(question.name, question.kind)));
    message.answers = answers;
    message
}

fn received(message: &Message) -> Response {
    question().decode(ID, &message.to_vec().unwrap())
}

#[test]
fn a_question_asks_for_recursion_and_has_no_edns() {
    let sent = Message::from_vec(&question().encode(ID).unwrap()).unwrap();
    assert_eq!((sent.metadata.id, sent.metadata.message_type), (ID, MessageType::Query));
    assert!(sent.metadata.recursion_desired && sent.edns.is_none() && sent.additionals.is_empty());
    assert_eq!(sent.queries, [Query::query(question().name, RecordType::A)]);
}

#[test]
fn response_codes_are_distinguished() {
    let records = vec![address("xmpp.test", 1)];
    assert_eq!(
        received(&response(ResponseCode::NoError, Some(question()), records.clone())),
        Response::Answer(records)
    );
    for code in [ResponseCode::NoError, ResponseCode::NXDomain] {
        assert_eq!(received(&response(code, Some(question()), vec![])), Response::Answer(vec![]));
    }
    for (code, words) in [
        (ResponseCode::FormErr, "FORMERR"),
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::NotImp, "NOTIMP"),
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::NotAuth, "response code 9"),
    ] {
        // With the question, and without.
        for question in [Some(question()), None] {
            let Response::Failed(error) = received(&response(code, question, vec![])) else { panic!("{code}") };
            assert_eq!(error.to_string(), words);
        }
    }
}

#[test]
fn a_message_that_does_not_answer_the_question_is_foreign() {
    let right = response(ResponseCode::NoError, Some(question()), vec![address("xmpp.test", 1)]);
    let mut other_id = right.clone();
    other_id.metadata.id ^= 1;
    let mut query = right.clone();
    query.metadata.message_type = MessageType::Query;
    let other_name = DnsQuestion { name: name("other.test").unwrap(), ..question() };
    let other_kind = DnsQuestion { kind: RecordType::AAAA, ..question() };
    let mut two = right.clone();
    two.queries.push(Query::query(other_name.name.clone(), RecordType::A));
    for message in [
        other_id,
        query,
        two,
        response(ResponseCode::NoError, None, vec![address("xmpp.test", 1)]),
        response(ResponseCode::NoError, Some(other_name.clone()), vec![address("xmpp.test", 1)]),
        response(ResponseCode::Refused, Some(other_name), vec![]),
        response(ResponseCode::NoError, Some(other_kind), vec![address("xmpp.test", 1)]),
    ] {
        assert_eq!(received(&message), Response::Foreign, "{message:?}");
    }
    for short in [&b""[..], &[0x12], &[0x12, 0x34, 0x81]] {
        assert_eq!(question().decode(ID, short), Response::Foreign);
    }
    // Names are compared without regard to case.
    let upper = DnsQuestion { name: name("XMPP.test").unwrap(), ..question() };
    let records = vec![address("xmpp.TEST", 1)];
    assert_eq!(received(&response(ResponseCode::NoError, Some(upper), records.clone())), Response::Answer(records));
}

#[test]
fn truncated_and_malformed_answers_are_distinguished() {
    let mut message = response(ResponseCode::NoError, Some(question()), vec![address("xmpp.test", 1)]);
    message.metadata.truncation = true;
    assert_eq!(received(&message), Response::Truncated(message.answers.clone()));
    let bytes = message.to_vec().unwrap();
    // Cut in the middle of a record.
    assert_eq!(question().decode(ID, &bytes[..bytes.len() - 3]), Response::Truncated(vec![]));
    message.metadata.truncation = false;
    let bytes = message.to_vec().unwrap();
    assert_eq!(question().decode(ID, &bytes[..bytes.len() - 3]), Response::Failed(NameServerError::Malformed));
    message.metadata.response_code = ResponseCode::Refused;
    let bytes = message.to_vec().unwrap();
    assert_eq!(question().decode(ID, &bytes[..bytes.len() - 3]), Response::Failed(NameServerError::Code(5)));
}

#[test]
fn aliases_are_followed_and_other_names_ignored() {
    let follow = |answer: &[Record]| {
        let (owner, found) = question().follow(answer);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        (owner.to_ascii(), found.join(" "))
    };
    let is = |owner: &str, found: &str| (owner.to_owned(), found.to_owned());
    assert_eq!(follow(&[]), is("xmpp.test.", ""));
    assert_eq!(follow(&[address("xmpp.test", 1), address("XMPP.test", 2)]), is("xmpp.test.", "192.0.2.1 192.0.2.2"));
    assert_eq!(follow(&[address("evil.test", 9)]), is("xmpp.test.", ""));
    let chain = [address("c.test", 3), alias("b.test", "c.test"), alias("xmpp.test", "b.test"), address("b.tes", 9)];
    assert_eq!(follow(&chain), is("c.test.", "192.0.2.3"));
    // The rest of the chain needs another question.
    assert_eq!(follow(&[alias("xmpp.test", "b.test")]), is("b.test.", ""));
    // A loop is left.
    assert_eq!(follow(&[alias("xmpp.test", "b.test"), alias("b.test", "xmpp.test")]).1, "");
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
}
