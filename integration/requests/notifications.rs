//! The CWMP client is notified before the answer, one call at a time, and within the limit.

use super::assert_notified;
use crate::harness::notify_command::write_executable;
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request, ping,
};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, Server};

#[tokio::test]
async fn a_request_is_accepted_after_exactly_one_call() {
    let mut fixture = Fixture::start().await;
    let answer = fixture.ask_once(&good_request(CPE1)).await;
    assert_result(&answer);
    assert!(answer.contains(" from='cpe1@a.test/wan'") && answer.contains(" to='acs@a.test/r'"), "{answer}");
    let calls = fixture.daemon.ubus().calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].announces_a_request(), "{calls:?}");
    assert_eq!(calls[0].status, Some(0));
    assert_eq!((fixture.daemon.count(1, "accepted").await, fixture.daemon.count(2, "accepted").await), (1, 0));
    fixture.daemon.stop_and_assert_not_logged(&["cpe-secret", PASSWORD]).await;
    let accepted = fixture.daemon.log().since(0, &["NOTICE", "connection 1", "acs@a.test/r", "accepted"]);
    assert_eq!(accepted.len(), 1, "{accepted:?}");
}

#[tokio::test]
async fn a_refusing_or_missing_cwmp_client_makes_requests_unavailable() {
    let mut fixture = Fixture::start().await;
    fixture.daemon.ubus().fail_with(9);
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 1);
    fixture
        .daemon
        .wait_for_log(&["NOTICE", "acs@a.test/r", "failed: the call on ubus failed: Unknown error"], LIMIT)
        .await;
    fixture.daemon.ubus().behave();
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 2);
    fixture.daemon.ubus().kill_client();
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "no object 'tr069' on ubus"], LIMIT).await;
    fixture.daemon.ubus().start_client();
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 3);
    assert_eq!(fixture.daemon.count(1, "notify_failed").await, 2);
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn a_slow_cwmp_client_makes_requests_unavailable_in_time() {
    let mut fixture = Fixture::with(|settings| settings.set("notify_timeout_ms", 1500)).await;
    fixture.daemon.ubus().hold();
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "no answer on ubus within 1500 ms"], LIMIT).await;
    fixture.daemon.ubus().release();
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", 10_000)).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    // The late answer to the first call is discarded.
    assert_notified(&fixture, 2);
}

#[tokio::test]
async fn concurrent_requests_share_a_call_and_delay_no_other_stanza() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 1)).await;
    let mut other = fixture.prosody.raw_client("other@a.test/r").await;
    fixture.daemon.ubus().hold();
    let first = good_request(CPE1);
    fixture.acs.send(&first).await;
    fixture.daemon.ubus().wait_calls(1, LIMIT).await;
    let (mut ours, mut theirs) = (vec![first], Vec::new());
    for n in 0..10 {
        let to = if n % 2 == 0 { CPE1 } else { CPE2 };
        ours.push(good_request(to));
        fixture.acs.send(&ours[ours.len() - 1]).await;
        theirs.push(good_request(to));
        other.send(&theirs[n]).await;
    }
    // Requests that share the call are not all accepted.
    assert_not_authorized(&other.ask(&connection_request(CPE2, "cpe-user", "wrong")).await);
    // The pings overtake the requests: these have been read and wait.
    for to in [CPE1, CPE2] {
        assert_eq!(fixture.unsolicited(to).await, [""; 0]);
        assert_result(&other.ask(&ping(to)).await);
    }
    fixture.daemon.ubus().release();
    for (wire, requests) in [(&mut fixture.acs, ours), (&mut other, theirs)] {
        for answer in wire.answers(&requests).await {
            assert_result(&answer);
        }
    }
    assert_notified(&fixture, 1);
    // The next request is a new call, which exceeds the limit.
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 1);
}

#[tokio::test]
async fn over_the_limit_there_is_no_call_and_refusals_do_not_count() {
    let mut fixture = Fixture::with(|settings| {
        settings.set("connreq_limit", 2);
        settings.set("connreq_period", 86400);
    })
    .await;
    for _ in 0..3 {
        assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, "cpe-user", "wrong")).await);
    }
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    // The limit applies to the CWMP client, not to a connection.
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    assert_unavailable(&fixture.ask_once(&good_request(CPE2)).await);
    assert_notified(&fixture, 2);
    assert_eq!(
        (fixture.daemon.count(1, "refused_limit").await, fixture.daemon.count(2, "refused_limit").await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_command_is_run_without_a_shell_and_gets_the_connection_and_sender() {
    let directory = tempfile::tempdir().unwrap();
    let (script, out) = (directory.path().join("tell"), directory.path().join("out"));
    let text = format!(
        "#!/bin/sh\n{{ cat /proc/$$/cmdline; env; }} > '{0}.given'\nprintf '%s|' \"$@\" \"$XMPPD_CONNECTION\" \"$XMPPD_ALIAS\" \"$XMPPD_FROM\" > '{0}.new'\n\
         echo said-by-the-command\nmv '{0}.new' '{0}'\nexit \"$(cat '{0}.status')\"\n",
        out.display()
    );
    write_executable(&script, &text);
    let status = out.with_extension("status");
    std::fs::write(&status, "0").unwrap();

    let mut fixture = Fixture::with(|settings| {
        settings.set("notify", "command");
        settings.set("notify_command", format!(r#"{} 'two words' $HOME "*" ;true"#, script.display()));
        settings.set_connection(1, "con_alias", "the 'first' $(one)");
    })
    .await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    let told = std::fs::read_to_string(&out).unwrap();
    assert_eq!(told, "two words|$HOME|*|;true|1|the 'first' $(one)|acs@a.test/r|");
    let given = String::from_utf8(std::fs::read(out.with_extension("given")).unwrap()).unwrap();
    assert!(given.contains("two words") && given.contains("XMPPD_ALIAS=the 'first'"), "{given}");
    for secret in [PASSWORD, "cpe-secret"] {
        assert!(!given.contains(secret), "{given}");
    }
    assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    assert!(std::fs::read_to_string(&out).unwrap().ends_with("|2|cpe-2|acs@a.test/r|"));
    fixture.daemon.wait_for_log(&["DEBUG", "said-by-the-command"], LIMIT).await;
    std::fs::write(&status, "1").unwrap();
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    assert_notified(&fixture, 0);
}
