//! Login, connection requests, keepalive, reload and recovery over IPv6.

use std::time::Duration;

use crate::harness::stanzas::{assert_result, good_request, ping};
use crate::harness::{
    CPE1, CPE2, Endpoint, FaultProxy, Fixture, LIMIT, Prosody, Section, Server, Setup, Status, until,
};

/// A fixture whose server is `::1`, written in two ways.
async fn fixture(change: impl FnOnce(&mut crate::harness::Settings)) -> Fixture {
    Fixture::start_with(
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

/// Fails unless the kernel reports `::1` for both ends of the connection.
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
async fn a_login_and_requests_work_over_ipv6() {
    let mut fixture = fixture(|_| {}).await;
    let address = format!("[::1]:{}", fixture.prosody.port());
    for (id, jid) in [(1, CPE1), (2, CPE2)] {
        let status = fixture.status(id).await;
        assert_eq!((status["address"].as_str(), status["tls"].as_str()), (address.as_str(), "true"));
        assert_eq!(status["jid"], jid);
        assert_result(&fixture.ask_once(&good_request(jid)).await);
    }
    assert_eq!(peers(fixture.daemon.pid().as_raw_nonzero().get(), fixture.prosody.port()), 2);
    assert_eq!(fixture.daemon.ubus().calls().len(), 2);
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn the_keepalive_works_over_ipv6() {
    // Time enough for the server's answers on a busy machine.
    let mut fixture = fixture(|settings| settings.set_connection(1, "interval", 3)).await;
    let answered =
        || (fixture.daemon.log().since(0, &["connection 1", "the server answered after"]).len() >= 3).then_some(());
    until("three answers to pings", LIMIT, answered).await;
    fixture.assert_same_streams().await;
}

/// A half-open connection is noticed and replaced.
#[tokio::test]
async fn a_half_open_connection_is_noticed_over_ipv6() {
    let prosody = Prosody::start(&["a.test"]).await;
    prosody.account("cpe1@a.test");
    let proxy = FaultProxy::listen_at("[::1]:0".parse().unwrap(), prosody.port()).await;
    let connection = Section::connection(1, CPE1, &prosody).option("interval", 1);
    let row = Section::server(1, &prosody).option("server_address", "::1").option("port", proxy.port());
    let daemon = Setup::new([&Section::general(&[1]), &connection, &row]).start();
    daemon.wait_for_log(&["online as", CPE1, &format!("at [::1]:{}", proxy.port())], LIMIT).await;
    let mark = daemon.log().mark();
    proxy.stall();
    daemon.log().wait(mark, &["stream lost", "nothing received from the server"], Duration::from_secs(10)).await;
    daemon.log().wait(mark, &["online as", CPE1], LIMIT).await;
}

#[tokio::test]
async fn edits_are_applied_over_ipv6() {
    let mut fixture = fixture(|_| {}).await;
    // In place, and from one address family to the other and back.
    let mark = fixture.edit(|settings| settings.set_connection(1, "interval", 77));
    fixture.daemon.log().wait(mark, &["connection 1", "settings applied in place"], LIMIT).await;
    fixture.assert_same_streams().await;
    for (address, shown) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        fixture.edit(|settings| settings.set_server(1, "server_address", address));
        fixture.wait_restart(CPE1, CPE1).await;
        let status = fixture.daemon.wait_for_status(1, "Enabled", |status| status.word() == "Enabled").await;
        assert_eq!(status.get("address"), Some(&*format!("{shown}:{}", fixture.prosody.port())));
        fixture.assert_same_streams().await;
    }
}

/// The server is restarted.
#[tokio::test]
async fn a_connection_recovers_over_ipv6() {
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
    let mut acs = prosody.raw_client("acs@a.test/r").await;
    assert_result(&acs.ask(&ping(CPE1)).await);
}
