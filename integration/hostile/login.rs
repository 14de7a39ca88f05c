//! Faults during the login.

use super::all_fail;
use super::fault::Fault::{Closes, Impostor, Offers, Says, Silent, Trickles};
use super::fault::{PLAIN, Step};
use crate::harness::scripted_server::MECHANISMS;

/// Each step has a limit of 10 s; all connections wait concurrently.
#[tokio::test]
async fn a_silent_server_is_left_at_each_step() {
    let timeout = "no answer within 10 s";
    all_fail(&[
        (Silent(Step::Accepted), &["opening the stream", timeout]),
        (Silent(Step::StartTlsRead), &["TLS", timeout]),
        (Silent(Step::Proceeded), &["TLS", timeout]),
        (Silent(Step::Encrypted), &["opening the stream", timeout]),
        (Silent(Step::AuthRead), &["login", timeout]),
        (Silent(Step::LoggedIn), &["opening the stream", timeout]),
        (Silent(Step::BindOffered), &["binding the resource", timeout]),
        // A server that sends something, but too slowly.
        (Trickles, &["opening the stream", timeout]),
    ])
    .await;
}

#[tokio::test]
async fn a_closed_connection_is_reported_at_each_step() {
    let closed = "the server closed the connection";
    all_fail(&[
        (Closes(Step::HeaderRead), &["opening the stream", closed]),
        (Closes(Step::StartTlsRead), &["TLS", closed]),
        (Closes(Step::AuthRead), &["login", closed]),
        (Closes(Step::LoggedIn), &["opening the stream"]),
        // The client's last bytes are not read, so it may get a RST instead of a FIN.
        (Closes(Step::Accepted), &["opening the stream"]),
        (Closes(Step::Proceeded), &["TLS"]),
        (Closes(Step::Encrypted), &["opening the stream"]),
        (Closes(Step::BindOffered), &["binding the resource"]),
    ])
    .await;
}

#[tokio::test]
async fn a_server_without_working_tls_is_left() {
    let refused = || b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>".to_vec();
    let injected = || b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><stream:features/>".to_vec();
    all_fail(&[
        (Offers(""), &["the server offers no TLS, and the connection demands it"]),
        // As if an on-path attacker had removed STARTTLS.
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
    [super::fault::HEADER.as_bytes(), rest].concat()
}

/// Before the server has authenticated itself.
#[tokio::test]
async fn a_server_that_sends_no_valid_stream_is_left() {
    let not_xml = "the server sent something that is not XML";
    all_fail(&[
        (Says(Step::HeaderRead, || b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), &[not_xml]),
        (Says(Step::HeaderRead, || b"<html><body>hello</body></html>".to_vec()), &["the server does not speak XMPP"]),
        (Says(Step::HeaderRead, || b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>".to_vec()), &["the server sent"]),
        (Says(Step::HeaderRead, || header(b"<!-- a comment -->")), &["which XMPP forbids"]),
        (Says(Step::HeaderRead, || header(b"<stream:features>\xc3\x28</stream:features>")), &[not_xml]),
        (Says(Step::HeaderRead, || header(b"<stream:features></stream:error>")), &[not_xml]),
        (Says(Step::HeaderRead, || header(b"</stream:stream>")), &["the server closed the stream"]),
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

/// Unsolicited answers.
#[tokio::test]
async fn unsolicited_answers_fail_the_attempt() {
    let sasl = "invalid login message from the server";
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
