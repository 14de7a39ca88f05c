//! Writing, and the queue.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::xmpp::incoming::{Element, IncomingIq, KnownElement};
use crate::xmpp::outgoing::{OutgoingIq, Presence};
use crate::xmpp::stanza::ReplyTo;

fn to(to: &str) -> ReplyTo {
    ReplyTo { id: Some("1".to_owned()), from: Some(to.to_owned()) }
}

fn result(id: usize) -> OutgoingIq {
    ReplyTo { id: Some(id.to_string()), from: None }.result()
}

async fn read_exactly(server: &mut DuplexStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

fn opened(to: &str) -> String {
    let mut stream = XmlStream::new(Pieces::new([]));
    stream.open(to).unwrap();
    String::from_utf8(stream.writer.queued.to_vec()).unwrap()
}

#[test]
fn our_header_is_a_valid_one() {
    let header = opened("b.test");
    assert_eq!(read(&header)[0], "Header { id: None, from: None }", "{header}");
    for part in ["<?xml version='1.0'", "to='b.test'", "version='1.0'", "xml:lang='en'", ns::CLIENT, ns::STREAM] {
        assert!(header.replace('"', "'").contains(part), "{part} is not in {header}");
    }
    let escaped = opened("a&b\"<").replace('\'', "\"");
    assert!(escaped.contains("to=\"a&amp;b&#34;&lt;\""), "{escaped}");
}

#[test]
fn an_element_is_written_at_once() {
    run(async {
        let mut stream = XmlStream::new(Pieces::new([]));
        stream.open("b.test").unwrap();
        stream.flush().await.unwrap();
        stream.queue(&to("acs@a.test/r").service_unavailable()).unwrap();
        stream.flush().await.unwrap();
        stream.queue(&Presence { priority: -1 }).unwrap();
        assert!(matches!(stream.next().await, Err(StreamFault::Closed)));
        let writes: Vec<_> = stream.io().writes.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(writes.len(), 3, "{writes:?}");
        assert!(writes[1].starts_with("<iq ") && writes[1].ends_with("</iq>"), "{}", writes[1]);
        assert!(writes[2].starts_with("<presence") && writes[2].ends_with("</presence>"), "{}", writes[2]);
    });
}

#[test]
fn answers_that_are_ready_at_once_leave_in_one_write() {
    run(async {
        let mut stream = XmlStream::new(Pieces::new([]));
        stream.open("b.test").unwrap();
        let mut ready = (0..3).map(result);
        loop {
            match stream.next_or(|_| ready.next().map_or(Poll::Pending, Poll::Ready)).await {
                Ok(Next::Item(answer)) => stream.queue(&answer).unwrap(),
                end => break assert!(matches!(end, Err(StreamFault::Closed)), "{end:?}"),
            }
        }
        let writes: Vec<_> = stream.io().writes.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(writes.len(), 1, "{writes:?}");
        assert_eq!(writes[0].matches("<iq ").count(), 3, "{writes:?}");
    });
}

#[test]
fn nothing_is_queued_of_an_element_that_xml_cannot_represent() {
    let mut stream = XmlStream::new(Pieces::new([]));
    stream.open("b.test").unwrap();
    let header = stream.writer.queued.len();
    for bad in ["a\u{0}b", "\u{1f}", "\u{fffe}"] {
        let refused = stream.queue(&to(bad).service_unavailable());
        let Err(StreamFault::Io(error)) = refused else { panic!("{bad:?}: {refused:?}") };
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(stream.writer.queued.len(), header, "{bad:?}");
    }
}

async fn first_iq(text: &[u8]) -> IncomingIq {
    let mut stream = XmlStream::new(Pieces::new([text]));
    stream.next().await.unwrap();
    let Ok(Received::Element(element)) = stream.next().await else { panic!("no element") };
    let Element::Known(KnownElement::Iq(iq)) = *element else { panic!("no iq") };
    iq
}

/// RFC 6120 8.1.3
#[test]
fn an_answer_has_the_identifier_of_the_request() {
    run(async {
        for text in ["&#xa;&#x9;&#xd;x", "&lt;&gt;&amp;&quot;&apos;", "\u{1f600}\u{e000}\u{fffd}", " a  b ", ""] {
            let iq = first_iq(format!("{HEADER}<iq type='get' id='{text}' from='{text}'/>").as_bytes()).await;
            let mut answering = XmlStream::new(Pieces::new([]));
            answering.open("b.test").unwrap();
            answering.queue(&ReplyTo::of(&iq).result()).unwrap();
            let answer = first_iq(&answering.writer.queued).await;
            assert_eq!((answer.id, answer.to), (iq.id, iq.from), "{text:?}");
        }
    });
}

#[test]
fn a_stream_error_is_yielded_before_a_failed_write() {
    run(async {
        let error = format!("<stream:error><conflict xmlns='{}'/></stream:error></stream:stream>", ns::STREAM_ERRORS);
        let (mut reads, server) = tokio::io::duplex(4096);
        let (writes, gone) = tokio::io::duplex(64);
        drop(gone);
        let mut stream = XmlStream::new(BufReader::new(tokio::io::join(server, writes)));
        reads.write_all(format!("{HEADER}{error}").as_bytes()).await.unwrap();
        stream.queue(&result(1)).unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        let next = format!("{:?}", stream.next().await);
        assert!(next.contains("conflict"), "{next}");
        assert!(matches!(stream.next().await, Ok(Received::Footer)));
    });
}

#[test]
fn a_failed_write_is_reported_if_nothing_was_received() {
    run(async {
        let (_silent, reads) = tokio::io::duplex(64);
        let (writes, gone) = tokio::io::duplex(64);
        drop(gone);
        let mut stream = XmlStream::new(BufReader::new(tokio::io::join(reads, writes)));
        stream.queue(&result(1)).unwrap();
        let Err(StreamFault::Io(error)) = stream.next().await else { panic!("no fault") };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

/// Both directions are full: without reading during a write, neither side makes progress.
#[test]
fn a_server_that_sends_before_it_reads_does_not_block_us() {
    run(async {
        let (mut stream, mut server) = connected(64);
        stream.open("b.test").unwrap();
        for n in 0..1000 {
            stream.queue(&result(n)).unwrap();
        }
        let messages = "<message><body>much to say</body></message>".repeat(1000);
        let server = async {
            server.write_all(format!("{HEADER}{messages}</stream:stream>").as_bytes()).await.unwrap();
            let mut read = String::new();
            server.read_to_string(&mut read).await.unwrap();
            read
        };
        let ours = async {
            let mut received = 0;
            while !matches!(stream.next().await.unwrap(), Received::Footer) {
                received += 1;
            }
            stream.close();
            stream.flush().await.unwrap();
            stream.shutdown().await.unwrap();
            received
        };
        let (read, received) = futures_util::future::join(server, ours).await;
        assert_eq!(received, 1001);
        assert_eq!(read.matches("<iq ").count(), 1000);
        assert!(read.ends_with("</stream:stream>"));
    });
}

#[test]
fn the_queue_for_a_server_that_never_reads_is_bounded() {
    run(async {
        let (mut stream, _server) = connected(64);
        stream.open("b.test").unwrap();
        let answer = to(&format!("a@b.test/{}", "x".repeat(1000))).service_unavailable();
        let mut queued = 0;
        let fault = loop {
            assert!(tokio::time::timeout(Duration::from_millis(1), stream.next()).await.is_err());
            match stream.queue(&answer) {
                Ok(()) => queued += 1,
                Err(fault) => break fault,
            }
            assert!(queued < 10_000, "the queue is not bounded");
        };
        assert!(matches!(fault, StreamFault::NotRead), "{fault:?}");
        assert!(
            stream.writer.queued.len() <= writer::MAX_QUEUED + 2 * 1024,
            "{} bytes are queued",
            stream.writer.queued.len()
        );
        // The footer can be queued nevertheless.
        stream.close();
        assert!(stream.writer.queued.ends_with(b"</stream:stream>"));
    });
}

/// RFC 6120 4.3.3
#[test]
fn a_restart_opens_a_new_stream_on_the_same_connection() {
    run(async {
        let (mut stream, mut server) = connected(4096);
        stream.open("b.test").unwrap();
        let header = opened("b.test");
        server.write_all(format!("{HEADER}<success xmlns='{}'/>", ns::SASL).as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { id: Some(id), .. }) if id == "s1"));
        assert!(matches!(stream.next().await, Ok(Received::Element(_))));
        read_exactly(&mut server, &header).await;
        stream.restart("b.test").unwrap();
        server.write_all(HEADER.replace("s1", "s2").as_bytes()).await.unwrap();
        server.write_all(b"<presence/>").await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { id: Some(id), .. }) if id == "s2"));
        assert!(matches!(stream.next().await, Ok(Received::Element(_))));
        read_exactly(&mut server, &header).await;
    });
}

#[test]
fn a_restart_discards_an_incomplete_element() {
    run(async {
        let (mut stream, mut server) = connected(4096);
        server.write_all(format!("{HEADER}<message><body>").as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        assert!(tokio::time::timeout(Duration::from_secs(1), stream.next()).await.is_err());
        stream.restart("b.test").unwrap();
        server.write_all(format!("{HEADER}<presence/>").as_bytes()).await.unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        assert!(matches!(stream.next().await, Ok(Received::Element(_))));
    });
}
