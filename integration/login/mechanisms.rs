//! Which mechanism is used, by what a real server offers and by the version of TLS.

use std::time::Duration;

use super::{ALL_SCRAM, daemon, log_in};
use crate::harness::ejabberd::Options;
use crate::harness::prosody::PASSWORD;
use crate::harness::script::{MECHANISMS, STARTTLS};
use crate::harness::{Daemon, Ejabberd, LIMIT, Script, Section, Server, Wanted, on_each_server};

const SHA_512: &[&str] = &["SCRAM-SHA-512", "SCRAM-SHA-512-PLUS"];
const SHA_512_AND_256: &[&str] = &["SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

on_each_server!(scram_sha_256, scram_sha_1, plain_over_tls, without_tls, tls_where_the_server_requires_it);

async fn scram_sha_256<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let server =
            S::launch(&["a.test"], Wanted { tls12_only, disabled_mechanisms: SHA_512, ..Wanted::default() }).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, format!("{tls}, SCRAM-SHA-256"));
    }
}

/// ejabberd offers -PLUS over TLS 1.3 as well, names no bindings, and knows `tls-unique` alone.
#[tokio::test]
async fn a_binding_that_the_server_offers_and_refuses() {
    let server = Ejabberd::start(&["a.test"]).await;
    server.add_account("cpe@a.test", PASSWORD);
    let daemon = daemon(&server, "cpe@a.test/wan", &[]);
    daemon.wait_for_log(&["online as cpe@a.test/wan", "TLS 1.3, SCRAM-SHA-512)"], LIMIT).await;
    assert_eq!(daemon.log().since(0, &["rejects the channel binding", "Invalid channel binding"]).len(), 1);
    // That was no failed attempt.
    assert_eq!(daemon.log().since(0, &["attempt failed"]), [""; 0]);
}

async fn scram_sha_1<S: Server>() {
    for (tls12_only, tls) in [(false, "TLS 1.3"), (true, "TLS 1.2")] {
        let wanted = Wanted { tls12_only, disabled_mechanisms: SHA_512_AND_256, ..Wanted::default() };
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
    let login = log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await;
    assert!(login.starts_with("no TLS, SCRAM-SHA-"), "{login}");
}

async fn tls_where_the_server_requires_it<S: Server>() {
    let server = S::launch(&["a.test"], Wanted::default()).await;
    let login = log_in(&server, "cpe@a.test/wan", &[("usetls", "0")]).await;
    assert!(login.starts_with("TLS 1.3, SCRAM-SHA-"), "{login}");
}

/// An ejabberd that keeps hashes for SHA-512 alone. Where it offers PLAIN as well, the password does not go out by it.
#[tokio::test]
async fn scram_sha_512() {
    for disabled in [&["PLAIN", "X-OAUTH2"][..], &[]] {
        let options = Options { scram: Some("sha512"), disabled_mechanisms: disabled.to_vec(), ..Options::default() };
        let server = Ejabberd::start_with(&["a.test"], options).await;
        assert_eq!(log_in(&server, "cpe@a.test/wan", &[]).await, "TLS 1.3, SCRAM-SHA-512");
        assert!(!server.log().contains("mechanism='PLAIN'") && !server.log().contains("mechanism=\"PLAIN\""));
    }
}

/// More than today's recommendation for SHA-256, which is 600,000.
#[tokio::test]
async fn a_million_iterations_are_answered() {
    let script = Script::start("a.test", |_, mut peer| async move {
        peer.open(STARTTLS).await?;
        peer.starttls().await?;
        peer.open(MECHANISMS).await?;
        peer.ask_for_iterations(1_000_000).await?;
        peer.element("response").await.map(drop)
    })
    .await;
    let section = Section::connection(1, "cpe@a.test/wan", &script);
    let _daemon = Daemon::start([&Section::general(&[]), &section, &Section::server(1, &script)]);
    script.wait_played(0, Duration::from_secs(120)).await;
}
