//! Which servers are tried, and in which order.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::{CPE, by_dns, daemon, failed_at, online_at};
use crate::harness::dns::own_address;
use crate::harness::{
    Dns, Endpoint, FaultProxy, LIMIT, Prosody, Record, Section, Server, ServerOptions, Status, on_each_server, ports,
};

#[tokio::test]
async fn priorities_are_ordered_and_all_servers_of_one_are_tried() {
    let prosody = Prosody::start(&["a.test"]).await;
    let nobody = ports::free();
    let dns = Dns::start(&[
        Record::starttls("a.test", "last.a.test", prosody.port(), 30, 0),
        Record::starttls("a.test", "second.a.test", nobody, 20, 60),
        Record::direct_tls("a.test", "second-direct.a.test", nobody, 20, 40),
        Record::starttls("a.test", "second-light.a.test", nobody, 20, 0),
        Record::direct_tls("a.test", "first.a.test", nobody, 10, 0),
        Record::starttls("a.test", "never.a.test", nobody, 40, 100),
        Record::host("last.a.test", &["127.0.0.1"]),
        Record::host("second.a.test", &["127.0.0.1"]),
        Record::host("second-direct.a.test", &["127.0.0.1"]),
        Record::host("second-light.a.test", &["127.0.0.1"]),
        Record::host("first.a.test", &["127.0.0.1"]),
        Record::host("never.a.test", &["127.0.0.1"]),
    ])
    .await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.patient_resolv_conf_file());
    assert_eq!(online_at(&daemon).await, format!("last.a.test. (127.0.0.1:{})", prosody.port()));
    let failed = failed_at(&daemon);
    assert_eq!(failed[0], "first.a.test.");
    let second: BTreeSet<&str> = failed[1..].iter().map(String::as_str).collect();
    assert_eq!(second, BTreeSet::from(["second.a.test.", "second-direct.a.test.", "second-light.a.test."]));
    assert_eq!(failed.len(), 4, "{failed:?}");
}

on_each_server!(direct_tls_is_used_if_it_comes_first_and_tls_is_enabled);

async fn direct_tls_is_used_if_it_comes_first_and_tls_is_enabled<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions { require_tls: false, ..ServerOptions::default() }).await;
    let dns = Dns::start(&[
        Record::direct_tls("a.test", "xmpp.a.test", server.direct_tls_port(), 1, 0),
        Record::starttls("a.test", "xmpp.a.test", server.port(), 2, 0),
        Record::host("xmpp.a.test", &["127.0.0.1"]),
    ])
    .await;
    for (usetls, port) in [(1, server.direct_tls_port()), (0, server.port())] {
        let connection = by_dns(CPE, &server).option("usetls", usetls);
        let daemon = daemon(&connection, &[], &dns.patient_resolv_conf_file());
        assert!(online_at(&daemon).await.starts_with(&format!("xmpp.a.test. (127.0.0.1:{port})")));
        let status = daemon.wait_for_value(1, "status", "Enabled").await;
        assert_eq!(status.get("tls"), Some(if usetls == 1 { "true" } else { "false" }));
    }
}

#[tokio::test]
async fn without_srv_the_domain_itself_is_tried_at_port_5222() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let dns = Dns::start(&[Record::host("a.test", &[&address.to_string()])]).await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    assert_eq!(online_at(&daemon).await, format!("a.test ({address}:5222)"));
    assert_eq!(proxy.connections(), 1);
    let asked = dns.questions();
    for question in ["SRV _xmpp-client._tcp.a.test", "SRV _xmpps-client._tcp.a.test", "AAAA a.test", "A a.test"] {
        assert!(asked.iter().any(|asked| asked == question), "{question} is not in {asked:?}");
    }
}

#[tokio::test]
async fn a_domain_that_has_no_service_is_not_connected_to() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let [starttls, direct] = Record::no_service("a.test");
    let here = Record::host("a.test", &[&address.to_string()]);
    let mut dns = Dns::start(&[starttls, direct, here.clone()]).await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    daemon.wait_for_log(&["attempt failed: a.test offers no XMPP service"], LIMIT).await;
    let failed = |status: &Status| status.word() == "ServerNotPresent";
    daemon.wait_for_status(1, "ServerNotPresent", failed).await;
    assert_eq!(proxy.connections(), 0);
    // Later the domain offers the service.
    let service = Record::starttls("a.test", "a.test", 5222, 0, 0);
    dns.serve(&[service, here]).await;
    let online = online_at(&daemon).await;
    // The domain's own address (without a final dot) if a lookup failed while the name server was restarted.
    let expected = ["a.test.", "a.test"].map(|name| format!("{name} ({address}:5222)"));
    assert!(expected.contains(&online), "{online}");
}

#[tokio::test]
async fn an_exhausted_table_is_followed_by_the_domain_and_then_the_table() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address();
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    proxy.refuse_new();
    let dns = Dns::start(&[Record::host("a.test", &[&address.to_string()])]).await;
    let connection = by_dns(CPE, &prosody).option("serveralgorithm", "ServerTable");
    let row = Section::server(1, &prosody).option("port", ports::free());
    let daemon = daemon(&connection, &[row], &dns.patient_resolv_conf_file());
    let places = |daemon: &crate::harness::Daemon| failed_at(daemon).len() >= 4;
    crate::harness::until("four failed attempts", LIMIT, || places(&daemon).then_some(())).await;
    assert_eq!(failed_at(&daemon)[..4], ["127.0.0.1", "a.test", "127.0.0.1", "a.test"]);
    proxy.accept_new();
    assert_eq!(online_at(&daemon).await, format!("a.test ({address}:5222)"));
}

mod ipv6 {
    use super::*;

    #[tokio::test]
    async fn a_name_with_both_families_is_tried_with_both() {
        let prosody = Prosody::start(&["a.test"]).await;
        // A port that no other test listens at on 127.0.0.1.
        let proxy = FaultProxy::listen_at((Ipv6Addr::LOCALHOST, ports::free()).into(), prosody.port()).await;
        let both = ["127.0.0.1", "::1"];
        let dns = Dns::start(&[Record::host("both.a.test", &both)]).await;
        let connection = by_dns(CPE, &prosody).option("serveralgorithm", "ServerTable");
        let row = Section::server(1, &prosody).option("server_address", "both.a.test").option("port", proxy.port());
        let mut daemon = daemon(&connection, &[row], &dns.patient_resolv_conf_file());
        let mut listed = Vec::new();
        for _ in 0..5 {
            assert_eq!(online_at(&daemon).await, format!("both.a.test ([::1]:{})", proxy.port()));
            // The addresses of one family are waited for only 50 ms after those of the other. On a busy machine the first lookup
            // may lack ::1, so that another one follows; or 127.0.0.1, and a new run looks it up again.
            listed = daemon.log().since(0, &["servers: "]);
            if both.iter().all(|address| listed.iter().any(|line| line.contains(address))) {
                break;
            }
            daemon.stop().await;
            daemon.start_again();
        }
        for address in both {
            assert!(listed.iter().any(|line| line.contains(address)), "{address}: {listed:?}");
        }
        assert_eq!(prosody.wait_client(CPE, LIMIT).await, prosody.sessions()[CPE].port);
    }
}
