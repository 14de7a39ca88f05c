//! On the stream, once it is up.

use super::Fault::{BindsAnother, Floods};
use super::{Fault, Scene, Stage, none_fails};
use crate::harness::{LIMIT, until};

/// The most memory that any of it may take, in KiB: the largest element that is read (1 MiB), twice for a buffer that grows
/// by doubling, and the allocator's share. What is sent is several times as much.
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

/// As one attribute, which is kept whole until it is over.
fn too_large_attribute() -> Vec<u8> {
    format!("<iq type='get' id='{}'><q xmlns='x'/></iq>", "x".repeat(2 << 20)).into_bytes()
}

/// Far more than any bound.
fn endless() -> Vec<u8> {
    message(&"x".repeat(16 << 20))
}

fn endless_attribute() -> Vec<u8> {
    format!("<iq type='get' id='{}'><q xmlns='x'/></iq>", "x".repeat(16 << 20)).into_bytes()
}

/// Each of them is read over, one after the other.
fn many_large() -> Vec<u8> {
    large().repeat(80)
}

/// As many small children.
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

/// Elements of a negotiation that is over.
fn late() -> Vec<u8> {
    b"<stream:features/><proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\
      <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><x xmlns='y'/>"
        .to_vec()
}

#[tokio::test]
async fn what_is_read_over() {
    let faults = [large, nested, white_space, a_thousand, resumed, late].map(Floods);
    let received = none_fails(&[&faults[..], &[BindsAnother]].concat()).await;
    // Each of the thousand was answered, once.
    let answers = received[3].matches("<service-unavailable").count();
    assert_eq!(
        (answers, received[3].matches("id='n999'").count() + received[3].matches("id=\"n999\"").count()),
        (1000, 1)
    );
}

#[tokio::test]
async fn what_ends_the_stream() {
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
    let scene = Scene::new(cases.iter().map(|(fault, _)| *fault)).await;
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
    for (id, (_, words)) in (1..).zip(&cases) {
        scene.says(id, words).await;
        let seen = scene.scripts[id - 1].wait_played(0, LIMIT).await;
        assert!(seen.received.contains(farewells[id - 1]), "{words:?}: {:?}", seen.received);
    }
    scene.ends_well().await;
}

/// A server's stanzas of any size do not take more memory than the largest that is read.
async fn is_bounded(flood: fn() -> Vec<u8>, kept: bool) {
    let scene = Scene::at(Stage::Begin, [Floods(flood)]).await;
    scene.daemon.wait_for_status(1, "online", |status| status.word() == "Enabled").await;
    let before = scene.memory("VmRSS");
    scene.stage.send_replace(Stage::Flood);
    if kept {
        let script = &scene.scripts[0];
        let answered = || script.seen()[0].received.contains("alive").then_some(());
        until("an answer", LIMIT, answered).await;
    } else {
        scene.says(1, &["an element of more than"]).await;
    }
    // The most that it ever had, which no pause between two looks can hide.
    let most = scene.memory("VmHWM");
    assert!(most < before + BOUND, "{before} KiB before, up to {most} KiB");
    scene.ends_well().await;
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
