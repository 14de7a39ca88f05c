//! Any bytes from `ubusd`: how they are split makes no difference, encoding and decoding are inverse, and a client
//! survives them, ends its calls in time and sends valid messages only.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;
use xmppd::document::Table;
use xmppd::ubus::message::{Attribute, FrameError, Message};
use xmppd::ubus::{Dial, Method, Object, client};

const OBJECT: Object =
    Object { path: "xmppd", methods: &[Method { name: "status", arguments: &[("connection", true)] }] };

const LIMIT: Duration = Duration::from_millis(1500);

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let whole = decode(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(format!("{whole:?}"), format!("{:?}", decode(&[first, second])), "the pieces make a difference");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(format!("{whole:?}"), format!("{:?}", decode(&single)), "the pieces make a difference");
    whole.0.iter().for_each(check_encoding);
    check_client(bytes);
}

/// Decodes the messages, up to an error.
fn decode(pieces: &[&[u8]]) -> (Vec<Message>, Option<FrameError>) {
    let (mut input, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match Message::take(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn check_encoding(message: &Message) {
    if message.attributes.iter().any(|attribute| matches!(attribute, Attribute::Unreadable(..))) {
        return;
    }
    let mut out = Vec::new();
    // Replacement characters may have made the message too long.
    if message.write(&mut out).is_ok() {
        // Compared by debug output, because NaN is not equal to itself.
        assert_eq!(format!("{:?}", decode(&[&out])), format!("({:?}, None)", [message]));
    }
    if let Ok(table) = message.clone().into_data() {
        assert!(table.to_string().starts_with('{'));
    }
}

/// Connects once.
struct Once(Cell<Option<DuplexStream>>);

impl Dial for Once {
    type Stream = DuplexStream;

    async fn dial(&self) -> io::Result<DuplexStream> {
        self.0.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

fn check_client(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = tokio::io::duplex(4096);
        let (client, work, mut requests) = client(Once(Cell::new(Some(theirs))), OBJECT);
        let ubusd = async {
            let (mut reader, mut writer) = tokio::io::split(&mut ours);
            let mut received = Vec::new();
            // Fails if the client closes the connection because of an error.
            let write = async {
                let _ = writer.write_all(bytes).await;
            };
            let ((), _) = tokio::join!(write, tokio::time::timeout(2 * LIMIT, reader.read_to_end(&mut received)));
            let (_, error) = decode(&[&received]);
            assert_eq!(error, None, "the client sends an invalid message");
        };
        let answers = async {
            while let Some(request) = requests.recv().await {
                assert_eq!(request.method, "status");
                let _ = request.answer.send(Ok(request.arguments));
            }
        };
        let calls = async {
            for _ in 0..3 {
                let start = Instant::now();
                let outcome = client.call("tr069", "inform", Table::new(), LIMIT).await;
                assert!(
                    start.elapsed() <= LIMIT
                        && outcome.as_ref().err().is_none_or(|error| !error.to_string().is_empty()),
                    "{outcome:?}"
                );
            }
            let _ = client.event("xmppd.connection", Table::new());
            tokio::time::sleep(3 * LIMIT).await;
            drop(client);
        };
        tokio::join!(work, ubusd, answers, calls);
    });
}
