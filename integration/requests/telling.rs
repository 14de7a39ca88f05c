//! The CWMP client is told before the answer, once at a time, and not too often.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::assert_told;
use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{
    assert_not_authorized, assert_result, assert_unavailable, connection_request, good_request, id, ping,
};
use crate::harness::{CPE1, CPE2, LIMIT, Scene};

#[tokio::test]
async fn a_request_gets_its_result_after_exactly_one_call_of_the_cwmp_client() {
    let mut scene = Scene::start().await;
    let answer = scene.ask_once(&good_request(CPE1)).await;
    assert_result(&answer);
    assert!(answer.contains(" from='cpe1@a.test/wan'") && answer.contains(" to='acs@a.test/r'"), "{answer}");
    let calls = scene.daemon.ubus().calls();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].announces_a_request(), "{calls:?}");
    assert_eq!(calls[0].status, Some(0));
    assert_eq!((scene.daemon.count(1, "accepted").await, scene.daemon.count(2, "accepted").await), (1, 0));
    scene.daemon.stop_and_look_for(&["cpe-secret", PASSWORD]).await;
    let accepted = scene.daemon.log().since(0, &["NOTICE", "connection 1", "acs@a.test/r", "accepted"]);
    assert_eq!(accepted.len(), 1, "{accepted:?}");
}

#[tokio::test]
async fn a_cwmp_client_that_says_no_or_is_not_there_is_unavailable() {
    let mut scene = Scene::start().await;
    scene.daemon.ubus().fail_with(9);
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 1);
    scene
        .daemon
        .wait_for_log(&["NOTICE", "acs@a.test/r", "failed: the call on ubus failed: Unknown error"], LIMIT)
        .await;
    scene.daemon.ubus().behave();
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 2);
    scene.daemon.ubus().kill_client();
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    scene.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "no object 'tr069' on ubus"], LIMIT).await;
    scene.daemon.ubus().start_client();
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 3);
    assert_eq!(scene.daemon.count(1, "notify_failed").await, 2);
    scene.assert_both_same().await;
}

#[tokio::test]
async fn a_cwmp_client_that_takes_too_long_is_unavailable_in_time() {
    let mut scene = Scene::with(|settings| settings.set("notify_timeout_ms", 300)).await;
    scene.daemon.ubus().hold();
    let start = Instant::now();
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert!(start.elapsed() >= Duration::from_millis(300));
    scene.daemon.wait_for_log(&["NOTICE", "acs@a.test/r", "no answer on ubus within 300 ms"], LIMIT).await;
    scene.daemon.ubus().release();
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    // The late answer of the first one is nobody's.
    assert_told(&scene, 2);
}

#[tokio::test]
async fn requests_that_arrive_while_one_is_under_way_share_its_call_and_delay_nobody() {
    let mut scene = Scene::with(|settings| {
        settings.set("notify_timeout_ms", 10000);
        settings.set("connreq_limit", 1);
    })
    .await;
    let mut other = scene.prosody.wire("other@a.test/r").await;
    scene.daemon.ubus().hold();
    let first = good_request(CPE1);
    scene.acs.send(&first).await;
    scene.daemon.ubus().wait_calls(1, LIMIT).await;
    let (mut ours, mut theirs) = (vec![first], Vec::new());
    for n in 0..10 {
        let to = if n % 2 == 0 { CPE1 } else { CPE2 };
        ours.push(good_request(to));
        scene.acs.send(&ours[ours.len() - 1]).await;
        theirs.push(good_request(to));
        other.send(&theirs[n]).await;
    }
    // Not everybody who asks in the meantime gets a yes.
    assert_not_authorized(&other.ask(&connection_request(CPE2, "cpe-user", "wrong")).await);
    // The pings overtake the requests: these have been read, and wait.
    for to in [CPE1, CPE2] {
        assert_eq!(scene.uninvited(to).await, [""; 0]);
        assert_result(&other.ask(&ping(to)).await);
    }
    scene.daemon.ubus().release();
    for (wire, requests) in [(&mut scene.acs, ours), (&mut other, theirs)] {
        let mut answers = Vec::new();
        for _ in &requests {
            answers.push(wire.expect("<iq ").await);
        }
        for request in requests {
            let answer = answers.iter().find(|answer| answer.contains(&id(&request)));
            assert_result(answer.unwrap_or_else(|| panic!("no answer to {request}")));
        }
    }
    assert_told(&scene, 1);
    // The next one is a call of its own, which is one more than the limit.
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 1);
}

#[tokio::test]
async fn over_the_limit_nothing_is_run_and_what_was_refused_does_not_count() {
    let mut scene = Scene::with(|settings| {
        settings.set("connreq_limit", 2);
        settings.set("connreq_period", 86400);
    })
    .await;
    for _ in 0..3 {
        assert_not_authorized(&scene.ask_once(&connection_request(CPE1, "cpe-user", "wrong")).await);
    }
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    assert_result(&scene.ask_once(&good_request(CPE2)).await);
    // The limit is the CWMP client's, not a connection's.
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert_unavailable(&scene.ask_once(&good_request(CPE2)).await);
    assert_told(&scene, 2);
    assert_eq!((scene.daemon.count(1, "refused_limit").await, scene.daemon.count(2, "refused_limit").await), (1, 1));
}

#[tokio::test]
async fn a_command_is_run_without_a_shell_and_told_for_whom() {
    let directory = tempfile::tempdir().unwrap();
    let (script, out) = (directory.path().join("tell"), directory.path().join("out"));
    let text = format!(
        "#!/bin/sh\n{{ cat /proc/$$/cmdline; env; }} > '{0}.given'\nprintf '%s|' \"$@\" \"$XMPPD_CONNECTION\" \"$XMPPD_ALIAS\" \"$XMPPD_FROM\" > '{0}.new'\n\
         echo said-by-the-command\nmv '{0}.new' '{0}'\nexit \"$(cat '{0}.status')\"\n",
        out.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let status = out.with_extension("status");
    std::fs::write(&status, "0").unwrap();

    let mut scene = Scene::with(|settings| {
        settings.set("notify", "command");
        settings.set("notify_command", format!(r#"{} 'two words' $HOME "*" ;true"#, script.display()));
        settings.set_connection(1, "con_alias", "the 'first' $(one)");
    })
    .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    let told = std::fs::read_to_string(&out).unwrap();
    assert_eq!(told, "two words|$HOME|*|;true|1|the 'first' $(one)|acs@a.test/r|");
    let given = String::from_utf8(std::fs::read(out.with_extension("given")).unwrap()).unwrap();
    assert!(given.contains("two words") && given.contains("XMPPD_ALIAS=the 'first'"), "{given}");
    for secret in [PASSWORD, "cpe-secret"] {
        assert!(!given.contains(secret), "{given}");
    }
    assert_result(&scene.ask_once(&good_request(CPE2)).await);
    assert!(std::fs::read_to_string(&out).unwrap().ends_with("|2|cpe-2|acs@a.test/r|"));
    scene.daemon.wait_for_log(&["DEBUG", "said-by-the-command"], LIMIT).await;
    std::fs::write(&status, "1").unwrap();
    assert_unavailable(&scene.ask_once(&good_request(CPE1)).await);
    assert_told(&scene, 0);
}
