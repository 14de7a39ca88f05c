//! An established stream and a server in memory, with a paused clock.

use std::pin::Pin;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::testing::{paused, soon};
use crate::xmpp::ns;
use crate::xmpp::stanza::ReplyTo;
use crate::xmpp::transport::Transport;

/// Bytes that fit into the connection in each direction, like the socket buffers of a system.
const SOCKET: usize = 4096;

struct Fixture {
    commands: UnboundedSender<StreamCommand>,
    events: Pin<Box<dyn Stream<Item = StreamEvent>>>,
    server: DuplexStream,
}

/// A stream whose headers are sent.
async fn established() -> Fixture {
    let (ours, mut server) = tokio::io::duplex(SOCKET);
    let mut stream = XmlStream::new(Transport::Memory(ours).buffered());
    stream.open("a.test").unwrap();
    stream.flush().await.unwrap();
    let header = format!("<stream:stream xmlns='{}' xmlns:stream='{}' version='1.0'>", ns::CLIENT, ns::STREAM);
    server.write_all(header.as_bytes()).await.unwrap();
    let start = SessionStart::Resumed { handled: 0 };
    let session = Session { stream, start, tls: false, description: String::new() };
    let (commands, queue) = unbounded_channel();
    let events = Box::pin(events(session, queue, SharedManagement::default()));
    Fixture { commands, events, server }
}

/// Sends a thousand answers of a kibibyte: twice what is queued before commands have to wait.
fn send_a_thousand_answers(commands: &UnboundedSender<StreamCommand>) {
    for n in 0..1000 {
        let from = Some(format!("acs@a.test/{}", "x".repeat(1000)));
        commands
            .send(StreamCommand::Stanza(Box::new(Stanza::Iq(ReplyTo { id: Some(n.to_string()), from }.result()))))
            .unwrap();
    }
}

/// Drives the stream until it ends.
async fn end(events: &mut Pin<Box<dyn Stream<Item = StreamEvent>>>) -> StreamEvent {
    loop {
        let event = soon(events.next()).await.expect("an end");
        if matches!(event, StreamEvent::Ended(_)) {
            return event;
        }
    }
}

/// Reads until `end` was received, and sends nothing.
async fn read_until(server: &mut DuplexStream, end: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; SOCKET];
    while !read.contains(end) {
        let length = tokio::time::timeout(Duration::from_secs(60), server.read(&mut buffer)).await;
        let length = length.unwrap_or_else(|_| panic!("no {end} after {} bytes", read.len())).unwrap();
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    read
}

/// Commands fit into the queue again while the stream waits for a server that sends nothing.
#[test]
fn a_server_that_reads_late_and_says_nothing_gets_every_answer_the_ping_and_the_close() {
    paused(async {
        let Fixture { commands, mut events, mut server } = established().await;
        send_a_thousand_answers(&commands);
        commands.send(StreamCommand::AskAcknowledgement).unwrap();
        // The queue is full.
        assert!(tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err());
        let serve = async {
            let answers = read_until(&mut server, "urn:xmpp:sm:3").await;
            commands.send(StreamCommand::Close).unwrap();
            let close = read_until(&mut server, "</stream:stream>").await;
            server.write_all(b"</stream:stream>").await.unwrap();
            (answers, close)
        };
        let ((answers, close), end) = futures_util::future::join(serve, end(&mut events)).await;
        assert_eq!(answers.matches("<iq ").count(), 1000);
        assert!(close.ends_with("</stream:stream>"), "{close}");
        assert!(matches!(end, StreamEvent::Ended(StreamEnd::Closed)), "{end:?}");
    });
}

/// Measures closing with a server that sends its footer after this time; none: never.
async fn closing(footer_after: Option<Duration>) -> Duration {
    let Fixture { commands, mut events, server } = established().await;
    let (mut reading, mut writing) = tokio::io::split(server);
    commands.send(StreamCommand::Close).unwrap();
    let start = Instant::now();
    let serve = async {
        if let Some(after) = footer_after {
            tokio::time::sleep(after).await;
            writing.write_all(b"</stream:stream>").await.unwrap();
        }
        let mut all = String::new();
        reading.read_to_string(&mut all).await.unwrap();
        assert!(all.ends_with("</stream:stream>"), "{all}");
    };
    let (end, ()) = futures_util::future::join(end(&mut events), serve).await;
    assert!(matches!(end, StreamEvent::Ended(StreamEnd::Closed)), "{end:?}");
    start.elapsed()
}

#[test]
fn the_server_s_footer_is_awaited_until_its_limit_and_no_longer() {
    paused(async {
        let millis = Duration::from_millis;
        let just_in_time = shutdown::FOOTER.saturating_sub(millis(1));
        for (footer_after, expected) in
            [(Some(millis(0)), millis(0)), (Some(just_in_time), just_in_time), (None, shutdown::FOOTER)]
        {
            let took = closing(footer_after).await;
            assert!(took >= expected && took < expected + millis(2), "{footer_after:?}: {took:?}");
        }
    });
}
