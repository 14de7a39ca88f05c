//! A failed lookup is not a negative answer, and connections recover when DNS does.

use std::time::Duration;

use super::{CPE, by_dns, daemon, online_at};
use crate::harness::dns::own_address;
use crate::harness::{Daemon, Dns, Endpoint, LIMIT, Prosody, Record, Server, until};

/// Waits until a lookup has failed, repairs DNS, and waits until the connection is online.
async fn fails_and_recovers(daemon: &Daemon, dns: &mut Dns, records: &[Record]) {
    daemon.wait_for_log(&["attempt failed: DNS lookup of the SRV records of a.test failed"], LIMIT).await;
    daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    // The domain's own addresses are tried in the next pass, as opposed to a domain without SRV records.
    let own = |question: &String| question == "A a.test";
    let asked =
        until("the domain's turn", LIMIT, || Some(dns.unanswered()).filter(|asked| asked.iter().any(own))).await;
    let turn = asked.iter().position(own).unwrap();
    assert!(asked[..turn].contains(&"SRV _xmpp-client._tcp.a.test".to_owned()), "{asked:?}");
    assert_ne!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
    dns.serve(records).await;
    online_at(daemon).await;
}

fn records(prosody: &Prosody) -> [Record; 2] {
    [Record::starttls("a.test", "xmpp.a.test", prosody.port(), 0, 0), Record::host("xmpp.a.test", &["127.0.0.1"])]
}

#[tokio::test]
async fn a_lookup_answered_with_servfail_is_repeated() {
    let prosody = Prosody::start(&["a.test"]).await;
    let records = records(&prosody);
    let mut dns = Dns::start(&[]).await;
    dns.fail().await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    fails_and_recovers(&daemon, &mut dns, &records).await;
}

#[tokio::test]
async fn a_lookup_without_answer_is_repeated() {
    let prosody = Prosody::start(&["a.test"]).await;
    let records = records(&prosody);
    let mut dns = Dns::start(&[]).await;
    dns.be_silent().await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    fails_and_recovers(&daemon, &mut dns, &records).await;
}

#[tokio::test]
async fn a_lookup_at_a_closed_port_is_repeated() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut dns = Dns::start(&[]).await;
    dns.stop().await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    daemon.wait_for_log(&["attempt failed: DNS lookup of", "failed"], LIMIT).await;
    dns.serve(&records(&prosody)).await;
    online_at(&daemon).await;
}

#[tokio::test]
async fn a_stream_lost_without_dns_is_replaced_when_dns_is_back() {
    let mut prosody = Prosody::start(&["a.test"]).await;
    let records = records(&prosody);
    let mut dns = Dns::start(&records).await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.resolv_conf_file());
    online_at(&daemon).await;
    dns.fail().await;
    let mark = daemon.log().mark();
    prosody.kill().await;
    daemon.log().wait(mark, &["attempt failed: DNS lookup"], LIMIT).await;
    prosody.start_again().await;
    dns.serve(&records).await;
    daemon.log().wait(mark, &["online as"], LIMIT).await;
}

#[tokio::test]
async fn a_changed_resolv_conf_is_read() {
    let prosody = Prosody::start(&["a.test"]).await;
    let dns = Dns::start(&records(&prosody)).await;
    let directory = tempfile::tempdir().unwrap();
    let resolv_conf = directory.path().join("resolv.conf");
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &resolv_conf);
    daemon.wait_for_log(&["resolv.conf cannot be read, using 127.0.0.1 and ::1 as name servers"], LIMIT).await;
    daemon.wait_for_log(&["attempt failed: "], LIMIT).await;
    // The WAN comes up with a name server that does not work.
    let mark = daemon.log().mark();
    let nobody = format!("nameserver {}\noptions timeout:1 attempts:1\n", own_address());
    std::fs::write(&resolv_conf, nobody).unwrap();
    daemon.log().wait(mark, &["attempt failed: DNS lookup of"], Duration::from_secs(20)).await;
    std::fs::write(&resolv_conf, dns.resolv_conf()).unwrap();
    online_at(&daemon).await;
}
