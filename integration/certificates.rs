//! Accepted server certificates, changes to them, and resumption of TLS sessions.

mod forms;
mod memory;
mod openssl;
mod store;
mod trust_files;

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};

use crate::harness::scripted_server::STARTTLS;
use crate::harness::{
    Ca, Daemon, Endpoint, LIMIT, Options, Prosody, ScriptedServer, Section, Server, Setup, Status, Validity,
};

const CPE: &str = "cpe@a.test/wan";
const ANY: &str = "tls_verify is 0: any certificate is accepted";

/// A connection to this server by STARTTLS, with these additional options.
fn section(server: &impl Endpoint, options: &[(&str, &str)]) -> Section {
    Section::connection(1, CPE, server).options(options)
}

fn daemon(server: &impl Endpoint, options: &[(&str, &str)]) -> Daemon {
    Daemon::start([&Section::general(&[1]), &section(server, options), &Section::server(1, server)])
}

async fn online(daemon: &Daemon, mark: usize) -> String {
    daemon.log().wait(mark, &["online as", CPE], LIMIT).await
}

/// Waits until status and log report that the certificate is rejected, with this text.
async fn refused(daemon: &Daemon, words: &str) {
    let line = ["WARNING", "attempt failed", "TLS: the server's certificate is not accepted", words];
    daemon.wait_for_log(&line, LIMIT).await;
    let said = |status: &Status| {
        status.word() == "Error_Misconfigured" && status.get("error").is_some_and(|error| error.contains(words))
    };
    let status = daemon.wait_for_status(1, "Error_Misconfigured", said).await;
    assert_eq!(status.get("tls"), Some("false"), "{status:?}");
}

/// Returns the log line of the first attempt, which fails during TLS.
async fn refused_line(daemon: &Daemon) -> String {
    daemon.wait_for_log(&["WARNING", "attempt failed"], LIMIT).await
}

/// Fails unless this server's certificate is rejected with this text, before any login.
async fn refuses(server: &Prosody, options: &[(&str, &str)], words: &str) {
    server.account("cpe@a.test");
    // Long enough to be seen in the status.
    let waits = [("initial_retry_interval", "1000"), ("retry_max_interval", "1000")];
    let daemon = daemon(server, &[&waits[..], options].concat());
    refused(&daemon, words).await;
    assert!(!server.log().contains("SASL"), "a login was begun");
    assert_eq!(server.login_counts(CPE).bound, 0);
    // With tls_verify 0 the same certificate is accepted, with a warning each time.
    let all = [options, &[("tls_verify", "0")]].concat();
    let mut careless = self::daemon(server, &all);
    for _ in 0..2 {
        careless.wait_for_log(&["WARNING", "connection 1 ", ANY], LIMIT).await;
        online(&careless, 0).await;
        assert_eq!(careless.log().since(0, &[ANY]).len(), 1);
        assert!(careless.stop().await.success());
        careless.start_again();
    }
}

async fn prosody(validity: Validity) -> Prosody {
    Prosody::start_with(&["a.test"], Options { validity, ..Options::default() }).await
}

#[tokio::test]
async fn an_expired_certificate_is_rejected() {
    refuses(&prosody(Validity::Expired).await, &[], "expired").await;
}

#[tokio::test]
async fn a_certificate_not_yet_valid_is_rejected() {
    refuses(&prosody(Validity::NotYet).await, &[], "not valid before 2200-01-01").await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_issuer_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let other = self_sign(directory.path(), "ca.test");
    let ca = other.to_str().unwrap();
    refuses(&prosody(Validity::Now).await, &[("tls_ca", ca)], "unknown issuer").await;
}

