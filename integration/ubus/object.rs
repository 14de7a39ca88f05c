//! The object `xmppd`: `ubus call xmppd status`, `tr181`, `reconnect`, `reload` and `check`.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::ubus::Ubus;
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, until};

/// Exit statuses of the program `ubus` for a call that ends with a status of 2, 3 and 4.
const INVALID_ARGUMENT: i32 = 254;
const METHOD_NOT_FOUND: i32 = 253;
const NOT_FOUND: i32 = 252;

/// Waits until the object is published.
pub(super) async fn published(ubus: &Ubus) {
    until("the object xmppd", LIMIT, || ubus.run(&["list", "xmppd"]).status.success().then_some(())).await;
}

fn call(fixture: &Fixture, method: &str, arguments: &Value) -> Result<Value, i32> {
    fixture.daemon.ubus().call("xmppd", method, arguments).map_err(|(status, _)| status)
}

/// The document without what changes from one moment to the next.
fn settled(mut document: Value) -> Value {
    document["daemon"].as_object_mut().unwrap().remove("uptime").unwrap();
    document
}

#[tokio::test]
async fn status_is_the_document_of_the_command_line() {
    let fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    let by_ubus = settled(call(&fixture, "status", &json!({})).unwrap());
    let by_socket: Value = serde_json::from_str(&fixture.daemon.ask("status json").await).unwrap();
    assert_eq!(by_ubus, settled(by_socket));
    assert_eq!(by_ubus["daemon"]["ubus"]["connected"], true);
    assert_eq!(by_ubus["daemon"]["restarts"]["router"], 0);
    let connections = by_ubus["connections"].as_array().unwrap();
    assert_eq!(connections.len(), 2);
    assert_eq!((&connections[0]["status"], &connections[0]["jid"]), (&json!("Enabled"), &json!(CPE1)));
    let two = call(&fixture, "status", &json!({"connection": 2})).unwrap();
    assert_eq!(two["connections"], json!([connections[1]]));
}

#[tokio::test]
async fn wrong_calls_end_with_their_status() {
    let fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    for (method, arguments, expected) in [
        ("status", json!({"connection": 7}), NOT_FOUND),
        ("reconnect", json!({"connection": 7}), NOT_FOUND),
        ("status", json!({"connection": "1"}), INVALID_ARGUMENT),
        ("reconnect", json!({"connection": true}), INVALID_ARGUMENT),
        ("reconnect", json!({"conection": 1}), INVALID_ARGUMENT),
        ("tr181", json!({"connection": 1}), INVALID_ARGUMENT),
        ("dance", json!({}), METHOD_NOT_FOUND),
    ] {
        assert_eq!(call(&fixture, method, &arguments), Err(expected), "{method} {arguments}");
    }
    assert!(call(&fixture, "status", &json!({"ubus_rpc_session": "0"})).is_ok(), "as rpcd calls");
}

#[tokio::test]
async fn tr181_says_how_the_acs_reaches_the_device() {
    let fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    let parameters = call(&fixture, "tr181", &json!({})).unwrap();
    for (name, value) in [
        ("Device.ManagementServer.ConnReqXMPPConnection", "Device.XMPP.Connection.1"),
        ("Device.ManagementServer.ConnReqJabberID", CPE1),
        ("Device.XMPP.ConnectionNumberOfEntries", "2"),
        ("Device.XMPP.Connection.2.Status", "Enabled"),
        ("Device.XMPP.Connection.2.JabberID", CPE2),
        ("Device.XMPP.Connection.2.Password", ""),
        ("Device.XMPP.Connection.2.Server.1.ServerAddress", "127.0.0.1"),
    ] {
        assert_eq!(parameters[name], value, "{name}: {parameters}");
    }
}

fn jid_for_requests(fixture: &Fixture) -> Value {
    call(fixture, "tr181", &json!({})).unwrap()["Device.ManagementServer.ConnReqJabberID"].clone()
}

#[tokio::test]
async fn the_jid_for_requests_stays_while_the_stream_is_down_and_over_a_restart() {
    let mut fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    fixture.edit(|settings| settings.set_server(1, "port", 1));
    fixture.daemon.wait_for_status(1, "not online", |status| status.word() != "Enabled").await;
    assert_eq!(jid_for_requests(&fixture), CPE1);
    fixture.daemon.end(Signal::KILL).await;
    fixture.daemon.start_again();
    published(fixture.daemon.ubus()).await;
    assert_eq!(jid_for_requests(&fixture), CPE1);
    assert_ne!(fixture.daemon.status(1).await.word(), "Enabled");
    // Another account has another JID; one that is disabled has none.
    fixture.edit(|settings| settings.set_connection(1, "username", "other"));
    until("no JID", LIMIT, || (jid_for_requests(&fixture) == "").then_some(())).await;
}

