//! While the CWMP client hangs, everything else goes on.

use std::time::Duration;

use rustix::process::Signal;

use super::assert_told;
use crate::harness::proc::{children, wait_group_gone};
use crate::harness::stanzas::{
    assert_error, assert_not_authorized, assert_result, assert_unavailable, connection_request, connection_request_of,
    good_request, id, ping,
};
use crate::harness::{CPE1, CPE2, CommandProgram, How, LIMIT, Scene, Section, Wire, until};

/// A scene in which a request on the first connection waits for a CWMP client that hangs. Gives the request.
async fn start() -> (Scene, String) {
    let mut scene = Scene::with(|settings| settings.set("notify_timeout_ms", 10_000)).await;
    scene.daemon.ubus().hold();
    let request = good_request(CPE1);
    scene.acs.send(&request).await;
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    (scene, request)
}

/// These get a result, in any order, and nothing else comes.
async fn all_accepted(wire: &mut Wire, mut requests: Vec<String>) {
    while !requests.is_empty() {
        let answer = wire.next(LIMIT).await.expect("an answer");
        assert_result(&answer);
        let before = requests.len();
        requests.retain(|request| id(request) != id(&answer));
        assert_eq!(requests.len(), before - 1, "uninvited, or twice: {answer}");
    }
}

/// Fails unless the notification still hangs: what was just seen to happen did not wait for it.
fn assert_hangs(scene: &Scene) {
    let calls = scene.daemon.ubus().calls();
    assert_eq!((calls.len(), calls[0].status), (1, None), "{calls:?}");
}

#[tokio::test]
async fn pings_refusals_and_questions_are_answered_on_every_connection() {
    let (mut scene, first) = start().await;
    let mut other = scene.prosody.wire("other@a.test/r").await;
    for to in [CPE1, CPE2] {
        assert_eq!(scene.uninvited(to).await, [""; 0]);
        assert_result(&other.ask(&ping(to)).await);
        assert_not_authorized(&other.ask(&connection_request(to, "cpe-user", "wrong")).await);
        assert_error(&other.ask(&connection_request_of(to, "")).await, "modify", "bad-request", None);
        let disco = crate::harness::stanzas::iq("get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        assert!(other.ask(&disco).await.contains(" type='result'"));
        let unknown = crate::harness::stanzas::iq("get", to, "<query xmlns='jabber:iq:version'/>");
        assert_unavailable(&other.ask(&unknown).await);
    }
    assert_eq!(scene.daemon.statuses().await.len(), 2);
    assert_hangs(&scene);
    // Who is granted one in the meantime shares it, on the other connection too.
    let more = [good_request(CPE1), good_request(CPE2)];
    other.send(&more.concat()).await;
    for to in [CPE1, CPE2] {
        assert_result(&other.ask(&ping(to)).await);
    }
    assert_hangs(&scene);
    scene.daemon.ubus().release();
    all_accepted(&mut scene.acs, vec![first]).await;
    all_accepted(&mut other, more.to_vec()).await;
    assert_told(&scene, 1);
    scene.assert_both_same().await;
}

#[tokio::test]
async fn an_edit_is_taken_up() {
    let (mut scene, first) = start().await;
    scene.prosody.account("cpe3@a.test");
    for (how, alias) in [(How::InPlace, "first"), (How::Commit, "second")] {
        scene.by(how);
        scene.edit(|settings| settings.set_connection(1, "con_alias", alias));
        scene.daemon.wait_for_value(1, "alias", alias).await;
    }
    // Another sender alone is allowed from now on; who was granted a request before keeps it.
    scene.edit_rules(|settings| settings.set("allowed_jid", "other@a.test")).await;
    assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
    // Another connection.
    let third = "cpe3@a.test/third";
    let (connection, row) = (Section::connection(3, third, &scene.prosody), Section::server(3, &scene.prosody));
    scene.edit(|settings| {
        settings.set("id", "1 2 3");
        settings.connections.push(connection);
        settings.servers.push(row);
    });
    scene.prosody.wait_online(third, LIMIT).await;
    scene.daemon.wait_for_value(3, "status", "Enabled").await;
    let mut other = scene.prosody.wire("other@a.test/r").await;
    let shared = good_request(third);
    other.send(&shared).await;
    assert_result(&other.ask(&ping(third)).await);
    // Another way of telling, for the next one.
    scene
        .edit_rules(|settings| {
            settings.set("notify", "command");
            settings.set("notify_command", "/bin/false");
        })
        .await;
    assert_hangs(&scene);
    scene.daemon.ubus().release();
    all_accepted(&mut scene.acs, vec![first]).await;
    all_accepted(&mut other, vec![shared]).await;
    assert_told(&scene, 1);
    assert_unavailable(&other.ask(&good_request(third)).await);
    assert_told(&scene, 1);
    scene.assert_both_same().await;
}

/// The connection that asked first is taken away; the one that shares the notification gets its outcome.
#[tokio::test]
async fn a_connection_that_is_stopped_does_not_take_it_from_the_others() {
    let (mut scene, _) = start().await;
    let shared = good_request(CPE2);
    scene.acs.send(&shared).await;
    assert_result(&scene.acs.ask(&ping(CPE2)).await);
    scene.edit(|settings| settings.set_connection(1, "enable", 0));
    scene.wait_stop(CPE1).await;
    assert_hangs(&scene);
    scene.daemon.ubus().release();
    // What the server says in the name of who left is its own affair.
    let answer = scene.acs.expect(&id(&shared)).await;
    assert_result(&answer);
    assert_told(&scene, 1);
    scene.assert_same(CPE2).await;
}

#[tokio::test]
async fn the_end_of_the_process_is_the_end_of_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let command = CommandProgram::new(directory.path());
    command.does("sleep 1000");
    for signal in [Signal::TERM, Signal::INT] {
        let mut scene = Scene::with(|settings| {
            settings.set("notify_timeout_ms", 10_000);
            settings.set("notify", "command");
            settings.set("notify_command", command.path().display());
        })
        .await;
        let calls = command.calls();
        scene.acs.send(&good_request(CPE1)).await;
        until("a call", LIMIT, || (command.calls() > calls).then_some(())).await;
        let program = children(scene.daemon.pid());
        assert_eq!(program.len(), 1, "{program:?}");
        let (status, time) = scene.daemon.end(signal).await;
        assert!(status.success() && time < Duration::from_secs(3), "{status:?} after {time:?}");
        wait_group_gone(program[0].group, "the command").await;
    }
}

/// What was granted stays so, and the next request is checked against what the file says by then.
#[tokio::test]
async fn new_credentials_hold_for_the_next_request() {
    let (mut scene, first) = start().await;
    let mark = scene.daemon.log().mark();
    scene.daemon.cwmp().commit(&crate::harness::uci::text([&Section::cpe("cpe-user", "new-secret")]));
    scene.daemon.log().wait(mark, &["credentials taken over"], LIMIT).await;
    assert_not_authorized(&scene.ask_once(&good_request(CPE2)).await);
    let next = connection_request(CPE2, "cpe-user", "new-secret");
    scene.acs.send(&next).await;
    assert_result(&scene.acs.ask(&ping(CPE2)).await);
    assert_hangs(&scene);
    scene.daemon.ubus().release();
    all_accepted(&mut scene.acs, vec![first, next]).await;
    assert_told(&scene, 1);
}
