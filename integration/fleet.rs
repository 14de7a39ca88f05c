//! One file with 1, 2 and 20 connections, each with its own account.

use std::time::Duration;

use crate::harness::fleet::{accepted, jid, refused};
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::ubus::Call;
use crate::harness::{Prosody, Server, Settings};

/// Starts the connections and checks that each has its own TCP connection and accepts requests if `id` says so.
async fn all_online_and_answering(count: u32, accepting: &[u32]) {
    let prosody = Prosody::start(&["a.test"]).await;
    let fleet = Settings::fleet(count, accepting, &prosody);
    let (mut daemon, sessions) = fleet.start(&prosody).await;
    let ports: std::collections::BTreeSet<u16> = sessions.values().map(|session| session.port).collect();
    assert_eq!(ports.len(), count as usize, "each has a TCP connection of its own");

    let mut acs = prosody.acs("acs@a.test/r").await;
    let mut told = 0;
    for id in fleet.ids() {
        if accepting.contains(&id) {
            accepted(&mut acs, id).await;
            told += 1;
        } else {
            refused(&mut acs, id, "service-unavailable").await;
        }
        assert_eq!(daemon.ubus().calls().len(), told, "after connection {id}");
    }
    assert!(daemon.ubus().calls().iter().all(Call::announces_a_request));

    let status = daemon.statuses().await;
    assert_eq!(status.len(), count as usize);
    for id in fleet.ids() {
        let status = &status[&id];
        assert_eq!((status.word(), status.get("jid"), status.get("tls")), ("Enabled", Some(&*jid(id)), Some("true")));
        let expected = if accepting.contains(&id) { ("1", "0") } else { ("0", "1") };
        assert_eq!((status.get("accepted").unwrap(), status.get("refused_disabled").unwrap()), expected);
    }
    for (id, session) in sessions {
        assert_eq!(prosody.sessions().get(&jid(id)), Some(&session), "connection {id} was never away");
    }
    assert!(daemon.running());
}

#[tokio::test]
async fn one_connection_is_online_and_answers() {
    all_online_and_answering(1, &[1]).await;
}

#[tokio::test]
async fn one_connection_is_online_and_refuses() {
    all_online_and_answering(1, &[]).await;
}

#[tokio::test]
async fn two_connections_of_which_one_accepts_requests() {
    all_online_and_answering(2, &[2]).await;
}

#[tokio::test]
async fn twenty_connections_that_accept_requests() {
    let all: Vec<u32> = (1..=20).collect();
    all_online_and_answering(20, &all).await;
}

#[tokio::test]
async fn twenty_connections_of_which_some_accept_requests() {
    all_online_and_answering(20, &[1, 7, 19, 20]).await;
}

/// Requests to all connections at once are all answered, and calls of the CWMP client never overlap.
#[tokio::test]
async fn concurrent_requests_to_twenty_connections_are_all_answered() {
    let prosody = Prosody::start(&["a.test"]).await;
    let all: Vec<u32> = (1..=20).collect();
    let fleet = Settings::fleet(20, &all, &prosody);
    let (daemon, _) = fleet.start(&prosody).await;
    daemon.ubus().take(Duration::from_millis(500));
    let mut acs = prosody.raw_client("acs@a.test/r").await;
    let requests: Vec<String> = all.iter().map(|id| good_request(&jid(*id))).collect();
    acs.send(&requests.concat()).await;
    for answer in acs.answers(&requests).await {
        assert_result(&answer);
    }
    let calls = daemon.ubus().calls();
    assert!(calls.windows(2).all(|pair| pair[1].time - pair[0].time > 0.4), "told twice at once: {calls:?}");
    assert!(
        !calls.is_empty() && calls.iter().all(|call| call.announces_a_request() && call.status == Some(0)),
        "{calls:?}"
    );
}
