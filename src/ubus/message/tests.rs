//! Properties of the codec, and what the real programs were seen to say.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::document::tests::values;

/// One message of `integration/data/ubus/exchanges.json`.
struct Recorded {
    title: String,
    from_ubusd: bool,
    bytes: Vec<u8>,
    kind: String,
    seq: u64,
    peer: String,
}

fn recorded() -> Vec<Recorded> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/integration/data/ubus/exchanges.json");
    let exchanges: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut all = Vec::new();
    for exchange in exchanges.as_array().unwrap() {
        for frame in exchange["frames"].as_array().unwrap() {
            let text = |name: &str| frame[name].as_str().unwrap().to_owned();
            all.push(Recorded {
                title: exchange["title"].as_str().unwrap().to_owned(),
                from_ubusd: text("from") == "ubusd",
                bytes: bytes(&text("hex")),
                kind: text("type"),
                seq: frame["seq"].as_u64().unwrap(),
                peer: text("peer"),
            });
        }
    }
    all
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn written(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Message {
    let mut input = BytesMut::from(bytes);
    let message = Message::take(&mut input).unwrap().expect("a whole message");
    assert!(input.is_empty());
    message
}

#[test]
fn all_recorded_messages_are_read_and_written_byte_for_byte() {
    let all = recorded();
    assert!(all.len() >= 80, "{}", all.len());
    for Recorded { title, bytes, kind: name, seq, peer, .. } in all {
        let message = read(&bytes);
        assert_eq!((u64::from(message.seq), format!("{:08x}", message.peer)), (seq, peer), "{title}");
        let kinds = ["HELLO", "STATUS", "DATA", "PING", "LOOKUP", "INVOKE", "ADD_OBJECT"];
        assert_eq!(kinds[usize::from(message.kind)], name, "{title}");
        let unreadable = |attribute: &Attribute| matches!(attribute, Attribute::Unreadable(..));
        assert!(!message.attributes.iter().any(unreadable), "{title}: {message:?}");
        assert_eq!(written(&message), bytes, "{title}: {message:?}");
    }
}

#[test]
fn what_a_recorded_reply_says() {
    let replies: Vec<Table> = recorded()
        .into_iter()
        .filter(|message| message.from_ubusd && message.kind == "DATA" && message.title.starts_with("an event"))
        .map(|message| read(&message.bytes).into_data().unwrap())
        .collect();
    let expected = Table::new().with("status", -1_i64).with("info", "not able to get the event code");
    assert_eq!(replies[1], expected);
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    let table = || {
        proptest::collection::vec(("[^\0]{0,9}", values("[^\0]*")), 0..5)
            .prop_map(|entries| entries.into_iter().fold(Table::new(), |table, (name, value)| table.with(&name, value)))
    };
    let text = "[^\0]*";
    let attributes = (
        any::<u32>().prop_map(|number| Attribute::Status(StatusCode(number))),
        text.prop_map(Attribute::Path),
        any::<u32>().prop_map(Attribute::Object),
        text.prop_map(Attribute::Method),
        any::<u32>().prop_map(Attribute::Type),
        table().prop_map(Attribute::Signature),
        table().prop_map(Attribute::Data),
        any::<bool>().prop_map(Attribute::NoReply),
        text.prop_map(Attribute::User),
        text.prop_map(Attribute::Group),
    );
    attributes
        .prop_map(|(a, b, c, d, e, f, g, h, i, j)| vec![a, b, c, d, e, f, g, h, i, j])
        .prop_flat_map(|all| proptest::sample::subsequence(all, 0..=10).prop_shuffle())
}

fn messages() -> impl Strategy<Value = Message> {
    (any::<u8>(), any::<u16>(), any::<u32>(), attributes())
        .prop_map(|(kind, seq, peer, attributes)| Message::new(kind, seq, peer, attributes))
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(message in messages()) {
        prop_assert_eq!(read(&written(&message)), message);
    }

    #[test]
    fn every_prefix_asks_for_more_and_takes_nothing(message in messages(), at: prop::sample::Index) {
        let bytes = written(&message);
        let mut input = BytesMut::from(&bytes[..at.index(bytes.len())]);
        let before = input.clone();
        prop_assert_eq!(Message::take(&mut input), Ok(None));
        prop_assert_eq!(input, before);
    }

    #[test]
    fn messages_that_follow_one_another_are_told_apart(messages in proptest::collection::vec(messages(), 0..5)) {
        let mut input = BytesMut::from(&messages.iter().flat_map(written).collect::<Vec<u8>>()[..]);
        for message in messages {
            prop_assert_eq!(Message::take(&mut input), Ok(Some(message)));
        }
        prop_assert_eq!(Message::take(&mut input), Ok(None));
    }

    /// No panic, and what was read is written and read again as the same.
    #[test]
    fn any_bytes_as_attributes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut framed = vec![0, 2, 0, 1, 0, 0, 0, 0];
        framed.extend_from_slice(&u32::try_from(4 + bytes.len()).unwrap().to_be_bytes());
        framed.extend_from_slice(&bytes);
        let message = read(&framed);
        let unreadable = |attribute: &Attribute| matches!(attribute, Attribute::Unreadable(..));
        if !message.attributes.iter().any(unreadable) {
            let again = read(&written(&message));
            // NaN is not equal to itself.
            prop_assert_eq!(format!("{again:?}"), format!("{message:?}"));
        }
    }

    #[test]
    fn a_byte_changed_in_a_recorded_message_does_no_harm(
        which: prop::sample::Index,
        at: prop::sample::Index,
        byte: u8,
    ) {
        static ALL: LazyLock<Vec<Recorded>> = LazyLock::new(recorded);
        let mut bytes = which.get(&ALL).bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Message::take(&mut BytesMut::from(&bytes[..]));
    }
}

