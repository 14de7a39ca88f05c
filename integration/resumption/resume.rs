//! A connection breaks, and nothing is lost or done twice.

use super::{CPE, Scene};
use crate::harness::{Entries, LIMIT, Server, on_each_server, until};

on_each_server!(
    a_request_while_the_connection_is_cut,
    a_request_lost_on_its_way,
    an_answer_lost_on_its_way,
    a_connection_that_breaks_again_and_again,
    a_server_that_forgot_the_stream,
);

/// The server knows that the connection is gone, and keeps the request.
async fn a_request_while_the_connection_is_cut<S: Server>() {
    let mut scene = Scene::<S>::start(0).await;
    scene.gate.shut();
    scene.gate.cut();
    until("the server's view of the cut", LIMIT, || scene.server.hibernates(CPE).then_some(())).await;
    scene.send_request_in_vain().await;
    scene.gate.open();
    scene.answered_once().await;
    scene.wait_resumed().await;
}

/// The server has written the request to a connection that is dead already.
async fn a_request_lost_on_its_way<S: Server>() {
    let mut scene = Scene::<S>::start(0).await;
    scene.gate.hold();
    scene.send_request_in_vain().await;
    scene.gate.cut();
    scene.answered_once().await;
    scene.wait_resumed().await;
}

/// The daemon has got the request and told the CWMP client, and its answer never reaches the server.
async fn an_answer_lost_on_its_way<S: Server>() {
    let mut scene = Scene::<S>::start(0).await;
    scene.gate.hold_client();
    scene.send_request_in_vain().await;
    // The presence was the first.
    scene.daemon.wait_for_value(1, "transmitted", "2").await;
    scene.gate.cut();
    scene.answered_once().await;
    scene.wait_resumed().await;
}

async fn a_connection_that_breaks_again_and_again<S: Server>() {
    let mut scene = Scene::<S>::start(0).await;
    for round in 1..=5 {
        scene.gate.cut();
        let resumed = Entries { bound: 1, resumed: round };
        until("the next resumption", LIMIT, || (scene.server.entries(CPE) == resumed).then_some(())).await;
    }
    scene.send_request().await;
    scene.answered_once().await;
}

/// After a restart of the server there is nothing to resume: a new session, and no trace of the old one.
async fn a_server_that_forgot_the_stream<S: Server>() {
    let mut scene = Scene::<S>::start(0).await;
    scene.server.kill().await;
    scene.server.start_again().await;
    scene.server.wait_client(CPE, LIMIT).await;
    let anew = Entries { bound: 1, resumed: 0 };
    until("a session that is not resumed", LIMIT, || (scene.server.entries(CPE) == anew).then_some(())).await;
    scene.acs = scene.server.raw("acs@a.test/r").await;
    scene.send_request().await;
    scene.answered_once().await;
}
