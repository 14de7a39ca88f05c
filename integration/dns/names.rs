//! Domains that are not ordinary host names.

use xmppd::xmpp::resolve::{Query, Resolver, resolve};
use xmppd::xmpp::servers::Target;

use super::{by_dns, daemon, online_at};
use crate::harness::dns::own_address;
use crate::harness::{Dns, Endpoint, FaultProxy, Prosody, Record, Section};

#[tokio::test]
async fn an_internationalized_domain_goes_out_as_a_labels() {
    let prosody = Prosody::start(&["b\u{fc}cher.test"]).await;
    let dns = Dns::start(&[
        Record::starttls("xn--bcher-kva.test", "xmpp.xn--bcher-kva.test", prosody.port(), 0, 0),
        Record::host("xmpp.xn--bcher-kva.test", &["127.0.0.1"]),
    ])
    .await;
    let daemon = daemon(&by_dns("cpe@b\u{fc}cher.test/wan", &prosody), &[], &dns.resolv_conf_file());
    let at = online_at(&daemon).await;
    assert_eq!(at, format!("xmpp.xn--bcher-kva.test. (127.0.0.1:{})", prosody.port()));
    let asked = dns.questions();
    assert!(asked.contains(&"SRV _xmpp-client._tcp.xn--bcher-kva.test".to_owned()), "{asked:?}");
    assert!(asked.iter().all(|question| question.is_ascii()), "{asked:?}");
}

#[tokio::test]
async fn a_domain_that_is_an_address_needs_no_dns() {
    let address = own_address();
    let domain = address.to_string();
    let prosody = Prosody::start(&[&domain]).await;
    let proxy = FaultProxy::listen_at((address, 5222).into(), prosody.port()).await;
    let nowhere = std::path::Path::new("/nonexistent/resolv.conf");
    let daemon = daemon(&by_dns(&format!("cpe@{domain}/wan"), &prosody), &[], nowhere);
    assert_eq!(online_at(&daemon).await, format!("{address}:5222"));
    assert_eq!(proxy.connections(), 1);
}

/// Underscores are legal in DNS: in a domain, in the target of an SRV record, and in a row of the server table.
#[tokio::test]
async fn names_with_an_underscore_are_looked_up() {
    let prosody = Prosody::start(&["xmpp_1.isp.test"]).await;
    let dns = Dns::start(&[
        Record::starttls("xmpp_1.isp.test", "host_1.isp.test", prosody.port(), 0, 0),
        Record::host("host_1.isp.test", &["127.0.0.1"]),
    ])
    .await;
    for algorithm in ["DNS-SRV", "ServerTable"] {
        let connection = by_dns("cpe@xmpp_1.isp.test/wan", &prosody).option("serveralgorithm", algorithm);
        let row = Section::server(1, &prosody).option("server_address", "host_1.isp.test");
        let daemon = daemon(&connection, &[row], &dns.resolv_conf_file());
        let at = online_at(&daemon).await;
        assert!(at.starts_with("host_1.isp.test"), "{at}");
    }
}

/// Forms of names, and the records that dnsmasq has for them.
#[tokio::test]
async fn each_form_of_a_name_is_looked_up() {
    let many: Vec<String> = (1..=40).map(|n| format!("192.0.2.{n}")).collect();
    let records: Vec<String> = many.iter().map(|address| format!("host-record=many.a.test,{address}")).collect();
    let (many, records) = (many.join(" "), records.join("\n"));
    let dns = Dns::with_lines(&format!(
        "local=/#/\nhost-record=one.a.test,192.0.2.1,2001:db8::1\ncname=alias.a.test,one.a.test\n\
         cname=chain.a.test,alias.a.test\ntxt-record=text.a.test,x\nhost-record=printer.local,192.0.2.2\n\
         host-record=single,192.0.2.3\nhost-record=short.lan,192.0.2.4\nhost-record=xn--bcher-kva.test,192.0.2.5\n\
         host-record=_under_score.a.test,192.0.2.6\n{records}\n"
    ))
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("resolv.conf");
    std::fs::write(&path, format!("{}search lan\n", dns.resolv_conf())).unwrap();
    let resolver = Resolver::new(path, "/nonexistent/hosts".into());
    for (name, expected) in [
        ("one.a.test", "192.0.2.1 2001:db8::1"),
        ("ONE.A.test", "192.0.2.1 2001:db8::1"),
        ("one.a.test.", "192.0.2.1 2001:db8::1"),
        ("alias.a.test", "192.0.2.1 2001:db8::1"),
        ("chain.a.test", "192.0.2.1 2001:db8::1"),
        ("printer.local", "192.0.2.2"),
        ("single", "192.0.2.3"),
        ("short", "192.0.2.4"),
        ("b\u{fc}cher.test", "192.0.2.5"),
        ("_under_score.a.test", "192.0.2.6"),
        // An answer of more than 512 bytes, which needs TCP.
        ("many.a.test", many.as_str()),
        ("localhost", "127.0.0.1 ::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("text.a.test", "text.a.test has no address"),
        ("absent.a.test", "absent.a.test has no address"),
        ("a..test", "a..test has no address"),
    ] {
        // The addresses of one family are waited for only 50 ms after those of the other: on a busy machine some may be missing.
        let mut found = String::new();
        for _ in 0..5 {
            found = found_for(name, &resolver).await;
            if found == expected {
                break;
            }
        }
        assert_eq!(found, expected, "{name}");
    }
}

/// The addresses of a name in order, or the error.
async fn found_for(name: &str, resolver: &Resolver) -> String {
    match resolve(Query::Targets(vec![Target::domain(name)]), resolver).await {
        Ok(servers) => {
            let mut addresses = servers[0].addresses.clone();
            addresses.sort_unstable();
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}
