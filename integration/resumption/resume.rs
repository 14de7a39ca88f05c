//! A connection breaks, and nothing is lost or done twice.

use super::{CPE, Fixture};
use crate::harness::{LIMIT, LoginCounts, Server, on_each_server, until};

on_each_server!(
    a_request_during_a_break_is_delivered,
    a_lost_request_is_delivered_again,
    a_lost_answer_is_sent_again,
    a_stream_is_resumed_repeatedly,
    a_forgotten_stream_is_replaced_by_a_new_session,
);

/// The server has noticed the break, and keeps the request.
async fn a_request_during_a_break_is_delivered<S: Server>() {
    let mut fixture = Fixture::<S>::start(0).await;
    fixture.proxy.refuse_new();
    fixture.proxy.reset_connections();
    until("the server's view of the cut", LIMIT, || fixture.server.hibernates(CPE).then_some(())).await;
    fixture.send_request_in_vain().await;
    fixture.proxy.accept_new();
    fixture.answered_once().await;
    fixture.wait_resumed().await;
}

/// The server has written the request to a broken connection.
async fn a_lost_request_is_delivered_again<S: Server>() {
    let mut fixture = Fixture::<S>::start(0).await;
    fixture.proxy.stall();
    fixture.send_request_in_vain().await;
    fixture.proxy.reset_connections();
    fixture.answered_once().await;
    fixture.wait_resumed().await;
}

/// The daemon has received the request and notified the CWMP client, but its answer does not reach the server.
async fn a_lost_answer_is_sent_again<S: Server>() {
    let mut fixture = Fixture::<S>::start(0).await;
    fixture.proxy.stall_client();
    fixture.send_request_in_vain().await;
    // The presence was the first stanza.
    fixture.daemon.wait_for_value(1, "transmitted", "2").await;
    fixture.proxy.reset_connections();
    fixture.answered_once().await;
    fixture.wait_resumed().await;
}

async fn a_stream_is_resumed_repeatedly<S: Server>() {
    let mut fixture = Fixture::<S>::start(0).await;
    for round in 1..=5 {
        let mark = fixture.daemon.log().mark();
        fixture.proxy.reset_connections();
        let resumed = LoginCounts { bound: 1, resumed: round };
        until("the next resumption", LIMIT, || (fixture.server.login_counts(CPE) == resumed).then_some(())).await;
        // The server counts it before the daemon knows: a reset in between ends the attempt to resume.
        fixture.daemon.log().wait(mark, &["stream resumed"], LIMIT).await;
    }
    fixture.send_request().await;
    fixture.answered_once().await;
}

/// After a restart of the server there is nothing to resume: a new session is started.
async fn a_forgotten_stream_is_replaced_by_a_new_session<S: Server>() {
    let mut fixture = Fixture::<S>::start(0).await;
    fixture.server.kill().await;
    fixture.server.start_again().await;
    fixture.server.wait_client(CPE, LIMIT).await;
    let anew = LoginCounts { bound: 1, resumed: 0 };
    until("a session that is not resumed", LIMIT, || (fixture.server.login_counts(CPE) == anew).then_some(())).await;
    fixture.acs = fixture.server.raw_client("acs@a.test/r").await;
    fixture.send_request().await;
    fixture.answered_once().await;
}