#[tokio::test]
async fn a_malformed_file_of_jids_is_ignored_with_a_warning() {
    let mut fixture = Fixture::start().await;
    let file = fixture.daemon.socket().with_extension("jids");
    assert!(std::fs::read_to_string(&file).unwrap().contains(CPE1));
    fixture.daemon.stop().await;
    std::fs::write(&file, b"\0nonsense\n").unwrap();
    fixture.daemon.start_again();
    fixture.daemon.wait_for_log(&["WARNING", "JIDs of the last run", "xmppd.jids:1: malformed"], LIMIT).await;
    fixture.daemon.wait_for_value(1, "status", "Enabled").await;
    fixture.daemon.wait_for_value(2, "status", "Enabled").await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(CPE1) && text.contains(CPE2), "{text}");
}

#[tokio::test]
async fn reconnect_shortens_the_wait_of_one_connection_or_all() {
    let mut fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    fixture.edit(|settings| {
        for id in [1, 2] {
            settings.set_server(id, "port", 1);
            settings.set_connection(id, "domain", "127.0.0.1");
            settings.set_connection(id, "initial_retry_interval", 600);
            settings.set_connection(id, "retry_max_interval", 600);
        }
    });
    for id in [1, 2] {
        fixture.daemon.wait_for_status(id, "waiting", |status| status.next_attempt().is_some()).await;
    }
    let mark = fixture.daemon.log().mark();
    assert_eq!(call(&fixture, "reconnect", &json!({"connection": 2})), Ok(Value::Null));
    fixture.daemon.log().wait(mark, &["connection 2 ", "asked to reconnect"], LIMIT).await;
    assert_eq!(fixture.daemon.log().since(mark, &["connection 1 ", "asked to reconnect"]), [""; 0]);
    assert_eq!(call(&fixture, "reconnect", &json!({})), Ok(Value::Null));
    fixture.daemon.log().wait(mark, &["connection 1 ", "asked to reconnect"], LIMIT).await;
}

#[tokio::test]
async fn reload_says_what_changed_or_why_the_file_is_refused() {
    let mut fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    let unchanged = call(&fixture, "reload", &json!({})).unwrap();
    assert_eq!(
        (&unchanged["taken_up"], &unchanged["changes"], &unchanged["errors"]),
        (&json!(true), &json!(""), &json!(0))
    );
    assert_eq!(unchanged["cwmp"], json!({"taken_up": true}));
    assert_eq!(fixture.daemon.ask("reload").await, "taken up: no changes\n");

    fixture.write("config xmpp 'xmpp'\n\toption enable 'x\n");
    let refused = call(&fixture, "reload", &json!({})).unwrap();
    assert_eq!((&refused["taken_up"], &refused["line"]), (&json!(false), &json!(2)), "{refused}");
    assert!(refused["column"].is_u64() && refused["error"].as_str().unwrap().contains("xmpp:2:"), "{refused}");
    let text = fixture.daemon.ask("reload").await;
    assert!(text.starts_with("error: ") && text.contains("xmpp:2:"), "{text}");
    let status = call(&fixture, "status", &json!({})).unwrap();
    assert_eq!(status["daemon"]["config"]["error"], refused["error"]);

    fixture.edit(|settings| settings.set_connection(2, "interval", "ten"));
    let partly = call(&fixture, "reload", &json!({})).unwrap();
    assert_eq!((&partly["taken_up"], &partly["errors"]), (&json!(true), &json!(1)), "{partly}");
    assert_eq!(
        (&partly["problems"][0]["option"], &partly["problems"][0]["value"]),
        (&json!("interval"), &json!("ten"))
    );
    let status = call(&fixture, "status", &json!({})).unwrap();
    assert!(status["connections"][1]["refused"].as_str().unwrap().contains("interval"), "{status}");
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn check_says_what_the_command_line_says() {
    let mut fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    let good = call(&fixture, "check", &json!({})).unwrap();
    assert_eq!((&good["accepted"], &good["older_names"]), (&json!(true), &json!([])), "{good}");
    fixture.edit(|settings| settings.set_connection(2, "interval", "ten"));
    let by_ubus = call(&fixture, "check", &json!({})).unwrap();
    assert_eq!(by_ubus["accepted"], false);
    let program = crate::harness::program::xmppd();
    let output = crate::harness::process::command(program)
        .args(["check", "--json"])
        .arg(fixture.daemon.xmpp().path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(by_ubus, serde_json::from_slice::<Value>(&output.stdout).unwrap());
}

#[tokio::test]
async fn a_call_during_a_crash_of_the_config_actor_is_answered() {
    let fixture = Fixture::start().await;
    published(fixture.daemon.ubus()).await;
    fixture.daemon.crash("config").await;
    // It waits for the next incarnation.
    assert_eq!(call(&fixture, "reload", &json!({})).unwrap()["taken_up"], true);
    fixture.daemon.crash("notifier").await;
    published(fixture.daemon.ubus()).await;
    until("the status after a crash of the notifier", LIMIT, || {
        let status = call(&fixture, "status", &json!({})).ok()?;
        (status["daemon"]["restarts"]["notifier"] == 1).then_some(())
    })
    .await;
}
