//! A pass attempts every server of the list without a wait, so that a dead server does not keep a connection from a
//! healthy one. The retry options are TR-181's defaults, whose first wait is up to 60 s and whose 16th is up to 8
//! hours.

use std::time::Duration;

use crate::harness::dns::own_address;
use crate::harness::namespace::{black_hole, entered};
use crate::harness::{
    Daemon, Dns, Endpoint, EventKind, FaultProxy, Prosody, Record, Section, Server, Setup, ports, until,
};

const CPE: &str = "cpe@a.test/wan";

/// Two steps that time out after 10 s, on a busy machine.
const SECONDS: Duration = Duration::from_secs(25);

/// How the second, healthy server is configured.
#[derive(Debug, Clone, Copy)]
enum List {
    Srv,
    Table,
}

/// Removes all options of the retry schedule.
fn with_defaults(connection: Section) -> Section {
    ["attempt", "initial_retry_interval", "retry_interval_multiplier", "retry_max_interval"]
        .into_iter()
        .fold(connection, Section::without)
}

fn connection(prosody: &Prosody) -> Section {
    prosody.account("cpe@a.test");
    with_defaults(Section::connection(1, CPE, prosody))
}

/// Starts a daemon whose first server is at this address and port, and whose second one is Prosody.
async fn daemon(list: List, prosody: &Prosody, address: &str, port: u16) -> (Dns, Daemon) {
    let connection = connection(prosody);
    let dns = Dns::start(&[
        Record::starttls("a.test", "first.a.test", port, 1, 0),
        Record::starttls("a.test", "second.a.test", prosody.port(), 2, 0),
        Record::host("first.a.test", &[address]),
        Record::host("second.a.test", &["127.0.0.1"]),
    ])
    .await;
    let row = |instance, host: &str, port| {
        Section::server(1, prosody).option("con_srv_inst", instance).option("server_address", host).option("port", port)
    };
    let sections = match list {
        List::Srv => vec![Section::general(&[1]), connection.option("serveralgorithm", "DNS-SRV")],
        List::Table => vec![
            Section::general(&[1]),
            connection,
            row(1, "first.a.test", port),
            row(2, "second.a.test", prosody.port()),
        ],
    };
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    (dns, daemon)
}

/// Fails unless the connection gets online at the second server in its first pass, after one failure with this text.
async fn second_server_is_used(daemon: &Daemon, prosody: &Prosody, words: &str) {
    let online = daemon.wait_for_log(&["online as", CPE, "second.a.test"], SECONDS).await;
    assert!(online.contains(&format!("(127.0.0.1:{})", prosody.port())), "{online}");
    let failed = daemon.log().since(0, &["attempt failed"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("first.a.test") && failed[0].contains(words), "{failed:?}");
    assert!(failed[0].ends_with("; trying the next server"), "{failed:?}");
    let status = daemon.wait_for_value(1, "status", "Enabled").await;
    assert_eq!((status.get("attempt"), status.get("error")), (Some("1"), None), "{status:?}");
    let bound = prosody.events().iter().filter(|event| event.jid == CPE && event.kind == EventKind::Bind).count();
    assert_eq!(bound, 1);
}

async fn refusing(list: List) {
    let prosody = Prosody::start(&["a.test"]).await;
    let (_dns, daemon) = daemon(list, &prosody, "127.0.0.1", ports::free()).await;
    second_server_is_used(&daemon, &prosody, "connecting: Connection refused").await;
}

/// The first server accepts connections and does not answer.
async fn silent(list: List) {
    let prosody = Prosody::start(&["a.test"]).await;
    let proxy = FaultProxy::to_port(prosody.port()).await;
    proxy.go_silent();
    let (_dns, daemon) = daemon(list, &prosody, "127.0.0.1", proxy.port()).await;
    second_server_is_used(&daemon, &prosody, "opening the stream: no answer within 10 s").await;
}

/// The first server's certificate was issued by another CA.
async fn bad_certificate(list: List) {
    let prosody = Prosody::start(&["a.test"]).await;
    let other = Prosody::start(&["a.test"]).await;
    let (_dns, daemon) = daemon(list, &prosody, "127.0.0.1", other.port()).await;
    second_server_is_used(&daemon, &prosody, "TLS: the server's certificate is not accepted").await;
}

#[tokio::test]
async fn an_srv_target_that_refuses_does_not_delay_the_next() {
    refusing(List::Srv).await;
}

#[tokio::test]
async fn an_srv_target_that_is_silent_is_followed_by_the_next() {
    silent(List::Srv).await;
}

#[tokio::test]
async fn an_srv_target_with_a_bad_certificate_is_followed_by_the_next() {
    bad_certificate(List::Srv).await;
}

#[tokio::test]
async fn a_row_that_refuses_does_not_delay_the_next() {
    refusing(List::Table).await;
}

#[tokio::test]
async fn a_row_that_is_silent_is_followed_by_the_next() {
    silent(List::Table).await;
}

#[tokio::test]
async fn a_row_with_a_bad_certificate_is_followed_by_the_next() {
    bad_certificate(List::Table).await;
}

/// All servers are dead: one wait after both, then both again. The status shows the server that was reached.
#[tokio::test]
async fn waits_come_between_passes() {
    let prosody = Prosody::start(&["a.test"]).await;
    let other = Prosody::start(&["a.test"]).await;
    let row = |instance, port| Section::server(1, &prosody).option("con_srv_inst", instance).option("port", port);
    let connection = connection(&prosody).option("initial_retry_interval", 1).option("retry_max_interval", 1);
    let nobody = ports::free();
    let sections = [Section::general(&[1]), connection, row(1, other.port()), row(2, nobody)];
    let daemon = Daemon::start(&sections);
    let failed = || Some(daemon.log().since(0, &["attempt failed"])).filter(|lines| lines.len() >= 6);
    for pair in until("three failed passes", SECONDS, failed).await[..6].chunks(2) {
        assert!(pair[0].contains(&other.port().to_string()) && pair[0].ends_with("trying the next server"), "{pair:?}");
        assert!(pair[1].contains(&nobody.to_string()) && pair[1].contains("next try in"), "{pair:?}");
    }
    let status = daemon.wait_for_value(1, "status", "Error_Misconfigured").await;
    assert!(status.get("error").unwrap().contains("certificate"), "{status:?}");
    assert!(status.get("attempt").unwrap().parse::<u32>().unwrap() >= 3, "{status:?}");
}

/// After as many passes as `attempt` says, the domain's own address is tried once.
#[tokio::test]
async fn the_domain_follows_the_passes_of_attempt() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let nobody = ports::free();
    let dns = Dns::start(&[
        Record::starttls("a.test", "first.a.test", nobody, 1, 0),
        Record::starttls("a.test", "second.a.test", nobody, 2, 0),
        Record::host("first.a.test", &["127.0.0.1"]),
        Record::host("second.a.test", &["127.0.0.1"]),
        Record::host("a.test", &[&address.to_string()]),
    ])
    .await;
    let connection = connection(&prosody)
        .option("serveralgorithm", "DNS-SRV")
        .option("attempt", 3)
        .option("initial_retry_interval", 1)
        .option("retry_max_interval", 1);
    let sections = [Section::general(&[1]), connection];
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    daemon.wait_for_log(&["online as", &format!("a.test ({address}:5222)")], SECONDS).await;
    assert_eq!(daemon.log().since(0, &["attempt failed"]).len(), 6);
    assert_eq!(proxy.connections(), 1);
}

