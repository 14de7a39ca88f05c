//! Name servers that refuse, do not answer, or answer only some questions; and the files that name them.

use std::fmt::Write as _;
use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tempfile::TempDir;

use super::{CPE, by_dns, daemon, online_at};
use crate::harness::dns::own_address;
use crate::harness::{Daemon, Dns, Endpoint, LIMIT, NameServer, Prosody, Record, Reply, Section, Server, Setup, until};

/// A server that is found by SRV, and its DNS records.
async fn server() -> (Prosody, Vec<Record>) {
    let prosody = Prosody::start(&["a.test"]).await;
    let records = vec![
        Record::starttls("a.test", "xmpp.a.test", prosody.port(), 0, 0),
        Record::host("xmpp.a.test", &["127.0.0.1"]),
    ];
    (prosody, records)
}

/// A resolv.conf with these name servers after these lines.
fn resolv_conf(lines: &str, servers: &[IpAddr]) -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    let servers = servers.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "nameserver {server}");
        text
    });
    std::fs::write(&path, format!("{lines}{servers}")).unwrap();
    (directory, path)
}

/// Breaks the stream, and waits until the connection is online again.
async fn reconnected(prosody: &mut Prosody, daemon: &Daemon) {
    let mark = daemon.log().mark();
    prosody.kill().await;
    prosody.start_again().await;
    daemon.log().wait(mark, &["online as"], LIMIT).await;
}

#[tokio::test]
async fn dropped_aaaa_questions_do_not_hold_up_the_a_records() {
    let (prosody, _) = server().await;
    let port = prosody.port();
    let dns = NameServer::start(move |asked| match (asked.kind, asked.name.as_str()) {
        (RecordType::SRV, "_xmpp-client._tcp.a.test") => Reply::srv("xmpp.a.test.", port),
        (RecordType::A, "xmpp.a.test") => Reply::address("127.0.0.1"),
        (RecordType::AAAA, _) => Reply::Silent,
        _ => Reply::NxDomain,
    })
    .await;
    // With this timeout, waiting for the AAAA records would exceed the limit of a lookup.
    let (_directory, path) = resolv_conf("options timeout:30\n", &[dns.address()]);
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
    online_at(&daemon).await;
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
    assert!(dns.questions().contains(&"AAAA xmpp.a.test".to_owned()), "{:?}", dns.questions());
}

#[tokio::test]
async fn the_next_name_server_is_asked_if_the_first_refuses() {
    let (prosody, records) = server().await;
    let good = Dns::start(&records).await;
    for reply in [
        Reply::Code(ResponseCode::Refused),
        Reply::Code(ResponseCode::ServFail),
        Reply::Code(ResponseCode::NotImp),
        Reply::Code(ResponseCode::FormErr),
        Reply::BareCode(ResponseCode::Refused),
    ] {
        let bad = NameServer::always(reply.clone()).await;
        let (_directory, path) = resolv_conf("", &[bad.address(), good.address().into()]);
        let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
        online_at(&daemon).await;
        assert!(!bad.questions().is_empty(), "{reply:?}");
        assert_eq!(daemon.log().since(0, &["WARNING"]), [""; 0], "{reply:?}");
    }
}

/// Two name servers that do not answer cost 2 s each (the default timeout), only once.
#[tokio::test]
async fn name_servers_without_answer_cost_their_timeout_once() {
    let (mut prosody, records) = server().await;
    let good = Dns::start(&records).await;
    let silent = [NameServer::always(Reply::Silent).await, NameServer::always(Reply::Silent).await];
    let (_directory, path) = resolv_conf("", &[silent[0].address(), silent[1].address(), good.address().into()]);
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
    online_at(&daemon).await;
    let asked = || silent.each_ref().map(|server| server.questions().len());
    // The two SRV lookups.
    assert_eq!(asked(), [2, 2]);
    reconnected(&mut prosody, &daemon).await;
    assert_eq!(asked(), [2, 2]);
    // After a change of the file they are asked again.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "# the WAN is up again\n").unwrap();
    reconnected(&mut prosody, &daemon).await;
    assert_eq!(asked(), [4, 4]);
}

#[tokio::test]
async fn six_name_servers_are_tried() {
    let (prosody, records) = server().await;
    let good = Dns::start(&records).await;
    let silent = NameServer::always(Reply::Silent).await;
    let refusing = NameServer::always(Reply::Code(ResponseCode::Refused)).await;
    let failing = NameServer::always(Reply::Code(ResponseCode::ServFail)).await;
    // Nothing listens at the second and the fifth.
    let servers = [
        silent.address(),
        own_address().into(),
        refusing.address(),
        failing.address(),
        own_address().into(),
        good.address().into(),
    ];
    let (_directory, path) = resolv_conf("", &servers);
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
    online_at(&daemon).await;
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
}

