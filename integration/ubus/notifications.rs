//! How the CWMP client is notified on ubus, and the result of each answer.

use serde_json::{Value, json};

use crate::harness::stanzas::{assert_result, assert_unavailable, good_request};
use crate::harness::{CPE1, Fixture, LIMIT};

/// How a request ends.
enum Ends {
    Accepted,
    /// With these words in the log.
    Failed(&'static str),
}
use Ends::{Accepted, Failed};

async fn each(fixture: &mut Fixture, cases: Vec<(Value, Ends)>) {
    for (behaviour, ends) in cases {
        fixture.daemon.ubus().answer(&behaviour);
        let (mark, before) = (fixture.daemon.log().mark(), fixture.daemon.ubus().calls().len());
        let answer = fixture.ask_once(&good_request(CPE1)).await;
        match ends {
            Accepted => assert_result(&answer),
            Failed(words) => {
                assert_unavailable(&answer);
                fixture.daemon.log().wait(mark, &["NOTICE", "acs@a.test/r failed: ", words], LIMIT).await;
            }
        }
        let calls = fixture.daemon.ubus().calls();
        assert_eq!(calls.len(), before + 1, "{behaviour}");
        assert!(calls[before].announces_a_request(), "{behaviour}: {calls:?}");
    }
}

async fn fixture() -> Fixture {
    Fixture::with(|settings| settings.set("connreq_limit", 0)).await
}

#[tokio::test]
async fn the_cwmp_clients_of_three_firmwares_take_the_event() {
    let mut fixture = fixture().await;
    let kinds = ["icwmp2018", "icwmp2022", "easycwmp"];
    each(&mut fixture, kinds.map(|kind| (json!({"kind": kind}), Accepted)).into()).await;
    assert_eq!(fixture.daemon.count(1, "accepted").await, 3);
}

#[tokio::test]
async fn each_answer_comes_to_what_the_table_says() {
    let mut fixture = fixture().await;
    let replies = |table: Value| json!({"replies": [table]});
    let queued = "Session already running, event will be sent at the end of the session";
    let says = "the CWMP client says: not able to get the event code";
    let no_number = "the CWMP client's answer has a status that is no number";
    let cases = vec![
        (json!({"replies": []}), Accepted),
        (replies(json!({})), Accepted),
        (replies(json!({"info": "no status"})), Accepted),
        (replies(json!({"status": 0})), Accepted),
        (replies(json!({"status": 1, "info": "Session started"})), Accepted),
        (replies(json!({"status": "1"})), Accepted),
        (replies(json!({"status": {"!int64": 1}})), Accepted),
        (replies(json!({"status": {"!int16": 0}})), Accepted),
        (replies(json!({"status": -1, "info": queued})), Accepted),
        (json!({"fate": "twice"}), Accepted),
        (json!({"delay": 0.3}), Accepted),
        (replies(json!({"status": -1, "info": "not able to get the event code"})), Failed(says)),
        (replies(json!({"status": "-1", "info": "not able to get the event code"})), Failed(says)),
        (replies(json!({"status": {"!int64": -1}, "info": "no"})), Failed("the CWMP client says: no")),
        (replies(json!({"status": -7})), Failed("the CWMP client says: status -7")),
        (replies(json!({"status": -1, "info": ["no", "text"]})), Failed("the CWMP client says: status -1")),
        (replies(json!({"status": "well"})), Failed(no_number)),
        (replies(json!({"status": [1]})), Failed(no_number)),
        (replies(json!({"status": {"!double": 1.0}})), Failed(no_number)),
        (json!({"replies": [{"status": 1}, {"status": -1, "info": "not able to get the event code"}]}), Failed(says)),
        (json!({"replies": [], "status": 2}), Failed("the call on ubus failed: Invalid argument")),
        (json!({"status": 6}), Failed("the call on ubus failed: Permission denied")),
        (json!({"status": 99}), Failed("the call on ubus failed: status 99")),
    ];
    each(&mut fixture, cases).await;
    fixture.daemon.ubus().behave();
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_eq!((fixture.daemon.count(1, "accepted").await, fixture.daemon.count(1, "notify_failed").await), (12, 12));
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn one_that_never_answers_or_dies_during_the_call_is_unavailable_in_time() {
    let mut fixture = fixture().await;
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", 1500)).await;
    let fates = ["never", "die"].map(|fate| (json!({"fate": fate}), Failed("no answer on ubus within 1500 ms")));
    each(&mut fixture, fates.into()).await;
    fixture.edit_rules(|settings| settings.set("notify_timeout_ms", 10_000)).await;
    // It is gone from the bus, and then there again, under another id.
    assert_unavailable(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.wait_for_log(&["NOTICE", "no object 'tr069' on ubus"], LIMIT).await;
    fixture.daemon.ubus().behave();
    fixture.daemon.ubus().start_client();
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.daemon.ubus().kill_client();
    fixture.daemon.ubus().start_client();
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.assert_same_streams().await;
}
