//! Stopping a connection whose server does not do its part, with a paused clock.

use tracing::Level;

use super::*;
use crate::testing::{Log, paused, soon};
use crate::xmpp::established::StreamCommand;
use crate::xmpp::outgoing::Stanza;
use crate::xmpp::stanza::ReplyTo;

/// Puts the connection on this stream, with more to send than is queued before commands have to wait.
fn go_online(connection: &mut Connection, session: Session, ctx: &mut Context<Connection>) {
    let State::Waiting { timer, .. } = connection.state else { panic!("not waiting") };
    ctx.cancel_future(timer);
    connection.go_online(session, &address(), ctx);
    let State::Online { online, .. } = &connection.state else { panic!("not online") };
    for _ in 0..1000 {
        let from = Some(format!("acs@a.test/{}", "x".repeat(1000)));
        online.resource.command(StreamCommand::Stanza(Box::new(Stanza::Iq(ReplyTo { id: None, from }.result()))));
    }
}

/// The session never gets to the command to close; the connection stops by itself before its supervisor would kill it.
#[test]
fn a_server_that_does_not_read_is_left_within_the_budget() {
    paused(async {
        let log = Log::capture();
        let (session, _server) = session().await;
        let address = Connection::create(|ctx| {
            ctx.run_later(Duration::from_millis(10), |connection, ctx| go_online(connection, session, ctx));
            connection(retry(60, 60))
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stopped = Instant::now();
        address.send(Stop).await.unwrap();
        soon(async {
            while address.connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let took = stopped.elapsed();
        assert!(took >= shutdown::STREAM && took < shutdown::CONNECTION, "{took:?}");
        let aborted = |line: &String| line.contains("closing the stream timed out: connection aborted");
        assert_eq!(log.lines(Level::INFO).iter().filter(|line| aborted(line)).count(), 1);
    });
}
