//! The client beside a scripted `ubusd`, on tokio's paused clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::driver::{LONGEST_WAIT, MAX_OUTPUT};
use super::*;
use crate::document::Value;
use crate::testing::{Log, paused};
use crate::ubus::message::{Attribute, Message, kind};
use crate::ubus::object::Method;
use crate::ubus::status::StatusCode;

const OBJECT: Object =
    Object { path: "xmppd", methods: &[Method { name: "status", arguments: &[("connection", true)] }] };

const LIMIT: Duration = Duration::from_millis(1500);

/// The id of our object in these tests, and that of the object that receives events.
const OURS: u32 = 0x5c87_e234;
const LISTENER: u32 = 0xa67f_3f13;

/// Hands out connections, or refuses them, and counts.
#[derive(Clone, Default)]
struct Exchange(Rc<RefCell<(VecDeque<DuplexStream>, Vec<Instant>)>>);

impl Exchange {
    /// The daemon's end of the next connection is there; gives the other one.
    fn listen(&self) -> Peer {
        self.listen_with(64 << 10)
    }

    fn listen_with(&self, room: usize) -> Peer {
        let (ours, theirs) = tokio::io::duplex(room);
        self.0.borrow_mut().0.push_back(theirs);
        Peer { stream: ours, input: BytesMut::new() }
    }

    /// When connections were asked for, from the first time on.
    fn dialed(&self) -> Vec<Duration> {
        let times = &self.0.borrow().1;
        times.iter().map(|time| *time - times[0]).collect()
    }
}

impl Dial for Exchange {
    type Stream = DuplexStream;

    async fn dial(&self) -> io::Result<DuplexStream> {
        self.0.borrow_mut().1.push(Instant::now());
        self.0.borrow_mut().0.pop_front().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no socket"))
    }
}

struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

impl Peer {
    async fn send(&mut self, message: Message) {
        let mut out = Vec::new();
        message.write(&mut out).unwrap();
        self.stream.write_all(&out).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some(message) = Message::take(&mut self.input).unwrap() {
                return message;
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "the client has closed");
        }
    }

    async fn status(&mut self, request: &Message, status: StatusCode) {
        let attributes = vec![Attribute::Status(status)];
        self.send(Message::new(kind::STATUS, request.seq, request.peer, attributes)).await;
    }

    async fn data(&mut self, request: &Message, attributes: Vec<Attribute>) {
        self.send(Message::new(kind::DATA, request.seq, request.peer, attributes)).await;
    }

    /// Greets, and takes the requests that every connection begins with.
    async fn greet(&mut self) {
        self.send(Message::new(kind::HELLO, 0, 7, Vec::new())).await;
        for id in [OURS, LISTENER] {
            let request = self.next().await;
            assert_eq!(request.kind, kind::ADD_OBJECT);
            assert_eq!(request.path(), (id == OURS).then_some("xmppd"));
            self.data(&request, vec![Attribute::Object(id)]).await;
            self.status(&request, StatusCode::OK).await;
        }
        let register = self.next().await;
        assert_eq!((register.kind, register.peer, register.method()), (kind::INVOKE, 1, Some("register")));
        self.status(&register, StatusCode::OK).await;
        let listener = Value::Int32(LISTENER.cast_signed());
        let expected = Table::new().with("object", listener).with("pattern", "ubus.object.add");
        assert_eq!(register.into_data(), Ok(expected));
    }

    async fn expect_lookup(&mut self, found: Option<u32>) {
        let request = self.next().await;
        assert_eq!((request.kind, request.path()), (kind::LOOKUP, Some("tr069")));
        if let Some(id) = found {
            self.data(&request, vec![Attribute::Path("tr069".to_owned()), Attribute::Object(id)]).await;
        }
        self.status(&request, if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND }).await;
    }

    async fn expect_invoke(&mut self, id: u32) -> Message {
        let request = self.next().await;
        assert_eq!((request.kind, request.peer, request.method()), (kind::INVOKE, id, Some("inform")));
        request
    }

    async fn answer(&mut self, request: &Message, table: Table) {
        self.data(request, vec![Attribute::Object(request.peer), Attribute::Data(table)]).await;
        self.status(request, StatusCode::OK).await;
    }

    /// Fails if the client says anything within a minute.
    async fn expect_silence(&mut self) {
        assert!(timeout(Duration::from_secs(60), self.next()).await.is_err());
    }
}

