//! While the CWMP client hangs, everything else works.

use rustix::process::Signal;

use super::assert_notified;
use crate::harness::proc::{children, wait_group_gone};
use crate::harness::stanzas::{
    assert_error, assert_not_authorized, assert_result, assert_unavailable, connection_request, connection_request_of,
    good_request, id, ping,
};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, NotifyCommand, RawClient, Server, WriteMethod, until};

/// Starts a fixture in which a request on connection 1 waits for a hanging CWMP client. Returns the request.
async fn start() -> (Fixture, String) {
    let mut fixture = Fixture::start().await;
    let request = hang(&mut fixture).await;
    (fixture, request)
}

/// Has a request on connection 1 wait for a hanging CWMP client. Returns the request. It fails after 10 s: what takes long is
/// done before.
async fn hang(fixture: &mut Fixture) -> String {
    fixture.daemon.ubus().hold();
    let request = good_request(CPE1);
    fixture.acs.send(&request).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    request
}

/// Waits for a result for each of these requests, in any order; fails if anything else arrives.
async fn all_accepted(wire: &mut RawClient, requests: &[String]) {
    for answer in wire.answers(requests).await {
        assert_result(&answer);
    }
}

/// Fails unless the notification still hangs, which shows that nothing before waited for it.
fn assert_hangs(fixture: &Fixture) {
    let calls = fixture.daemon.ubus().calls();
    assert_eq!((calls.len(), calls[0].status), (1, None), "{calls:?}");
}

#[tokio::test]
async fn other_requests_are_answered_on_every_connection() {
    let mut fixture = Fixture::start().await;
    let mut other = fixture.prosody.raw_client("other@a.test/r").await;
    let first = hang(&mut fixture).await;
    for to in [CPE1, CPE2] {
        assert_eq!(fixture.unsolicited(to).await, [""; 0]);
        assert_result(&other.ask(&ping(to)).await);
        assert_not_authorized(&other.ask(&connection_request(to, "cpe-user", "wrong")).await);
        assert_error(&other.ask(&connection_request_of(to, "")).await, "modify", "bad-request", None);
        let disco = crate::harness::stanzas::iq("get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        assert!(other.ask(&disco).await.contains(" type='result'"));
        let unknown = crate::harness::stanzas::iq("get", to, "<query xmlns='jabber:iq:version'/>");
        assert_unavailable(&other.ask(&unknown).await);
    }
    assert_eq!(fixture.daemon.statuses().await.len(), 2);
    assert_hangs(&fixture);
    // Requests granted meanwhile share the notification, on the other connection as well.
    let more = [good_request(CPE1), good_request(CPE2)];
    other.send(&more.concat()).await;
    for to in [CPE1, CPE2] {
        assert_result(&other.ask(&ping(to)).await);
    }
    assert_hangs(&fixture);
    fixture.daemon.ubus().release();
    all_accepted(&mut fixture.acs, &[first]).await;
    all_accepted(&mut other, &more).await;
    assert_notified(&fixture, 1);
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn an_edit_is_applied() {
    let mut fixture = Fixture::start().await;
    fixture.prosody.account("cpe3@a.test");
    let mut other = fixture.prosody.raw_client("other@a.test/r").await;
    let first = hang(&mut fixture).await;
    for (method, alias) in [(WriteMethod::InPlace, "first"), (WriteMethod::Commit, "second")] {
        fixture.set_write_method(method);
        fixture.edit(|settings| settings.set_connection(1, "con_alias", alias));
        fixture.daemon.wait_for_value(1, "alias", alias).await;
    }
    // From now on only another sender is allowed; requests already granted are still answered.
    fixture.edit_rules(|settings| settings.set("allowed_jid", "other@a.test")).await;
    assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
    // Another connection accepts requests.
    let third = "cpe3@a.test/third";
    fixture.settings.add(3, third, &fixture.prosody);
    fixture.edit(|settings| settings.set("id", "1 2 3"));
    fixture.prosody.wait_online(third, LIMIT).await;
    fixture.daemon.wait_for_value(3, "status", "Enabled").await;
    let shared = good_request(third);
    other.send(&shared).await;
    assert_result(&other.ask(&ping(third)).await);
    // Another way of notifying, for the next request.
    fixture
        .edit_rules(|settings| {
            settings.set("notify", "command");
            settings.set("notify_command", "/bin/false");
        })
        .await;
    assert_hangs(&fixture);
    fixture.daemon.ubus().release();
    all_accepted(&mut fixture.acs, &[first]).await;
    all_accepted(&mut other, &[shared]).await;
    assert_notified(&fixture, 1);
    assert_unavailable(&other.ask(&good_request(third)).await);
    assert_notified(&fixture, 1);
    fixture.assert_same_streams().await;
}

/// The connection that received the first request is removed; the one that shares the notification gets its result.
#[tokio::test]
async fn stopping_a_connection_does_not_cancel_the_notification() {
    let (mut fixture, _) = start().await;
    let shared = good_request(CPE2);
    fixture.acs.send(&shared).await;
    assert_result(&fixture.acs.ask(&ping(CPE2)).await);
    fixture.edit(|settings| settings.set_connection(1, "enable", 0));
    fixture.wait_stop(CPE1).await;
    assert_hangs(&fixture);
    fixture.daemon.ubus().release();
    // What the server answers for a client that left does not matter.
    let answer = fixture.acs.expect(&id(&shared)).await;
    assert_result(&answer);
    assert_notified(&fixture, 1);
    fixture.assert_same_stream(CPE2).await;
}

#[tokio::test]
async fn the_command_is_killed_when_the_process_ends() {
    let directory = tempfile::tempdir().unwrap();
    let command = NotifyCommand::new(directory.path());
    command.on_call("sleep 1000");
    for signal in [Signal::TERM, Signal::INT] {
        let mut fixture = Fixture::with(|settings| {
            settings.set("notify", "command");
            settings.set("notify_command", command.path().display());
        })
        .await;
        let calls = command.calls();
        fixture.acs.send(&good_request(CPE1)).await;
        until("a call", LIMIT, || (command.calls() > calls).then_some(())).await;
        let program = children(fixture.daemon.pid());
        assert_eq!(program.len(), 1, "{program:?}");
        assert!(fixture.daemon.end(signal).await.success());
        wait_group_gone(program[0].group, "the command").await;
    }
}

/// A granted request is still answered, and the next one is checked against the new credentials.
#[tokio::test]
async fn new_credentials_apply_to_the_next_request() {
    let (mut fixture, first) = start().await;
    fixture.daemon.set_credentials("cpe-user", "new-secret").await;
    assert_not_authorized(&fixture.ask_once(&good_request(CPE2)).await);
    let next = connection_request(CPE2, "cpe-user", "new-secret");
    fixture.acs.send(&next).await;
    assert_result(&fixture.acs.ask(&ping(CPE2)).await);
    assert_hangs(&fixture);
    fixture.daemon.ubus().release();
    all_accepted(&mut fixture.acs, &[first, next]).await;
    assert_notified(&fixture, 1);
}
