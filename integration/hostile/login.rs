//! On the way to the bound resource.

use super::Fault::{Closes, Impostor, Offers, Says, Silent, Trickles};
use super::{PLAIN, Step, all_fail};
use crate::harness::script::MECHANISMS;

/// Each step has its own limit of 10 s: all of them wait side by side.
#[tokio::test]
async fn silence_at_each_step() {
    let timeout = "no answer within 10 s";
    all_fail(&[
        (Silent(Step::Accepted), &["opening the stream", timeout]),
        (Silent(Step::StartTlsRead), &["TLS", timeout]),
        (Silent(Step::Proceeded), &["TLS", timeout]),
        (Silent(Step::Encrypted), &["opening the stream", timeout]),
        (Silent(Step::AuthRead), &["login", timeout]),
        (Silent(Step::LoggedIn), &["opening the stream", timeout]),
        (Silent(Step::BindOffered), &["binding the resource", timeout]),
        // Not silent, and no better.
        (Trickles, &["opening the stream", timeout]),
    ])
    .await;
}

#[tokio::test]
async fn closing_at_each_step() {
    let closed = "the server closed the connection";
    all_fail(&[
        (Closes(Step::HeaderRead), &["opening the stream", closed]),
        (Closes(Step::StartTlsRead), &["TLS", closed]),
        (Closes(Step::AuthRead), &["login", closed]),
        (Closes(Step::LoggedIn), &["opening the stream"]),
        // What the client has said by then is not read: it may get a RST as well as a FIN.
        (Closes(Step::Accepted), &["opening the stream"]),
        (Closes(Step::Proceeded), &["TLS"]),
        (Closes(Step::Encrypted), &["opening the stream"]),
        (Closes(Step::BindOffered), &["binding the resource"]),
    ])
    .await;
}

#[tokio::test]
async fn tls_that_is_not_offered_not_to_be_had_or_tampered_with() {
    let refused = || b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>".to_vec();
    let injected = || b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><stream:features/>".to_vec();
    all_fail(&[
        (Offers(""), &["the server offers no TLS, and the connection demands it"]),
        // What is left when somebody in between has taken STARTTLS away.
        (Offers(MECHANISMS), &["the server offers no TLS, and the connection demands it"]),
        (Says(Step::StartTlsRead, refused), &["the server offers TLS and then refuses it"]),
        (Says(Step::StartTlsRead, injected), &["the server sent something between <proceed/> and TLS"]),
        (Says(Step::Proceeded, || b"no handshake of any kind".to_vec()), &["TLS"]),
        (Offers(PLAIN), &["no usable login mechanism among those that the server offers (PLAIN)"]),
        (Impostor, &["it may be an impostor"]),
    ])
    .await;
}

fn header(rest: &[u8]) -> Vec<u8> {
    [super::HEADER.as_bytes(), rest].concat()
}

/// Before anybody knows who is there.
#[tokio::test]
async fn nonsense_in_place_of_a_stream() {
    let not_xml = "the server sent something that is not XML";
    all_fail(&[
        (Says(Step::HeaderRead, || b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), &[not_xml]),
        (Says(Step::HeaderRead, || b"<html><body>hello</body></html>".to_vec()), &["the server does not speak XMPP"]),
        (Says(Step::HeaderRead, || b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>".to_vec()), &["the server sent"]),
        (Says(Step::HeaderRead, || header(b"<!-- a comment -->")), &["which XMPP forbids"]),
        (Says(Step::HeaderRead, || header(b"<stream:features>\xc3\x28</stream:features>")), &[not_xml]),
        (Says(Step::HeaderRead, || header(b"<stream:features></stream:error>")), &[not_xml]),
        (Says(Step::HeaderRead, || header(b"</stream:stream>")), &["the server closed the connection"]),
        (Says(Step::HeaderRead, || header(b"<message/>")), &["the server sent <message/> instead of stream features"]),
        (Says(Step::LoggedIn, || header(b"<stream:features/>")), &["the server offers no resource binding"]),
        (
            Says(Step::HeaderRead, || header(&[b"<stream:features a='", &vec![b'a'; 2 << 20][..]].concat())),
            &["an element of more than 1048576 bytes"],
        ),
        (
            Says(Step::HeaderRead, || [b"<stream:stream a='", &vec![b'a'; 2 << 20][..]].concat()),
            &["an element of more than 1048576 bytes"],
        ),
    ])
    .await;
}

const FAILURE: &str = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/></failure>";

/// Somebody else's answers.
#[tokio::test]
async fn answers_that_were_not_asked_for() {
    let sasl = "the server's part of the login makes no sense";
    all_fail(&[
        (Says(Step::AuthRead, || b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".to_vec()), &["login"]),
        (Says(Step::AuthRead, || b"<iq type='result' id='x'/>".to_vec()), &[sasl]),
        (
            Says(Step::AuthRead, || b"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>?</challenge>".to_vec()),
            &[sasl],
        ),
        (Says(Step::AuthRead, || FAILURE.as_bytes().to_vec()), &["temporary-auth-failure"]),
    ])
    .await;
}
