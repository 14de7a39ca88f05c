//! What goes out.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::xmpp::incoming::{Iq as InIq, Known};
use crate::xmpp::outgoing::{Iq, Presence};
use crate::xmpp::stanza::ReplyTo;

fn to(to: &str) -> ReplyTo {
    ReplyTo { id: Some("1".to_owned()), from: Some(to.to_owned()) }
}

fn result(id: usize) -> Iq {
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
    String::from_utf8(stream.queued.to_vec()).unwrap()
}

#[test]
fn our_header_is_one_that_we_would_take_ourselves() {
    let header = opened("b.test");
    assert_eq!(read(&header)[0], "Header { id: None, from: None }", "{header}");
    for part in ["<?xml version='1.0'", "to='b.test'", "version='1.0'", "xml:lang='en'", ns::CLIENT, ns::STREAM] {
        assert!(header.replace('"', "'").contains(part), "{part} is not in {header}");
    }
    let strange = opened("a&b\"<").replace('\'', "\"");
    assert!(strange.contains("to=\"a&amp;b&#34;&lt;\""), "{strange}");
}

#[test]
fn a_whole_element_is_one_write() {
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
fn an_element_that_xml_cannot_hold_leaves_nothing_behind() {
    let mut stream = XmlStream::new(Pieces::new([]));
    stream.open("b.test").unwrap();
    let header = stream.queued.len();
    for bad in ["a\u{0}b", "\u{1f}", "\u{fffe}"] {
        let refused = stream.queue(&to(bad).service_unavailable());
        let Err(StreamFault::Io(error)) = refused else { panic!("{bad:?}: {refused:?}") };
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(stream.queued.len(), header, "{bad:?}");
    }
}

async fn first_iq(text: &[u8]) -> InIq {
    let mut stream = XmlStream::new(Pieces::new([text]));
    stream.next().await.unwrap();
    let Ok(Received::Element(element)) = stream.next().await else { panic!("no element") };
    let Element::Known(Known::Iq(iq)) = *element else { panic!("no iq") };
    iq
}

/// RFC 6120 8.1.3: what came in as an identifier goes out as the same identifier, whatever is in it.
#[test]
fn an_identifier_survives_the_way_back() {
    run(async {
        for text in ["&#xa;&#x9;&#xd;x", "&lt;&gt;&amp;&quot;&apos;", "\u{1f600}\u{e000}\u{fffd}", " a  b ", ""] {
            let iq = first_iq(format!("{HEADER}<iq type='get' id='{text}' from='{text}'/>").as_bytes()).await;
            let mut answering = XmlStream::new(Pieces::new([]));
            answering.open("b.test").unwrap();
            answering.queue(&ReplyTo::of(&iq).result()).unwrap();
            let answer = first_iq(&answering.queued).await;
            assert_eq!((answer.id, answer.to), (iq.id, iq.from), "{text:?}");
        }
    });
}

/// A server that has said why, and then closes: what it said is what is told, not the write that failed.
#[test]
fn a_write_that_fails_does_not_hide_what_the_server_said() {
    run(async {
        let error = format!("<stream:error><conflict xmlns='{}'/></stream:error></stream:stream>", ns::STREAM_ERRORS);
        let (mut reads, server) = tokio::io::duplex(4096);
        let (writes, gone) = tokio::io::duplex(64);
        drop(gone);
        let mut stream = XmlStream::new(BufReader::new(tokio::io::join(server, writes)));
        reads.write_all(format!("{HEADER}{error}").as_bytes()).await.unwrap();
        stream.queue(&result(1)).unwrap();
        assert!(matches!(stream.next().await, Ok(Received::Header { .. })));
        let said = format!("{:?}", stream.next().await);
        assert!(said.contains("conflict"), "{said}");
        assert!(matches!(stream.next().await, Ok(Received::Footer)));
    });
}

#[test]
fn a_write_that_fails_is_told_where_the_server_says_nothing() {
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

/// Both directions are full: whoever does not read while he writes is stuck here.
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
fn what_a_server_never_reads_is_not_gathered_without_end() {
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
            assert!(queued < 10_000, "nothing stops it");
        };
        assert!(matches!(fault, StreamFault::NotRead), "{fault:?}");
        assert!(stream.queued.len() <= MAX_QUEUED + 2 * 1024, "{} bytes wait", stream.queued.len());
        // The last word goes out all the same, if the server ever reads.
        stream.close();
        assert!(stream.queued.ends_with(b"</stream:stream>"));
    });
}

/// RFC 6120 4.3.3: after SASL a new stream begins on the same connection.
#[test]
fn a_restart_begins_anew_on_the_same_connection() {
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
fn a_restart_forgets_what_was_half_read() {
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
