//! Faults on an established stream.

use super::fault::Fault::{self, BindsAnother, Floods};
use super::fault::Stage;
use super::{Fixture, none_fails};
use crate::harness::{LIMIT, until};

/// Maximum growth of memory, KiB: the largest element that is read (1 MiB), twice for a buffer that grows by doubling,
/// and the allocator's overhead. Several times as much is sent.
const BOUND: u64 = 3 * 1024;

fn message(body: &str) -> Vec<u8> {
    format!("<message from='a.test' to='x'><body>{body}</body></message>").into_bytes()
}

fn large() -> Vec<u8> {
    message(&"x".repeat(200 << 10))
}

fn too_large() -> Vec<u8> {
    message(&"x".repeat(2 << 20))
}

/// One attribute, which the parser buffers as a whole.
fn too_large_attribute() -> Vec<u8> {
    format!("<iq type='get' id='{}'><q xmlns='x'/></iq>", "x".repeat(2 << 20)).into_bytes()
}

/// Far more than any limit.
fn endless() -> Vec<u8> {
    message(&"x".repeat(16 << 20))
}

fn endless_attribute() -> Vec<u8> {
    format!("<iq type='get' id='{}'><q xmlns='x'/></iq>", "x".repeat(16 << 20)).into_bytes()
}

/// Large stanzas, skipped one after the other.
fn many_large() -> Vec<u8> {
    large().repeat(80)
}

/// Many small children.
fn too_many_children() -> Vec<u8> {
    message(&"<a/>".repeat(1 << 19))
}

fn nested() -> Vec<u8> {
    let count = 30_000;
    message(&format!("{}{}", "<a>".repeat(count), "</a>".repeat(count)))
}

fn white_space() -> Vec<u8> {
    vec![b' '; 8 << 20]
}

fn a_thousand() -> Vec<u8> {
    let iq = |n| format!("<iq type='get' id='n{n}' from='x@a.test/{n}'><q xmlns='x'/></iq>");
    (0..1000).map(iq).collect::<String>().into_bytes()
}

fn resumed() -> Vec<u8> {
    b"<resumed xmlns='urn:xmpp:sm:3' h='7' previd='nobody asked'/><enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>\
      <a xmlns='urn:xmpp:sm:3' h='7'/><r xmlns='urn:xmpp:sm:3'/><failed xmlns='urn:xmpp:sm:3'/>"
        .to_vec()
}

/// Elements of a negotiation that has ended.
fn late() -> Vec<u8> {
    b"<stream:features/><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
      <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><x xmlns='y'/>"
        .to_vec()
}

#[tokio::test]
async fn large_and_unexpected_stanzas_keep_the_stream() {
    let faults = [large, nested, white_space, a_thousand, resumed, late].map(Floods);
    let received = none_fails(&[&faults[..], &[BindsAnother]].concat()).await;
    // Each of the thousand is answered, once.
    let answers = received[3].matches("<service-unavailable").count();
    assert_eq!(
        (answers, received[3].matches("id='n999'").count() + received[3].matches("id=\"n999\"").count()),
        (1000, 1)
    );
}

#[tokio::test]
async fn invalid_xml_and_excessive_stanzas_end_the_stream() {
    let not_xml = "the server sent something that is not XML";
    let cases: [(Fault, &[&str]); 8] = [
        (Floods(too_large), &["an element of more than 1048576 bytes"]),
        (Floods(too_large_attribute), &["an element of more than 1048576 bytes"]),
        (Floods(too_many_children), &["an element of more than 1048576 bytes"]),
        (Floods(|| b"<message><body>\xff\xfe</body></message>".to_vec()), &[not_xml]),
        (Floods(|| b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><message/>".to_vec()), &["which XMPP forbids"]),
        (Floods(|| b"<message>&lol;</message>".to_vec()), &[not_xml]),
        (Floods(|| b"<!-- a comment -->".to_vec()), &["which XMPP forbids"]),
        (Floods(|| b"</stream:stream>".to_vec()), &["the server closed the stream"]),
    ];
    let fixture = Fixture::new(cases.iter().map(|(fault, _)| *fault)).await;
    let farewells = [
        "<policy-violation",
        "<policy-violation",
        "<policy-violation",
        "<not-well-formed",
        "<restricted-xml",
        "<not-well-formed",
        "<restricted-xml",
        "</stream:stream>",
    ];
    fixture.all_say(&cases.map(|(_, words)| words)).await;
    for ((script, farewell), (_, words)) in fixture.scripts.iter().zip(farewells).zip(cases) {
        let seen = script.wait_finished(0, LIMIT).await;
        assert!(seen.received.contains(farewell), "{words:?}: {:?}", seen.received);
    }
    fixture.ends_well().await;
}

/// Memory does not grow beyond that of the largest element, whatever the server sends.
async fn is_bounded(flood: fn() -> Vec<u8>, kept: bool) {
    let fixture = Fixture::at(Stage::Begin, [Floods(flood)]).await;
    fixture.daemon.wait_for_status(1, "online", |status| status.word() == "Enabled").await;
    let before = fixture.memory("VmRSS");
    fixture.stage.send_replace(Stage::Flood);
    if kept {
        let script = &fixture.scripts[0];
        let answered = || script.seen()[0].received.contains("alive").then_some(());
        // A busy machine reads the megabytes slowly.
        until("an answer", 3 * LIMIT, answered).await;
    } else {
        fixture.all_say(&[&["an element of more than"]]).await;
    }
    // The peak value, so that nothing is missed between two samples.
    let most = fixture.memory("VmHWM");
    assert!(most < before + BOUND, "{before} KiB before, up to {most} KiB");
    fixture.ends_well().await;
}

#[tokio::test]
async fn memory_does_not_grow_with_a_large_stanza() {
    is_bounded(endless, false).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_a_large_attribute() {
    is_bounded(endless_attribute, false).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_depth() {
    is_bounded(nested, true).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_white_space() {
    is_bounded(white_space, true).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_many_stanzas() {
    is_bounded(a_thousand, true).await;
}

#[tokio::test]
async fn memory_does_not_grow_with_many_large_stanzas() {
    is_bounded(many_large, true).await;
}