#[tokio::test]
async fn options_of_the_file_are_honoured() {
    let (prosody, _) = server().await;
    let silent = NameServer::always(Reply::Silent).await;
    for (options, attempts) in [("attempts:1 timeout:1", 1), ("timeout:1 attempts:3", 3), ("timeout:1 attempts:0", 2)] {
        let before = silent.questions().len();
        let (_directory, path) = resolv_conf(&format!("options {options}\n"), &[silent.address()]);
        // No second pass may ask as well. The shorter of the two options limits the wait.
        let waits = [("initial_retry_interval", "65535"), ("retry_max_interval", "65535")];
        let connection = by_dns(CPE, &prosody).options(&waits);
        let daemon = daemon(&connection, &[], &path);
        daemon.wait_for_log(&["attempt failed: DNS lookup of the SRV records of a.test failed"], LIMIT).await;
        // The name server may read the last questions after that.
        let asked = || silent.questions().len() - before;
        until(&format!("the questions with {options}"), LIMIT, || (asked() >= 2 * attempts).then_some(())).await;
        assert_eq!(asked(), 2 * attempts, "{options}");
    }
}

/// A forwarder drops questions with EDNS, although the file asks for EDNS.
#[tokio::test]
async fn questions_have_no_edns() {
    let (prosody, _) = server().await;
    let port = prosody.port();
    let dns = NameServer::start(move |asked| match (asked.edns, asked.kind) {
        (true, _) => Reply::Silent,
        (false, RecordType::SRV) if asked.name.starts_with("_xmpp-client") => Reply::srv("xmpp.a.test.", port),
        (false, RecordType::A) => Reply::address("127.0.0.1"),
        (false, _) => Reply::Empty,
    })
    .await;
    let (_directory, path) = resolv_conf("options edns0\n", &[dns.address()]);
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
    online_at(&daemon).await;
}

#[tokio::test]
async fn an_invalid_line_is_skipped_with_one_warning() {
    let long = format!("search {}.test\n", "x".repeat(64));
    let (mut prosody, records) = server().await;
    let dns = Dns::start(&records).await;
    for (line, named) in [
        ("\u{feff}", None),
        ("domain (none)\n", Some("line 1 skipped: \"(none)\"")),
        ("search .lan\n", Some("line 1 skipped: \".lan\"")),
        ("search a..b\n", Some("line 1 skipped: \"a..b\"")),
        (&long, Some("line 1 skipped: \"xxxx")),
        ("nameserver dns.isp.test\n", Some("line 1 skipped: \"dns.isp.test\"")),
    ] {
        let (_directory, path) = resolv_conf(line, &[dns.address().into()]);
        let daemon = daemon(&by_dns(CPE, &prosody), &[], &path);
        online_at(&daemon).await;
        reconnected(&mut prosody, &daemon).await;
        let warnings = daemon.log().since(0, &["WARNING", "resolv.conf line"]);
        assert_eq!(warnings.len(), usize::from(named.is_some()), "{line}: {warnings:?}");
        assert!(named.is_none_or(|named| warnings[0].contains(named)), "{warnings:?}");
    }
}

/// Names of the hosts file are found before a name server is asked.
#[tokio::test]
async fn the_hosts_file_comes_before_dns() {
    let (prosody, _) = server().await;
    let silent = NameServer::always(Reply::Silent).await;
    let (directory, path) = resolv_conf("", &[silent.address()]);
    let hosts = directory.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1\txmpp.isp.test xmpp # the provider's\n").unwrap();
    for name in ["xmpp.isp.test", "XMPP", "localhost"] {
        let connection = by_dns(CPE, &prosody).option("serveralgorithm", "ServerTable");
        let row = Section::server(1, &prosody).option("server_address", name);
        let setup = Setup::new([&Section::general(&[1]), &connection, &row]);
        let daemon = setup.env("XMPPD_RESOLV_CONF", &path).env("XMPPD_HOSTS", &hosts).start();
        online_at(&daemon).await;
    }
    assert_eq!(silent.questions(), [""; 0]);
}

/// If one SRV lookup is refused, the other one is used.
#[tokio::test]
async fn one_refused_srv_lookup_leaves_the_other() {
    let (prosody, _) = server().await;
    let dns = Dns::with_lines(&format!(
        "local=/a.test/\nsrv-host=_xmpp-client._tcp.a.test,xmpp.a.test,{}\nhost-record=xmpp.a.test,127.0.0.1\n\
         server=/_xmpps-client._tcp.a.test/#\n",
        prosody.port()
    ))
    .await;
    let daemon = daemon(&by_dns(CPE, &prosody), &[], &dns.patient_resolv_conf_file());
    online_at(&daemon).await;
    let warnings =
        daemon.log().since(0, &["WARNING connection 1 (", "SRV lookup failed", "_xmpps-client._tcp.a.test: REFUSED"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}
