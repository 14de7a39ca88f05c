//! Everything once over IPv6: login, connection requests, keepalive, reload, coming back.

use std::time::Duration;

use crate::harness::stanzas::{assert_result, good_request, ping};
use crate::harness::{CPE1, CPE2, Gate, LIMIT, Prosody, Scene, Section, Setup, Status, until};

/// A scene whose servers are `::1`, written in two ways.
async fn scene(change: impl FnOnce(&mut crate::harness::scene::Settings)) -> Scene {
    Scene::start_with(
        crate::harness::Options::default(),
        |settings| {
            settings.set_server(1, "server_address", "::1");
            settings.set_server(2, "server_address", "0:0:0:0:0:0:0:1");
            change(settings);
        },
        |setup| setup,
    )
    .await
}

/// Both ends of the connection are `::1`: so the kernel says.
fn peers(pid: i32, port: u16) -> usize {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp6")).unwrap();
    let loopback = "00000000000000000000000001000000";
    let remote = format!("{loopback}:{port:04X}");
    let established = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.starts_with(loopback)) && fields[2] == remote && fields[3] == "01"
    };
    table.lines().filter(established).count()
}

#[tokio::test]
async fn login_and_connection_requests() {
    let mut scene = scene(|_| {}).await;
    let address = format!("[::1]:{}", scene.prosody.port());
    for (id, jid) in [(1, CPE1), (2, CPE2)] {
        let status = scene.status(id).await;
        assert_eq!((status["address"].as_str(), status["tls"].as_str()), (address.as_str(), "true"));
        assert_eq!(status["jid"], jid);
        assert_result(&scene.ask_once(&good_request(jid)).await);
    }
    assert_eq!(peers(scene.daemon.pid().as_raw_nonzero().get(), scene.prosody.port()), 2);
    assert_eq!(scene.daemon.ubus().calls().len(), 2);
    scene.assert_both_same().await;
}

#[tokio::test]
async fn keepalive() {
    let mut scene = scene(|settings| settings.set_connection(1, "interval", 1)).await;
    let answered =
        || (scene.daemon.log().since(0, &["connection 1", "the server answered after"]).len() >= 3).then_some(());
    until("three answers to pings", LIMIT, answered).await;
    scene.assert_both_same().await;
}

/// A link that is dead is noticed, and left for another one.
#[tokio::test]
async fn a_half_open_link() {
    let prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe1@a.test");
    let gate = Gate::at("[::1]:0".parse().unwrap(), prosody.port()).await;
    let connection = Section::connection(1, CPE1, &prosody).option("interval", 1);
    let row = Section::server(1, &prosody).option("server_address", "::1").option("port", gate.port());
    let daemon = Setup::new([&Section::general(&[1]), &connection, &row]).start();
    daemon.wait_for_log(&["online as", CPE1, &format!("at [::1]:{}", gate.port())], LIMIT).await;
    let mark = daemon.log().mark();
    gate.hold();
    daemon.log().wait(mark, &["stream lost", "no sign of life from the server"], Duration::from_secs(10)).await;
    daemon.log().wait(mark, &["online as", CPE1], LIMIT).await;
}

#[tokio::test]
async fn reload() {
    let mut scene = scene(|_| {}).await;
    // In place, and from one family to the other and back.
    let mark = scene.edit(|settings| settings.set_connection(1, "interval", 77));
    scene.daemon.log().wait(mark, &["connection 1", "settings taken over in place"], LIMIT).await;
    scene.assert_both_same().await;
    for (address, shown) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        scene.edit(|settings| settings.set_server(1, "server_address", address));
        scene.wait_restart(CPE1, CPE1).await;
        let status = scene.daemon.wait_for_status(1, "Enabled", |status| status.word() == "Enabled").await;
        assert_eq!(status.get("address"), Some(&*format!("{shown}:{}", scene.prosody.port())));
        scene.assert_both_same().await;
    }
}

/// The server goes and comes back.
#[tokio::test]
async fn coming_back() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe1@a.test");
    let connection = Section::connection(1, CPE1, &prosody);
    let row = Section::server(1, &prosody).option("server_address", "::1");
    let daemon = Setup::new([&Section::general(&[1]), &connection, &row]).start();
    prosody.wait_online(CPE1, LIMIT).await;
    prosody.kill().await;
    let refused = |status: &Status| status.get("error").is_some_and(|error| error.contains("Connection refused"));
    daemon.wait_for_status(1, "refused", refused).await;
    let mark = daemon.log().mark();
    prosody.start_again().await;
    daemon.log().wait(mark, &["online as", CPE1, "at [::1]:"], LIMIT).await;
    let mut acs = prosody.wire("acs@a.test/r").await;
    assert_result(&acs.ask(&ping(CPE1)).await);
}
