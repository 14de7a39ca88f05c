//! The mechanism used, by real server, mechanisms offered and version of TLS.

use std::time::Duration;

use super::{ALL_SCRAM, daemon, log_in};
use crate::harness::ejabberd::Options;
use crate::harness::scripted_server::MECHANISMS;
use crate::harness::{Daemon, Ejabberd, LIMIT, ScriptedServer, Section, Server, ServerOptions, on_each_server};

const SHA_512: &[&str] = &["SCRAM-SHA-512", "SCRAM-SHA-512-PLUS"];
const SHA_512_AND_256: &[&str] = &["SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

on_each_server!(
    scram_sha_256_is_used_if_offered,
    scram_sha_1_is_used_without_sha_256,
    plain_is_used_over_tls_without_scram,
    a_login_without_tls_uses_scram,
    tls_is_used_if_the_server_requires_it
);

async fn scram_sha_256_is_used_if_offered<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let server = S::launch(
            &["a.test"],
            ServerOptions { tls12_only, disabled_mechanisms: SHA_512, ..ServerOptions::default() },
        )
        .await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, format!("{tls}, SCRAM-SHA-256"));
    }
}

/// ejabberd offers -PLUS over TLS 1.3 without naming bindings, but supports only `tls-unique`.
#[tokio::test]
async fn a_refused_binding_is_followed_by_a_login_without() {
    let server = Ejabberd::start(&["a.test"]).await;
    server.account("cpe@a.test");
    let daemon = daemon(&server, "cpe@a.test/wan", &[]);
    daemon.wait_for_log(&["online as cpe@a.test/wan", "TLS 1.3, SCRAM-SHA-512)"], LIMIT).await;
    assert_eq!(daemon.log().since(0, &["rejects the channel binding", "Invalid channel binding"]).len(), 1);
    // That does not count as a failed attempt.
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
}

async fn scram_sha_1_is_used_without_sha_256<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let wanted = ServerOptions { tls12_only, disabled_mechanisms: SHA_512_AND_256, ..ServerOptions::default() };
        let server = S::launch(&["a.test"], wanted).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, format!("{tls}, SCRAM-SHA-1"));
    }
}

async fn plain_is_used_over_tls_without_scram<S: Server>() {
    let wanted = ServerOptions { disabled_mechanisms: ALL_SCRAM, ..ServerOptions::default() };
    let server = S::launch(&["a.test"], wanted).await;
    assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, "TLS 1.3, PLAIN");
}

async fn a_login_without_tls_uses_scram<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions { require_tls: false, ..ServerOptions::default() }).await;
    let login = log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await;
    assert!(login.starts_with("no TLS, SCRAM-SHA-"), "{login}");
}

async fn tls_is_used_if_the_server_requires_it<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions::default()).await;
    let login = log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await;
    assert!(login.starts_with("TLS 1.3, SCRAM-SHA-"), "{login}");
}

/// An ejabberd that stores only SHA-512 hashes. It offers PLAIN as well, which must not be used.
#[tokio::test]
async fn scram_sha_512_is_used_if_it_is_the_only_one() {
    for disabled in [&["PLAIN", "X-OAUTH2"][..], &[]] {
        let options = Options { scram: Some("sha512"), disabled_mechanisms: disabled.to_vec(), ..Options::default() };
        let server = Ejabberd::start_with(&["a.test"], options).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, "TLS 1.3, SCRAM-SHA-512");
        assert!(!server.log().contains("mechanism='PLAIN'") && !server.log().contains("mechanism=\"PLAIN\""));
    }
}

/// More than the present recommendation for SHA-256, which is 600,000.
#[tokio::test]
async fn a_million_iterations_are_accepted() {
    let script = ScriptedServer::start("a.test", |_, mut peer| async move {
        peer.encrypt(MECHANISMS).await?;
        peer.ask_for_iterations(1_000_000).await?;
        peer.element("response").await.map(drop)
    })
    .await;
    let section = Section::connection(1, "cpe@a.test/wan", &script);
    let _daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, &script)]);
    script.wait_finished(0, Duration::from_secs(120)).await;
}