fn start(exchange: &Exchange) -> (Client, JoinHandle<()>, mpsc::Receiver<Incoming>) {
    let (client, work, requests) = client(exchange.clone(), OBJECT);
    (client, tokio::task::spawn_local(work), requests)
}

/// A client that is connected, and its peer.
async fn connected() -> (Exchange, Peer, Client, mpsc::Receiver<Incoming>) {
    let exchange = Exchange::default();
    let mut peer = exchange.listen();
    let (client, _, requests) = start(&exchange);
    peer.greet().await;
    (exchange, peer, client, requests)
}

fn call(client: &Client) -> JoinHandle<Result<Vec<Table>, CallError>> {
    let client = client.clone();
    tokio::task::spawn_local(async move { client.call("tr069", "inform", event(), LIMIT).await })
}

fn event() -> Table {
    Table::new().with("event", "6 CONNECTION REQUEST")
}

fn reply(status: i64) -> Table {
    Table::new().with("status", status)
}

/// Bytes that are no message of ubus.
const NONSENSE: &[u8] = b"\r\nSSH-2.0-nonsense\r\n";

#[test]
fn an_object_is_looked_up_once_and_again_when_its_id_is_out_of_date() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let first = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        assert_eq!(request.clone().into_data(), Ok(event()));
        peer.answer(&request, reply(1)).await;
        assert_eq!(first.await.unwrap(), Ok(vec![reply(1)]));
        // The CWMP client has been started again.
        let second = call(&client);
        let request = peer.expect_invoke(70).await;
        peer.status(&request, StatusCode::NOT_FOUND).await;
        peer.expect_lookup(Some(71)).await;
        let request = peer.expect_invoke(71).await;
        peer.answer(&request, reply(2)).await;
        assert_eq!(second.await.unwrap(), Ok(vec![reply(2)]));
        // It goes, and does not come back.
        let third = call(&client);
        let request = peer.expect_invoke(71).await;
        peer.status(&request, StatusCode::NOT_FOUND).await;
        peer.expect_lookup(None).await;
        assert_eq!(third.await.unwrap(), Err(CallError::NoObject("tr069".to_owned())));
    });
}

#[test]
fn an_id_of_a_fresh_lookup_is_not_looked_up_again() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        peer.status(&request, StatusCode::NOT_FOUND).await;
        assert_eq!(outcome.await.unwrap(), Err(CallError::Status(StatusCode::NOT_FOUND)));
        peer.expect_silence().await;
    });
}

#[test]
fn an_event_says_the_new_id_of_an_object_that_comes_back() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let first = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        peer.answer(&request, reply(1)).await;
        first.await.unwrap().unwrap();
        let added = Table::new().with("id", Value::Int32(99)).with("path", "tr069");
        let attributes =
            vec![Attribute::Object(LISTENER), Attribute::Method("ubus.object.add".to_owned()), Attribute::Data(added)];
        peer.send(Message::new(kind::INVOKE, 1, 0, attributes)).await;
        let outcome = call(&client);
        let request = peer.expect_invoke(99).await;
        peer.answer(&request, reply(1)).await;
        assert!(outcome.await.unwrap().is_ok());
    });
}

#[test]
fn answers_of_calls_under_way_do_not_get_mixed_up() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let first = call(&client);
        peer.expect_lookup(Some(70)).await;
        let one = peer.expect_invoke(70).await;
        let second = call(&client);
        let two = peer.expect_invoke(70).await;
        peer.answer(&two, reply(2)).await;
        // Something that was never asked for, and something from another object.
        peer.send(Message::new(kind::STATUS, 999, 70, vec![Attribute::Status(StatusCode::OK)])).await;
        peer.send(Message::new(kind::STATUS, one.seq, 71, vec![Attribute::Status(StatusCode::OK)])).await;
        peer.send(Message::new(77, one.seq, 70, Vec::new())).await;
        peer.answer(&one, reply(1)).await;
        peer.answer(&one, reply(3)).await;
        assert_eq!(first.await.unwrap(), Ok(vec![reply(1)]));
        assert_eq!(second.await.unwrap(), Ok(vec![reply(2)]));
    });
}

#[test]
fn all_tables_of_an_answer_are_given_in_order_and_there_may_be_none() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        for n in [1, -1] {
            peer.data(&request, vec![Attribute::Object(70), Attribute::Data(reply(n))]).await;
        }
        peer.status(&request, StatusCode::OK).await;
        assert_eq!(outcome.await.unwrap(), Ok(vec![reply(1), reply(-1)]));
        let outcome = call(&client);
        let request = peer.expect_invoke(70).await;
        peer.status(&request, StatusCode::OK).await;
        assert_eq!(outcome.await.unwrap(), Ok(Vec::new()));
    });
}