/// The issuer has the name of the trusted CA, but another key.
#[tokio::test]
async fn a_certificate_of_a_forged_issuer_is_rejected() {
    let other = Ca::new();
    let ca = other.pem();
    refuses(
        &prosody(Validity::Now).await,
        &[("tls_ca", ca.to_str().unwrap())],
        "its signature was not made by the trusted CA of that name",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_rejected() {
    let script = ScriptedServer::start("b.test", |_, mut peer| async move {
        peer.open(STARTTLS).await?;
        let _ = peer.starttls().await;
        Ok(())
    })
    .await;
    let daemon = daemon(&script, &[("initial_retry_interval", "1000"), ("retry_max_interval", "1000")]);
    refused(&daemon, "not valid for the name a.test").await;
    // The error also has the name for which the certificate is valid.
    refused(&daemon, "b.test").await;
    assert!(!script.wait_finished(0, LIMIT).await.received.contains("<auth"));
}

/// Writes a self-signed certificate for this host, and its key, where the server looks for them.
fn self_sign(directory: &Path, host: &str) -> PathBuf {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = directory.join(format!("{host}.crt"));
    std::fs::write(&path, certificate.pem()).unwrap();
    std::fs::write(directory.join(format!("{host}.key")), key.serialize_pem()).unwrap();
    path
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_only_if_it_is_in_tls_ca() {
    let directory = tempfile::tempdir().unwrap();
    let own = self_sign(directory.path(), "self.test");
    let lua = format!(
        "VirtualHost \"self.test\"\n  ssl = {{ certificate = \"{}\"; key = \"{}\" }}",
        own.display(),
        own.with_extension("key").display()
    );
    let server = Prosody::start_with(&["a.test"], Options { lua, ..Options::default() }).await;
    server.account("cpe@self.test");
    let to_self = |options: &[(&str, &str)]| {
        let daemon = section(&server, options).option("domain", "self.test");
        Daemon::start([&Section::general(&[1]), &daemon, &Section::server(1, &server)])
    };
    refused(&to_self(&[]), "unknown issuer").await;
    let careless = to_self(&[("tls_verify", "0")]);
    careless.wait_for_log(&["online as cpe@self.test/wan"], LIMIT).await;
    // It is accepted if tls_ca contains the certificate itself.
    let pinned = to_self(&[("tls_ca", own.to_str().unwrap())]);
    pinned.wait_for_log(&["online as cpe@self.test/wan"], LIMIT).await;
}

/// A file that cannot be read or has no certificate is a configuration error.
#[tokio::test]
async fn an_unusable_tls_ca_is_an_error_until_it_is_corrected() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let name = ca.to_str().unwrap().to_owned();
    let daemon = daemon(&server, &[("tls_ca", &name)]);
    daemon.wait_for_log(&["attempt failed", "tls_ca", &name, "No such file"], LIMIT).await;
    daemon.wait_for_status(1, "Error_Misconfigured", |status| status.word() == "Error_Misconfigured").await;
    std::fs::write(&ca, "nothing that is a certificate\n").unwrap();
    daemon.wait_for_log(&["attempt failed", &name, "it holds no certificate"], LIMIT).await;
    let mark = daemon.log().mark();
    std::fs::copy(server.ca_pem(), &ca).unwrap();
    online(&daemon, mark).await;
}

/// The CA file is replaced: the next attempt uses the new one, without a restart.
#[tokio::test]
async fn a_replaced_tls_ca_is_used_for_the_next_attempt() {
    let mut server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let replace = |with: &Path| {
        let new = ca.with_extension("new");
        std::fs::copy(with, &new).unwrap();
        std::fs::rename(new, &ca).unwrap();
    };
    let other = self_sign(directory.path(), "ca.test");
    replace(&other);
    let daemon = daemon(&server, &[("tls_ca", ca.to_str().unwrap())]);
    refused(&daemon, "unknown issuer").await;
    let mark = daemon.log().mark();
    replace(&server.ca_pem());
    online(&daemon, mark).await;

    // The present stream stays up; the next one uses the new file.
    replace(&other);
    let mark = daemon.log().mark();
    server.kill().await;
    server.start_again().await;
    daemon.log().wait(mark, &["attempt failed", "the server's certificate is not accepted"], LIMIT).await;
    assert_eq!(daemon.log().since(mark, &["online as"]), [""; 0]);
}

/// Connects twice and checks in the log what the server's TLS reports of the second connection.
async fn reconnects(versions: &[&'static rustls::SupportedProtocolVersion]) -> Vec<String> {
    let script = ScriptedServer::start_with("a.test", versions, |number, mut peer| async move {
        peer.log_in(CPE).await?;
        peer.expect("<presence").await?;
        if number == 0 { Ok(()) } else { peer.expect_end().await.map(drop) }
    })
    .await;
    let daemon = daemon(&script, &[]);
    let first = online(&daemon, 0).await;
    let mark = daemon.log().since(0, &[]).iter().position(|line| *line == first).unwrap() + 1;
    vec![first, online(&daemon, mark).await]
}

#[tokio::test]
async fn a_tls_session_is_resumed() {
    for (version, name) in [(&rustls::version::TLS13, "TLS 1.3"), (&rustls::version::TLS12, "TLS 1.2")] {
        let online = reconnects(&[version]).await;
        assert!(online[0].contains(&format!("({name}, SCRAM")), "{online:?}");
        assert!(online[1].contains(&format!("({name}, session resumed, SCRAM")), "{online:?}");
    }
}

fn in_1970(setup: Setup) -> Setup {
    setup.starting_at("1970-01-02 00:00:00")
}

const CLOCK: &str = "the system's clock is before the time when this program was built";

/// On a device without a real-time clock, certificates are checked as of the build time, and a warning says so once.
#[tokio::test]
async fn a_clock_in_1970_is_replaced_by_the_build_time_with_one_warning() {
    let server = prosody(Validity::Now).await;
    for account in ["cpe@a.test", "cpe2@a.test"] {
        server.account(account);
    }
    let second = Section::connection(2, "cpe2@a.test/lan", &server);
    let rows = [Section::server(1, &server), Section::server(2, &server)];
    let sections = [&Section::general(&[1]), &section(&server, &[]), &second, &rows[0], &rows[1]];
    let mut daemon = in_1970(Setup::new(sections)).start();
    online(&daemon, 0).await;
    daemon.wait_for_log(&["online as cpe2@a.test/lan"], LIMIT).await;
    let status = daemon.wait_for_status(1, "Enabled", |status| status.word() == "Enabled").await;
    let since = status.number("since");
    assert!((80_000.0..200_000.0).contains(&since), "the daemon does not believe in 1970: {status:?}");
    // Two connections and a reload still cause a single warning.
    assert_eq!(daemon.log().since(0, &["WARNING", CLOCK]).len(), 1);
    assert!(daemon.stop().await.success());
}

/// It was issued after the build, so that the time is not before that.
#[tokio::test]
async fn a_certificate_newer_than_the_program_is_accepted_with_a_clock_in_1970() {
    let server = prosody(Validity::NotYet).await;
    server.account("cpe@a.test");
    let sections = [&Section::general(&[1]), &section(&server, &[]), &Section::server(1, &server)];
    let daemon = in_1970(Setup::new(sections)).start();
    online(&daemon, 0).await;
}

/// The other checks still apply.
#[tokio::test]
async fn an_expired_certificate_is_rejected_with_a_clock_in_1970() {
    let server = prosody(Validity::Expired).await;
    server.account("cpe@a.test");
    let sections = [&Section::general(&[1]), &section(&server, &[]), &Section::server(1, &server)];
    let daemon = in_1970(Setup::new(sections)).start();
    refused(&daemon, "expired").await;
    assert_eq!(server.login_counts(CPE).bound, 0);
}

/// With a correct clock there is no warning.
#[tokio::test]
async fn a_correct_clock_causes_no_warning() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let daemon = daemon(&server, &[]);
    online(&daemon, 0).await;
    assert_eq!(daemon.log().since(0, &["WARNING"]), [""; 0]);
}