/// A forwarder refuses only SRV queries.
#[tokio::test]
async fn the_domain_is_tried_if_srv_lookups_fail() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let here = Record::host("a.test", &[&address.to_string()]);
    let mut dns = Dns::start(&[Record::Refused("_tcp.a.test".to_owned()), here]).await;
    let connection = connection(&prosody)
        .option("serveralgorithm", "DNS-SRV")
        .option("initial_retry_interval", 1)
        .option("retry_max_interval", 1);
    let sections = [Section::general(&[1]), connection];
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    daemon.wait_for_log(&["online as", &format!("a.test ({address}:5222)")], SECONDS).await;
    let failed = daemon.log().since(0, &["attempt failed"]);
    assert!(failed.len() == 1 && failed[0].contains("DNS lookup of"), "{failed:?}");
    // The next pass uses SRV again.
    dns.serve(&[
        Record::starttls("a.test", "xmpp.a.test", prosody.port(), 1, 0),
        Record::host("xmpp.a.test", &["127.0.0.1"]),
    ])
    .await;
    let mark = daemon.log().mark();
    proxy.reset_connections();
    let line = daemon.log().wait(mark, &["online as"], SECONDS).await;
    assert!(line.contains(&format!("(127.0.0.1:{})", prosody.port())), "{line}");
}

/// TR-181's `DNS`: only the domain's addresses are used, despite SRV records.
#[tokio::test]
async fn serveralgorithm_dns_does_not_look_at_srv_records() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let trap = FaultProxy::to_port(prosody.port()).await;
    let dns = Dns::start(&[
        Record::starttls("a.test", "trap.a.test", trap.port(), 1, 0),
        Record::host("trap.a.test", &["127.0.0.1"]),
        Record::host("a.test", &[&address.to_string()]),
    ])
    .await;
    let sections = [Section::general(&[1]), connection(&prosody).option("serveralgorithm", "DNS")];
    let daemon = Setup::new(&sections).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    daemon.wait_for_log(&["online as", &format!("a.test ({address}:5222)")], SECONDS).await;
    assert_eq!((proxy.connections(), trap.connections()), (1, 0));
    let asked = dns.questions();
    assert!(asked.contains(&"A a.test".to_owned()) && !asked.iter().any(|one| one.starts_with("SRV")), "{asked:?}");
}

mod namespaces {
    use super::*;

    /// No packet comes back from the first target.
    #[tokio::test]
    async fn an_srv_target_behind_a_black_hole_is_followed_by_the_next() {
        if !entered(
            "passes::namespaces::an_srv_target_behind_a_black_hole_is_followed_by_the_next",
            &black_hole(&["192.0.2.1"]),
        ) {
            return;
        }
        let prosody = Prosody::start(&["a.test"]).await;
        let (_dns, daemon) = daemon(List::Srv, &prosody, "192.0.2.1", 5222).await;
        second_server_is_used(&daemon, &prosody, "connecting: no answer within 10 s").await;
    }
}