#[test]
fn what_is_no_message_is_refused_as_soon_as_it_shows() {
    let take = |bytes: &[u8]| Message::take(&mut BytesMut::from(bytes));
    assert_eq!(take(b"HTTP/1.1"), Err(FrameError::Version(b'H')));
    assert_eq!(take(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]), Err(FrameError::Short(3)));
    assert_eq!(take(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 1]), Err(FrameError::Long(MAX_LENGTH + 1)));
    assert_eq!(take(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0]), Ok(None));
}

#[test]
fn a_message_that_is_too_long_is_not_written() {
    let message = |length| Message::new(kind::DATA, 1, 2, vec![Attribute::Path("x".repeat(length))]);
    // Two headers, and the NUL.
    let most = MAX_LENGTH - 9;
    let mut out = vec![7];
    assert!(message(most).write(&mut out).is_ok());
    assert_eq!(read(&out[1..]), message(most));
    out.truncate(1);
    assert!(message(most + 1).write(&mut out).is_err());
    assert_eq!(out, [7]);
}

/// Tables in tables, `depth` in all, the outermost one being the message's data.
fn nested(depth: usize) -> Vec<u8> {
    let mut inner = Vec::new();
    for _ in 1..depth {
        let mut outer = Vec::new();
        super::super::attribute::write(&mut outer, true, 2, |out| {
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&inner);
        });
        inner = outer;
    }
    inner
}

#[test]
fn nesting_has_a_limit() {
    assert!(blobmsg::decode(&nested(blobmsg::MAX_DEPTH)).is_ok());
    assert_eq!(blobmsg::decode(&nested(blobmsg::MAX_DEPTH + 1)), Err(Malformed::Depth));
    // As deep as a message can be, on a stack as small as musl's threads have.
    let deepest = nested(2000);
    let read = move || blobmsg::decode(&deepest);
    let small = std::thread::Builder::new().stack_size(64 << 10).spawn(read).unwrap();
    assert_eq!(small.join().unwrap(), Err(Malformed::Depth));
}

#[test]
fn unknown_attributes_and_types_are_skipped_and_of_two_the_last_counts() {
    let mut body = Vec::new();
    let mut attribute =
        |id, payload: &[u8]| super::super::attribute::write(&mut body, false, id, |out| out.extend_from_slice(payload));
    attribute(99, b"what");
    attribute(STATUS, &[0, 0, 0, 1]);
    attribute(STATUS, &[0, 0, 0, 4]);
    attribute(OBJECT, b"long?");
    let mut data = Vec::new();
    super::super::attribute::write(&mut data, true, 0, |out| out.extend_from_slice(&[0, 1, b'n', 0]));
    super::super::attribute::write(&mut data, true, 77, |out| out.extend_from_slice(&[0, 1, b'm', 0]));
    super::super::attribute::write(&mut data, false, 3, |out| out.extend_from_slice(b"x\0"));
    attribute(DATA, &data);
    let mut framed = vec![0, 1, 0, 1, 0, 0, 0, 0];
    framed.extend_from_slice(&u32::try_from(4 + body.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(&body);
    let message = read(&framed);
    assert_eq!((message.status(), message.object()), (Some(StatusCode::NOT_FOUND), None));
    assert_eq!(message.into_data(), Ok(Table::new()));
}

#[test]
fn malformed_data_is_said_to_be_so() {
    let string = |payload: &[u8]| {
        let mut out = Vec::new();
        super::super::attribute::write(&mut out, true, 3, |out| out.extend_from_slice(payload));
        out
    };
    for (bytes, expected) in [
        (vec![0x83, 0, 0], Malformed::Length),
        (vec![0x83, 0, 0, 3], Malformed::Length),
        (vec![0x83, 0, 0, 9, 0, 0, 0, 0], Malformed::Length),
        (string(&[]), Malformed::Length),
        (string(&[0, 9, b'n', 0]), Malformed::Length),
        (string(&[0, 1, b'n', b'n']), Malformed::Text),
        (string(&[0, 1, b'n', 0]), Malformed::Text),
        (string(&[0, 1, b'n', 0, b'v']), Malformed::Text),
        (vec![0x85, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0, 0], Malformed::Number),
    ] {
        assert_eq!(blobmsg::decode(&bytes), Err(expected), "{bytes:02x?}");
    }
}

#[test]
fn words_of_libubus() {
    for (code, words) in [(0, "Success"), (3, "Method not found"), (6, "Permission denied"), (13, "System error")] {
        assert_eq!(StatusCode(code).to_string(), words);
    }
    assert_eq!(StatusCode(14).to_string(), "status 14");
}