#[test]
fn an_answer_that_is_malformed_or_too_long_is_a_failure() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        // A DATA attribute that claims to be longer than it is.
        let bytes = [0, 2, 0, request.seq.to_be_bytes()[1], 0, 0, 0, 70, 0, 0, 0, 12, 7, 0, 0, 8, 0x83, 0, 0, 99];
        peer.stream.write_all(&bytes).await.unwrap();
        peer.status(&request, StatusCode::OK).await;
        assert!(matches!(outcome.await.unwrap(), Err(CallError::Unreadable(_))));

        let outcome = call(&client);
        let request = peer.expect_invoke(70).await;
        for _ in 0..10_000 {
            peer.data(&request, vec![Attribute::Object(70), Attribute::Data(Table::new())]).await;
        }
        peer.status(&request, StatusCode::OK).await;
        assert_eq!(outcome.await.unwrap(), Err(CallError::TooMuch));
    });
}

#[test]
fn a_call_has_a_time_limit_and_what_comes_later_is_skipped() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        let late = peer.expect_invoke(70).await;
        let began = Instant::now();
        assert_eq!(outcome.await.unwrap(), Err(CallError::Timeout(LIMIT)));
        assert!(began.elapsed() <= LIMIT);
        let outcome = call(&client);
        let request = peer.expect_invoke(70).await;
        peer.answer(&late, reply(-1)).await;
        peer.answer(&request, reply(1)).await;
        assert_eq!(outcome.await.unwrap(), Ok(vec![reply(1)]));
    });
}

#[test]
fn sixteen_calls_may_be_under_way_and_one_that_was_given_up_counts_no_longer() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        let calls: Vec<_> = (0..MAX_CALLS).map(|_| call(&client)).collect();
        for _ in 0..MAX_CALLS {
            assert_eq!(peer.next().await.kind, kind::LOOKUP);
        }
        assert_eq!(call(&client).await.unwrap(), Err(CallError::Busy));
        for call in calls {
            assert_eq!(call.await.unwrap(), Err(CallError::Timeout(LIMIT)));
        }
        let outcome = call(&client);
        peer.expect_lookup(None).await;
        assert_eq!(outcome.await.unwrap(), Err(CallError::NoObject("tr069".to_owned())));
    });
}

#[test]
fn a_request_for_our_object_is_answered_and_one_for_what_is_not_there_refused() {
    paused(async {
        let (_, mut peer, _client, mut requests) = connected().await;
        let invoke = |seq, object, method: &str, extra: Option<Attribute>| {
            let mut attributes = vec![Attribute::Object(object), Attribute::Method(method.to_owned())];
            attributes.extend(extra);
            Message::new(kind::INVOKE, seq, 0x4860_49ba, attributes)
        };
        let arguments = Table::new().with("connection", 1_u32);
        peer.send(invoke(5, OURS, "status", Some(Attribute::Data(arguments.clone())))).await;
        let request = requests.recv().await.unwrap();
        assert_eq!((request.method.as_str(), request.arguments), ("status", arguments));
        request.answer.send(Ok(reply(1))).unwrap();
        let (data, status) = (peer.next().await, peer.next().await);
        assert_eq!((data.kind, data.seq, data.peer, data.object()), (kind::DATA, 5, 0x4860_49ba, Some(OURS)));
        assert_eq!(data.into_data(), Ok(reply(1)));
        let expected = vec![Attribute::Status(StatusCode::OK), Attribute::Object(OURS)];
        assert_eq!(status, Message::new(kind::STATUS, 5, 0x4860_49ba, expected));

        for (message, expected) in [
            (invoke(6, OURS, "nothing", None), StatusCode::METHOD_NOT_FOUND),
            (invoke(7, OURS + 1, "status", None), StatusCode::NOT_FOUND),
            (Message::new(kind::INVOKE, 8, 9, vec![Attribute::Object(OURS)]), StatusCode::INVALID_ARGUMENT),
        ] {
            peer.send(message).await;
            assert_eq!(peer.next().await.status(), Some(expected));
        }
        // An answer that is not wanted, and one that never comes because who was to give it crashed.
        peer.send(invoke(9, OURS, "status", Some(Attribute::NoReply(true)))).await;
        requests.recv().await.unwrap().answer.send(Ok(reply(1))).unwrap();
        peer.send(invoke(10, OURS, "status", None)).await;
        drop(requests.recv().await.unwrap());
        let answer = peer.next().await;
        assert_eq!((answer.seq, answer.status()), (10, Some(StatusCode::UNKNOWN_ERROR)));
        // As many as may be under way, and one more.
        let mut under_way = Vec::new();
        for seq in 20..20 + u16::try_from(MAX_CALLS).unwrap() {
            peer.send(invoke(seq, OURS, "status", None)).await;
            under_way.push(requests.recv().await.unwrap());
        }
        peer.send(invoke(99, OURS, "status", None)).await;
        let answer = peer.next().await;
        assert_eq!((answer.seq, answer.status()), (99, Some(StatusCode::NO_MEMORY)));
    });
}

