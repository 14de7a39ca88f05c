//! The events: `ubus listen xmppd.connection xmppd.request xmppd.config`.

use serde_json::{Value, json};

use super::object::published;
use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request, good_request};
use crate::harness::ubus::Listener;
use crate::harness::{ACS, CPE1, CPE2, Fixture, LIMIT, until};

/// `ubus listen` for all events of xmppd, once it is registered.
async fn listen(fixture: &Fixture) -> Listener {
    published(fixture.daemon.ubus()).await;
    let listener = fixture.daemon.ubus().listen("xmppd.*");
    until("the first event", LIMIT, || {
        fixture.daemon.ubus().call("xmppd", "reload", &json!({})).unwrap();
        (!listener.events().is_empty()).then_some(())
    })
    .await;
    listener
}

#[tokio::test]
async fn each_change_of_a_status_is_an_event() {
    let mut fixture = Fixture::start().await;
    let listener = listen(&fixture).await;
    fixture.edit(|settings| settings.set_connection(2, "enable", 0));
    let stopped = listener.wait("xmppd.connection", |data| data["status"] == "Disabled").await;
    let expected = json!({
        "connection": 2, "alias": "cpe-2", "status": "Disabled", "previous": "Enabled", "jid": CPE2, "error": "",
    });
    assert_eq!(stopped, expected);
    fixture.edit(|settings| settings.set_connection(2, "enable", 1));
    let connecting = listener.wait("xmppd.connection", |data| data["status"] == "Connecting").await;
    assert_eq!((&connecting["connection"], &connecting["previous"]), (&json!(2), &json!("Disabled")));
    let online = listener.wait("xmppd.connection", |data| data["status"] == "Enabled").await;
    assert_eq!((&online["previous"], &online["jid"]), (&json!("Connecting"), &json!(CPE2)));
    fixture.edit(|settings| settings.set_server(2, "port", 1));
    let failed = listener.wait("xmppd.connection", |data| data["status"] == "ServerNotPresent").await;
    assert!(!failed["error"].as_str().unwrap().is_empty(), "{failed}");
    let of_one = |event: &Value| event["xmppd.connection"]["connection"] == 1;
    assert!(!listener.events().iter().any(of_one), "{:?}", listener.events());
}

#[tokio::test]
async fn each_decision_and_each_reading_is_an_event() {
    let mut fixture = Fixture::start().await;
    let listener = listen(&fixture).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    assert_not_authorized(&fixture.ask_once(&connection_request(CPE2, "cpe-user", "wrong")).await);
    let accepted = listener.wait("xmppd.request", |data| data["outcome"] == "accepted").await;
    assert_eq!(accepted, json!({"connection": 1, "from": ACS, "outcome": "accepted"}));
    let refused = listener.wait("xmppd.request", |data| data["outcome"] == "refused_credentials").await;
    assert_eq!((&refused["connection"], &refused["from"]), (&json!(2), &json!(ACS)));

    fixture.edit(|settings| settings.set_connection(2, "interval", 77));
    let updated = listener.wait("xmppd.config", |data| data["updated"] == json!([2])).await;
    assert_eq!(
        (&updated["taken_up"], &updated["errors"], &updated["restarted"]),
        (&json!(true), &json!(0), &json!([]))
    );
    fixture.write("config\n");
    let refused = listener.wait("xmppd.config", |data| data["taken_up"] == false).await;
    assert_eq!(refused["line"], 1, "{refused}");
}

#[tokio::test]
async fn a_flood_of_requests_is_no_flood_of_events() {
    const REQUESTS: usize = 300;
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    let listener = listen(&fixture).await;
    let requests: Vec<String> = (0..REQUESTS).map(|_| good_request(CPE1)).collect();
    fixture.acs.send(&requests.concat()).await;
    for _ in 0..REQUESTS {
        assert_result(&fixture.acs.expect("<iq ").await);
    }
    // The next one that is sent counts the others; until there is room for it, it is left out itself.
    let mut asked = REQUESTS;
    let (sent, left_out) = loop {
        assert_result(&fixture.acs.ask(&good_request(CPE2)).await);
        asked += 1;
        let events = listener.events();
        let events: Vec<&Value> = events.iter().filter_map(|event| event.get("xmppd.request")).collect();
        let left_out: u64 = events.iter().filter_map(|event| event["left_out"].as_u64()).sum();
        if left_out > 0 && events.last().is_some_and(|last| last["connection"] == 2) {
            break (events.len(), usize::try_from(left_out).unwrap());
        }
        assert!(asked < 3 * REQUESTS, "{events:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(sent < REQUESTS / 2, "{sent}");
    // Those that were left out since the last event are not counted yet.
    assert!(sent + left_out <= asked && left_out >= REQUESTS / 2, "{sent} sent, {left_out} left out of {asked}");
}
