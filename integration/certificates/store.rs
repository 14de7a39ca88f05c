//! The system's certificate store, and changes to it.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{CPE, online, prosody, refused, section, self_sign};
use crate::harness::{Endpoint, LIMIT, ScriptedServer, Section, Server, Setup, Validity};

fn with_store(server: &impl Endpoint, store: &Path) -> Setup {
    let sections = [Section::general(&[1]), section(server, &[]).without("tls_ca"), Section::server(1, server)];
    Setup::new(&sections).env("SSL_CERT_FILE", store)
}

fn replace(store: &Path, with: &Path) {
    let new = store.with_extension("new");
    std::fs::copy(with, &new).unwrap();
    std::fs::rename(new, store).unwrap();
}

/// When the package with the CAs is updated, an added CA is trusted at the next attempt, and a removed one is not.
#[tokio::test]
async fn an_updated_store_is_used_for_the_next_attempt() {
    let mut server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let directory = tempfile::tempdir().unwrap();
    let (store, other) = (directory.path().join("store.pem"), self_sign(directory.path(), "ca.test"));
    replace(&store, &other);
    let daemon = with_store(&server, &store).start();
    refused(&daemon, "unknown issuer 'CN=xmppd test CA': not in the system's store").await;
    let mark = daemon.log().mark();
    replace(&store, &server.ca_pem());
    online(&daemon, mark).await;

    replace(&store, &other);
    let mark = daemon.log().mark();
    server.kill().await;
    server.start_again().await;
    daemon.log().wait(mark, &["attempt failed", "unknown issuer"], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["online as"]), [""; 0]);
}

/// Resuming a TLS session from before the removal would skip the certificate.
#[tokio::test]
async fn a_tls_session_is_not_resumed_after_its_ca_was_removed() {
    let end = Arc::new(Notify::new());
    let told = Arc::clone(&end);
    let script = ScriptedServer::start("a.test", move |number, mut peer| {
        let told = Arc::clone(&told);
        async move {
            peer.log_in(CPE).await?;
            peer.expect("<presence").await?;
            if number == 0 {
                told.notified().await;
                return Ok(());
            }
            peer.expect_end().await.map(drop)
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let (store, other) = (directory.path().join("store.pem"), self_sign(directory.path(), "ca.test"));
    replace(&store, &script.ca_pem());
    let daemon = with_store(&script, &store).start();
    online(&daemon, 0).await;
    let mark = daemon.log().mark();
    replace(&store, &other);
    end.notify_one();
    daemon.log().wait(mark, &["attempt failed", "unknown issuer"], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["online as"]), [""; 0]);
}

/// The system's store contains CAs: a server's own certificate in it is not trusted as such.
#[tokio::test]
async fn a_server_certificate_in_the_systems_store_is_not_trusted() {
    let made = super::openssl::Workshop::new();
    let own = made.own("own", "a.test", &[]);
    let server = crate::harness::SServer::start(&own, &own.certificate, &[]).await;
    let daemon = with_store(&server, &own.certificate).start();
    refused(&daemon, "it is a CA's certificate").await;
}
