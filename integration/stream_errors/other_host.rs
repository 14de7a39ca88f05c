//! `see-other-host`: the client connects to the host that the server names (RFC 6120 4.9.3.19).

use std::sync::{Arc, OnceLock};

use super::{LONG, bundle, connections, daemon, ends_with, error, stays, wait_after, wait_online, waiting};
use crate::harness::scripted_server::STARTTLS;
use crate::harness::{Endpoint, LIMIT, ScriptedServer, ports};

/// The other server has a certificate for the domain, not for its own name, from the same CA.
#[tokio::test]
async fn is_followed_at_once_with_the_same_domain() {
    let other = ScriptedServer::start("a.test", |_, mut peer| async move { stays(&mut peer).await }).await;
    let there = other.port();
    for before_login in [false, true] {
        let first = ScriptedServer::start("a.test", move |_, mut peer| async move {
            let elsewhere = error("see-other-host", &format!("127.0.0.1:{there}"));
            if before_login {
                peer.open(STARTTLS).await?;
                peer.starttls().await?;
                peer.expect("<stream:stream").await?;
                let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                              version='1.0' id='s' from='a.test'>";
                peer.send(format!("{header}{elsewhere}")).await?;
                peer.expect_end().await.map(drop)
            } else {
                ends_with(&mut peer, &elsewhere).await
            }
        })
        .await;
        let bundle = bundle(&[&first, &other]);
        let before = connections(&other);
        let ca = bundle.path().join("all.pem");
        let options = [&LONG[..], &[("tls_ca", ca.to_str().unwrap())]].concat();
        let daemon = daemon(&first, &[], &options);
        daemon.wait_for_log(&["the server redirects to", &there.to_string()], LIMIT).await;
        wait_online(&other, before).await;
        let enabled = daemon.wait_for_status(1, "Enabled there", |status| {
            status.word() == "Enabled" && status.get("address") == Some(&*format!("127.0.0.1:{there}"))
        });
        enabled.await;
        assert_eq!(connections(&first), 1);
    }
}

/// A certificate for the name of the other host is not valid for the domain.
#[tokio::test]
async fn needs_a_certificate_of_the_domain() {
    let other = ScriptedServer::start("127.0.0.1", |_, mut peer| async move {
        peer.open(STARTTLS).await?;
        let _ = peer.starttls().await;
        Ok(())
    })
    .await;
    let there = other.port();
    let first = ScriptedServer::start("a.test", move |_, mut peer| async move {
        ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{there}"))).await
    })
    .await;
    let bundle = bundle(&[&first, &other]);
    let ca = bundle.path().join("all.pem");
    let options = [&LONG[..], &[("tls_ca", ca.to_str().unwrap())]].concat();
    let daemon = daemon(&first, &[], &options);
    daemon.wait_for_log(&["attempt failed", "the server's certificate is not accepted"], LIMIT).await;
    assert_eq!(waiting(&daemon).await.word(), "Error_Misconfigured");
    // Only STARTTLS was requested from it.
    assert!(!other.seen()[0].received.contains("<auth"));
}

/// Two servers redirect to each other.
#[tokio::test]
async fn is_followed_at_most_three_times_in_a_row() {
    let here = Arc::new(OnceLock::new());
    let told: Arc<OnceLock<u16>> = Arc::clone(&here);
    let script = ScriptedServer::start("a.test", move |_, mut peer| {
        let here = told.get().copied().unwrap_or_default();
        async move { ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{here}"))).await }
    })
    .await;
    here.set(script.port()).unwrap();
    let daemon = daemon(&script, &[], &LONG);
    daemon.wait_for_log(&["redirected more than 3 times in a row"], LIMIT).await;
    let wait = wait_after(&daemon, &["stream lost", "see-other-host"]).await;
    assert!(wait > 0.0);
    script.wait_finished(3, LIMIT).await;
    assert_eq!(connections(&script), 4);
    assert_eq!(daemon.log().since(0, &["the server redirects to"]).len(), 3);
}

/// An unreachable host is tried once; then the connection's own servers are tried again.
#[tokio::test]
async fn an_unreachable_other_host_is_followed_by_the_own_servers() {
    let closed = ports::free();
    let script = ScriptedServer::start("a.test", move |number, mut peer| async move {
        if number == 0 {
            ends_with(&mut peer, &error("see-other-host", &format!("127.0.0.1:{closed}"))).await
        } else {
            stays(&mut peer).await
        }
    })
    .await;
    let daemon = daemon(&script, &[], &[]);
    wait_online(&script, 1).await;
    let failed = daemon.log().since(0, &["attempt failed at", &closed.to_string(), "Connection refused"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(daemon.log().since(0, &["attempt failed"]), failed, "no other server was tried in between");
}

/// Without a valid host the stream just counts as lost.
#[tokio::test]
async fn an_invalid_other_host_counts_as_a_lost_stream() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        ends_with(&mut peer, &error("see-other-host", "not a host:x")).await
    })
    .await;
    let daemon = daemon(&script, &[], &LONG);
    wait_after(&daemon, &["stream lost", "see-other-host"]).await;
    assert_eq!(waiting(&daemon).await.word(), "Dormant");
    assert_eq!(connections(&script), 1);
}
