//! User names, passwords and domains beyond ASCII.

use connreq::{Answer, Credentials};

use super::{ALL_SCRAM, daemon, log_in};
use crate::harness::{LIMIT, Server, ServerOptions, on_each_server};

on_each_server!(
    a_comma_and_an_equals_sign_are_escaped,
    names_and_passwords_are_prepared_for_scram,
    names_and_passwords_are_prepared_for_plain,
    an_internationalized_domain_is_used
);

async fn a_comma_and_an_equals_sign_are_escaped<S: Server>() {
    let server = S::launch(&["a.test"], ServerOptions::default()).await;
    let login = log_in(&server, "one,two=2c=3d@a.test/wan", &[]).await;
    assert!(login.starts_with("TLS 1.3, SCRAM-SHA-"), "{login}");
}

async fn names_and_passwords_are_prepared_for_scram<S: Server>() {
    prepared(S::launch(&["a.test"], ServerOptions::default()).await).await;
}

async fn names_and_passwords_are_prepared_for_plain<S: Server>() {
    prepared(
        S::launch(&["a.test"], ServerOptions { disabled_mechanisms: ALL_SCRAM, ..ServerOptions::default() }).await,
    )
    .await;
}

/// The server stores the names as prepared by `SASLprep` (RFC 4013); xmppd's file has another form.
async fn prepared(server: impl Server) {
    server.add_account("j\u{fc}rgen@a.test", "pa\u{df}wort 2\u{e9}");
    let options = [("username", "ju\u{308}rgen"), ("password", "pa\u{df}wort\u{a0}\u{b2}e\u{301}")];
    let daemon = daemon(&server, "j\u{fc}rgen@a.test/wan", &options);
    daemon.wait_for_log(&["online as j\u{fc}rgen@a.test/wan"], LIMIT).await;
    server.wait_client("j\u{fc}rgen@a.test/wan", LIMIT).await;
}

async fn an_internationalized_domain_is_used<S: Server>() {
    let server = S::launch(&["b\u{fc}cher.test"], ServerOptions::default()).await;
    server.account("cpe@b\u{fc}cher.test");
    let daemon = daemon(&server, "cpe@b\u{fc}cher.test/wan", &[]);
    daemon.wait_for_log(&["online as cpe@b\u{fc}cher.test/wan"], LIMIT).await;
    let mut acs = server.acs("acs@b\u{fc}cher.test/r").await;
    let to = "cpe@b\u{fc}cher.test/wan".parse().unwrap();
    let answer = acs.request(&to, &Credentials::new("cpe-user", "cpe-secret"), LIMIT).await;
    assert!(matches!(answer, Answer::Result { .. }), "{answer:?}");
}
