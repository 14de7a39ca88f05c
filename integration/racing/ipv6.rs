//! Races between an IPv6 address and an IPv4 address.

use super::{at, daemon, online_at};
use crate::harness::dns::own_address;
use crate::harness::{Endpoint, FaultProxy, LIMIT, Prosody};

#[tokio::test]
async fn an_ipv6_address_that_refuses_does_not_delay() {
    let prosody = Prosody::start(&["a.test"]).await;
    let address = own_address().to_string();
    let proxy = FaultProxy::listen_at(at(&address, 0), prosody.port()).await;
    let (_dns, daemon) = daemon(&prosody, &["::1", &address], proxy.port()).await;
    online_at(&daemon, &prosody, proxy.address(), &[at("::1", proxy.port())]).await;
    assert_eq!(proxy.connections(), 1);
}

/// The error has a reason for each address.
#[tokio::test]
async fn a_lost_race_is_one_failed_attempt() {
    let prosody = Prosody::start(&["a.test"]).await;
    let addresses = [own_address().to_string(), "::1".to_owned()];
    let (_dns, daemon) = daemon(&prosody, &[&addresses[0], &addresses[1]], 9).await;
    let line = daemon.wait_for_log(&["attempt failed at xmpp.a.test:9: connecting: "], LIMIT).await;
    let refused = "Connection refused (os error 111)";
    let expected = format!("[::1]:9: {refused}; {}:9: {refused}; next try in ", addresses[0]);
    assert!(line.contains(&expected), "{line}");
    let status = daemon.wait_for_value(1, "status", "ServerNotPresent").await;
    assert!(status.get("error").unwrap().contains(&addresses[0]), "{status:?}");
    assert_eq!(status.get("attempt"), Some("1"));
}