#[test]
fn an_event_goes_through_the_system_object() {
    paused(async {
        let (_, mut peer, client, _requests) = connected().await;
        assert!(client.event("xmppd.connection", reply(1)));
        let message = peer.next().await;
        assert_eq!((message.kind, message.peer, message.method()), (kind::INVOKE, 1, Some("send")));
        let expected = Table::new().with("id", "xmppd.connection").with("data", reply(1));
        assert_eq!(message.into_data(), Ok(expected));
    });
}

#[test]
fn without_a_bus_at_start_there_is_one_line_and_an_attempt_every_30_s() {
    paused(async {
        let log = Log::capture();
        let exchange = Exchange::default();
        let (client, _, _requests) = start(&exchange);
        tokio::time::sleep(Duration::from_secs(95)).await;
        let expected: Vec<Duration> = [0, 30, 60, 90].map(Duration::from_secs).into();
        assert_eq!(exchange.dialed(), expected);
        // A request does not wait for the next one.
        assert_eq!(call(&client).await.unwrap(), Err(CallError::NoBus("no socket".to_owned())));
        assert_eq!(exchange.dialed().len(), 5);
        let lines = log.lines(tracing::Level::WARN);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let mut peer = exchange.listen();
        let outcome = call(&client);
        peer.greet_with_call().await;
        assert!(outcome.await.unwrap().is_ok());
        let lines = log.lines(tracing::Level::INFO);
        assert_eq!(lines.iter().filter(|line| line.contains("connected again")).count(), 1, "{lines:?}");
    });
}

impl Peer {
    /// As [`greet`](Self::greet), where a call is waiting, which is answered.
    async fn greet_with_call(&mut self) {
        self.send(Message::new(kind::HELLO, 0, 7, Vec::new())).await;
        let (publish, listen) = (self.next().await, self.next().await);
        assert_eq!([publish.kind, listen.kind], [kind::ADD_OBJECT; 2]);
        self.expect_lookup(Some(70)).await;
        let request = self.expect_invoke(70).await;
        self.answer(&request, reply(1)).await;
    }
}

#[test]
fn a_lost_connection_fails_the_calls_at_once_and_comes_back_after_waits_that_double() {
    paused(async {
        let log = Log::capture();
        let (exchange, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        peer.expect_invoke(70).await;
        let began = Instant::now();
        drop(peer);
        assert_eq!(outcome.await.unwrap(), Err(CallError::Lost("closed by the peer".to_owned())));
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(client.event("xmppd.connection", reply(1)), "an event without a bus is dropped, not queued");
        tokio::time::sleep(Duration::from_secs(100)).await;
        let expected: Vec<Duration> = [0, 1, 3, 7, 15, 31, 61, 91].map(Duration::from_secs).into();
        assert_eq!(exchange.dialed(), expected);
        let mut peer = exchange.listen();
        peer.greet().await;
        peer.expect_silence().await;
        let warnings = log.lines(tracing::Level::WARN);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("closed by the peer"), "{warnings:?}");
        // It held: the next loss begins with the first wait.
        let dialed = exchange.dialed().len();
        drop(peer);
        let mut peer = exchange.listen();
        let began = Instant::now();
        peer.greet().await;
        assert_eq!((exchange.dialed().len(), began.elapsed()), (dialed + 1, Duration::from_secs(1)));
    });
}

