//! Domains that are not plain host names.

use super::{by_dns, daemon, online_at};
use crate::harness::dns::own_address;
use crate::harness::{Dns, Gate, Prosody, Record};

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
    let gate = Gate::at((address, 5222).into(), prosody.port()).await;
    let nowhere = std::path::Path::new("/nonexistent/resolv.conf");
    let daemon = daemon(&by_dns(&format!("cpe@{domain}/wan"), &prosody), &[], nowhere);
    assert_eq!(online_at(&daemon).await, format!("{address}:5222"));
    assert_eq!(gate.connections(), 1);
}
