//! What a connection sends and understands, beside what the real programs were seen to send, byte for byte.

use bytes::BytesMut;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use super::super::object::Method;
use super::*;

const OBJECT: Object = Object {
    path: "xmppd",
    methods: &[
        Method { name: "status", arguments: &[("connection", true)] },
        Method { name: "reconnect", arguments: &[("connection", true)] },
        Method { name: "reload", arguments: &[] },
    ],
};

/// The recorded messages of an exchange: from the client, and from `ubusd`.
fn recorded(title: &str) -> (Vec<Vec<u8>>, Vec<Message>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/integration/data/ubus/exchanges.json");
    let exchanges: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let exchange = exchanges.as_array().unwrap().iter().find(|exchange| exchange["title"] == title).expect(title);
    let (mut client, mut ubusd) = (Vec::new(), Vec::new());
    for frame in exchange["frames"].as_array().unwrap() {
        let hex = frame["hex"].as_str().unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        if frame["from"] == "client" {
            client.push(bytes);
        } else {
            ubusd.push(Message::take(&mut BytesMut::from(&bytes[..])).unwrap().unwrap());
        }
    }
    (client, ubusd)
}

/// A session whose next request has this number, with nothing to be written.
fn session(next: u16) -> BusSession {
    let mut session = BusSession::new(OBJECT);
    session.requests.clear();
    session.out.clear();
    session.last_seq = next - 1;
    session
}

fn written(session: &mut BusSession) -> Vec<u8> {
    std::mem::take(&mut session.out)
}

/// Takes messages that lead to nothing but what the session sends.
fn receive_all(session: &mut BusSession, messages: Vec<Message>) {
    for message in messages {
        assert_eq!(session.receive(message), None);
    }
}

fn call(session: &mut BusSession, event: &str) -> oneshot::Receiver<Result<Vec<Table>, CallError>> {
    let (outcome, ended) = oneshot::channel();
    let arguments = Table::new().with("event", event);
    session.call(Call { path: "tr069".to_owned(), method: "inform".to_owned(), arguments, outcome });
    ended
}

#[test]
fn the_object_is_published_as_libubus_does() {
    let (client, ubusd) = recorded("publish xmppd with three methods");
    let mut session = BusSession::new(OBJECT);
    assert!(written(&mut session).starts_with(&client[0]));
    // HELLO, an event for another client of the recording, DATA and STATUS.
    let effects: Vec<_> = ubusd.into_iter().filter_map(|message| session.receive(message)).collect();
    assert_eq!(effects, [Effect::Published]);
    assert_eq!(session.object_id, Some(0x5c87_e234));
}

#[test]
fn a_second_object_of_the_same_path_is_refused() {
    let (_, ubusd) = recorded("a second object of the same path is refused");
    let mut session = BusSession::new(OBJECT);
    let effects: Vec<_> = ubusd.into_iter().filter_map(|message| session.receive(message)).collect();
    assert_eq!(effects, [Effect::PublishRefused(StatusCode::INVALID_ARGUMENT)]);
}

#[test]
fn a_method_is_understood_and_answered_as_by_libubus() {
    let (client, ubusd) = recorded("the same, as xmppd sees it");
    let mut session = session(1);
    session.object_id = Some(0x5c87_e234);
    let effect = session.receive(ubusd.into_iter().next().unwrap());
    let Some(Effect::Invoked(invocation)) = effect else { panic!("{effect:?}") };
    assert_eq!(
        (invocation.method.as_str(), invocation.arguments),
        ("status", Ok(Table::new().with("connection", 1_u32)))
    );
    let connection =
        Table::new().with("connection", 1_u32).with("status", "Enabled").with("tls", true).with("received", 7_u32);
    let document = Table::new().with("version", "0.1.0").with("connections", vec![Value::Table(connection)]);
    session.answer(invocation.answer_to, Ok(document));
    assert_eq!(written(&mut session), client.concat());
}

#[test]
fn an_empty_answer_is_a_status_alone() {
    let (client, ubusd) = recorded("the same, as xmppd sees it");
    let mut session = session(1);
    session.object_id = Some(0x5c87_e234);
    let Some(Effect::Invoked(invocation)) = session.receive(ubusd.into_iter().next().unwrap()) else { panic!() };
    session.answer(invocation.answer_to, Ok(Table::new()));
    assert_eq!(written(&mut session), client[1]);
}

#[test]
fn an_object_for_events_is_added_and_registered_as_libubus_does() {
    let (client, ubusd) = recorded("an object without a path, as libubus makes one to receive events");
    let mut session = session(5);
    session.request(kind::ADD_OBJECT, 0, Vec::new(), PendingRequest::Listen);
    assert_eq!(written(&mut session), client[0]);
    receive_all(&mut session, ubusd);
    let (client, ubusd) = recorded("register that object for the event ubus.object.add at the system object 1");
    assert_eq!(written(&mut session), client[0]);
    receive_all(&mut session, ubusd);
    session.known.insert("tr069".to_owned(), 1);
    let (_, ubusd) = recorded("tr069 comes back: what the registered object is sent");
    receive_all(&mut session, ubusd);
    assert_eq!(session.known["tr069"], 0xaa50_ede9);
    assert!(session.out.is_empty());
}

#[test]
fn an_event_is_sent_as_libubus_does() {
    let (client, ubusd) = recorded("send an event");
    let mut session = session(7);
    session.event("xmppd.connection", Table::new().with("connection", 1_u32).with("status", "Enabled"));
    assert_eq!(written(&mut session), client[0]);
    receive_all(&mut session, ubusd);
}

#[test]
fn a_call_is_made_as_the_ubus_program_does() {
    for (title, event, expected) in [
        ("call, as the caller sees it: accepted", "6 CONNECTION REQUEST", (1, "Session started")),
        (
            "an event the CWMP client does not know: exit status 0, and a status of -1 in the reply",
            "6 connection request",
            (-1, "not able to get the event code"),
        ),
    ] {
        let (client, ubusd) = recorded(title);
        let mut session = session(1);
        let mut ended = call(&mut session, event);
        receive_all(&mut session, ubusd);
        assert_eq!(written(&mut session), client.concat());
        let reply = Table::new().with("status", i64::from(expected.0)).with("info", expected.1);
        assert_eq!(ended.try_recv(), Ok(Ok(vec![reply])));
    }
}

#[test]
fn an_object_that_is_gone_is_looked_up_again() {
    let (client, ubusd) = recorded("the object has gone: status 4 (not found); look it up again");
    let mut session = session(4);
    session.known.insert("tr069".to_owned(), 0x71c1_bed7);
    let mut ended = call(&mut session, "6 CONNECTION REQUEST");
    assert_eq!(written(&mut session), client[0]);
    receive_all(&mut session, ubusd);
    let lookup = Message::take(&mut BytesMut::from(&written(&mut session)[..])).unwrap().unwrap();
    assert_eq!((lookup.kind, lookup.path()), (kind::LOOKUP, Some("tr069")));
    assert!(ended.try_recv().is_err(), "the call is still under way");
}
