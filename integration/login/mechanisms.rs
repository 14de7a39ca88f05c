//! Which mechanism is used, by what a real server offers and by the version of TLS.

use super::{ALL_SCRAM, daemon, log_in};
use crate::harness::prosody::PASSWORD;
use crate::harness::{Ejabberd, LIMIT, Server, Wanted, on_each_server};

const SHA_256: &[&str] = &["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

on_each_server!(scram_sha_256, scram_sha_1, plain_over_tls, without_tls, tls_where_the_server_requires_it);

async fn scram_sha_256<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let server = S::launch(&["a.test"], Wanted { tls12_only, ..Wanted::default() }).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, format!("{tls}, SCRAM-SHA-256"));
    }
}

/// ejabberd offers -PLUS over TLS 1.3 as well, names no bindings, and knows `tls-unique` alone.
#[tokio::test]
async fn a_binding_that_the_server_offers_and_refuses() {
    let server = Ejabberd::start(&["a.test"]).await;
    server.add_account("cpe@a.test", PASSWORD);
    let daemon = daemon(&server, "cpe@a.test/wan", &[]);
    daemon.wait_for_log(&["online as cpe@a.test/wan", "TLS 1.3, SCRAM-SHA-256)"], LIMIT).await;
    assert_eq!(daemon.log().since(0, &["rejects the channel binding", "Invalid channel binding"]).len(), 1);
    // That was no failed attempt.
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
}

async fn scram_sha_1<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let wanted = Wanted { tls12_only, disabled_mechanisms: SHA_256, ..Wanted::default() };
        let server = S::launch(&["a.test"], wanted).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, format!("{tls}, SCRAM-SHA-1"));
    }
}

async fn plain_over_tls<S: Server>() {
    let wanted = Wanted { disabled_mechanisms: ALL_SCRAM, ..Wanted::default() };
    let server = S::launch(&["a.test"], wanted).await;
    assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, "TLS 1.3, PLAIN");
}

async fn without_tls<S: Server>() {
    let server = S::launch(&["a.test"], Wanted { require_tls: false, ..Wanted::default() }).await;
    assert_eq!(log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await, "no TLS, SCRAM-SHA-256");
}

async fn tls_where_the_server_requires_it<S: Server>() {
    let server = S::launch(&["a.test"], Wanted::default()).await;
    assert_eq!(log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await, "TLS 1.3, SCRAM-SHA-256");
}