#[test]
fn nonsense_ends_the_connection_and_not_the_client() {
    paused(async {
        let (exchange, mut peer, client, _requests) = connected().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        peer.expect_invoke(70).await;
        peer.stream.write_all(NONSENSE).await.unwrap();
        assert!(matches!(outcome.await.unwrap(), Err(CallError::Lost(why)) if why.contains("does not speak")));
        for bytes in [NONSENSE, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]] {
            let mut peer = exchange.listen();
            peer.stream.write_all(bytes).await.unwrap();
            assert!(matches!(call(&client).await.unwrap(), Err(CallError::NoBus(_))));
        }
        // Half a HELLO, and then nothing.
        let mut peer = exchange.listen();
        peer.stream.write_all(&[0, 0, 0]).await.unwrap();
        assert_eq!(call(&client).await.unwrap(), Err(CallError::Timeout(LIMIT)));
        let mut peer = exchange.listen();
        peer.greet().await;
    });
}

#[test]
fn a_peer_that_stops_reading_holds_up_nothing_and_fills_no_memory() {
    paused(async {
        let exchange = Exchange::default();
        let mut peer = exchange.listen_with(1000);
        let (client, _, _requests) = start(&exchange);
        peer.greet().await;
        let large = Table::new().with("x", "x".repeat(100_000));
        let mut taken = 0;
        for _ in 0..10_000 {
            taken += usize::from(client.event("xmppd.request", large.clone()));
            tokio::task::yield_now().await;
        }
        assert!(taken <= MAX_OUTPUT / 100_000 + 1 + 2 * MAX_CALLS, "{taken}");
        assert_eq!(call(&client).await.unwrap(), Err(CallError::Timeout(LIMIT)));
        // It reads again: what was queued arrives, and calls work.
        for _ in 0..taken {
            assert_eq!(peer.next().await.method(), Some("send"));
        }
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        let request = peer.expect_invoke(70).await;
        peer.answer(&request, reply(1)).await;
        assert!(outcome.await.unwrap().is_ok());
    });
}

#[test]
fn an_object_that_is_refused_is_offered_again_later() {
    paused(async {
        let log = Log::capture();
        let exchange = Exchange::default();
        let mut peer = exchange.listen();
        let (_client, _, _requests) = start(&exchange);
        peer.send(Message::new(kind::HELLO, 0, 7, Vec::new())).await;
        let (publish, listen) = (peer.next().await, peer.next().await);
        peer.status(&publish, StatusCode::INVALID_ARGUMENT).await;
        peer.status(&listen, StatusCode(6)).await;
        let began = Instant::now();
        assert_eq!(peer.next().await.path(), Some("xmppd"));
        assert_eq!(began.elapsed(), LONGEST_WAIT);
        let lines = log.lines(tracing::Level::WARN);
        assert!(lines.len() == 1 && lines[0].contains("Invalid argument path=xmppd"), "{lines:?}");
    });
}

#[test]
fn it_ends_when_all_clients_are_gone_also_without_a_bus() {
    paused(async {
        let exchange = Exchange::default();
        let mut peer = exchange.listen();
        let (client, work, _requests) = start(&exchange);
        peer.greet().await;
        drop(client);
        work.await.unwrap();
        let (client, work, _requests) = start(&Exchange::default());
        drop(client);
        work.await.unwrap();
    });
}

#[test]
fn the_end_of_its_work_is_said_to_a_call_at_once() {
    paused(async {
        let exchange = Exchange::default();
        let mut peer = exchange.listen();
        let (client, work, _requests) = start(&exchange);
        peer.greet().await;
        let outcome = call(&client);
        peer.expect_lookup(Some(70)).await;
        work.abort();
        assert_eq!(outcome.await.unwrap(), Err(CallError::Stopped));
        assert_eq!(call(&client).await.unwrap(), Err(CallError::Stopped));
    });
}

proptest::proptest! {
    /// Whatever comes, in whatever pieces: the client lives, and the next connection works.
    #[test]
    fn any_bytes_in_any_pieces(
        pieces in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), 0..12),
        framed in proptest::prelude::any::<bool>(),
    ) {
        paused(async move {
            let (exchange, mut peer, client, _requests) = connected().await;
            for piece in pieces {
                let length = u32::try_from(piece.len() + 4).unwrap().to_be_bytes();
                let header = [&[0, piece.first().copied().unwrap_or(0) % 12, 0, 1, 0, 0, 0, 0], &length[..]].concat();
                let bytes = if framed { [header, piece].concat() } else { piece };
                for byte in bytes {
                    if peer.stream.write_all(&[byte]).await.is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            drop(peer);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut peer = exchange.listen();
            let outcome = call(&client);
            peer.greet_with_call().await;
            assert!(outcome.await.unwrap().is_ok());
        });
    }
}
