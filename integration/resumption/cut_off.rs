//! The connection breaks again while the stream is being resumed: once for a reset on the way, always if the server answers
//! `<resume/>` like that.

use std::io;

use super::CPE;
use super::answers::{begin_session, log_in, start};
use crate::harness::{LIMIT, Peer, ScriptedServer, until};

/// How a connection ends.
#[derive(Clone, Copy)]
enum Break {
    Reset,
    Close,
}

/// The first connection breaks while it is online. The next ones break after the request to resume it, this many of them; the
/// last one is served.
async fn serve(number: usize, mut peer: Peer, breaks: usize, how: Break) -> io::Result<()> {
    log_in(&mut peer).await?;
    if number == 0 {
        return begin_session(&mut peer).await;
    }
    if number <= breaks {
        peer.element("resume").await?;
        if let Break::Reset = how {
            peer.reset();
        }
        return Ok(());
    }
    if breaks == 1 {
        peer.element("resume").await?;
        peer.send("<resumed xmlns='urn:xmpp:sm:3' previd='abc' h='1'/>").await?;
    } else {
        begin_session(&mut peer).await?;
    }
    peer.expect_end().await.map(drop)
}

/// Runs until the last connection is online, with these words. Returns how often the stream was given up.
async fn run(breaks: usize, how: Break, online: &str) -> usize {
    let script = ScriptedServer::start("a.test", move |number, peer| serve(number, peer, breaks, how)).await;
    let mut daemon = start(&script);
    let line = format!("{online} as {CPE}");
    until(&format!("{} connections, the last one {online}", breaks + 2), LIMIT, || {
        (script.seen().len() == breaks + 2 && daemon.log().since(0, &[&line]).len() == if breaks == 1 { 1 } else { 2 })
            .then_some(())
    })
    .await;
    assert_eq!(daemon.log().since(0, &["attempt failed", "resuming the previous stream: "]).len(), breaks);
    let given_up = daemon.log().since(0, &["previous stream given up"]).len();
    assert!(daemon.stop().await.success());
    given_up
}

#[tokio::test]
async fn a_stream_is_resumed_although_a_request_for_it_was_cut_off() {
    for how in [Break::Reset, Break::Close] {
        assert_eq!(run(1, how, "stream resumed").await, 0);
    }
}

#[tokio::test]
async fn a_server_that_ends_the_connection_at_each_request_is_asked_twice() {
    for how in [Break::Reset, Break::Close] {
        assert_eq!(run(2, how, "online").await, 1);
    }
}
