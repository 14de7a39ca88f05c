//! Kinds of certificates: which are accepted, and the errors for the others.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::openssl::{ED25519, P256, P384, P521, RSA, Workshop, openssl};
use super::{daemon, refused_line};
use crate::harness::{Ca, Daemon, LIMIT, Options, Prosody, SServer, Section, Server, ServerCert, Validity};

/// Each host of one Prosody has its own certificate, and each connection its own `tls_ca`.
#[tokio::test]
async fn each_supported_certificate_is_accepted() {
    let made = Workshop::new();
    let ca = made.authority("ca", P256);
    let hosts: Vec<(&str, ServerCert, PathBuf)> = vec![
        pinned("own-ca.test", made.own("own-ca", "own-ca.test", &[])),
        pinned("own-leaf.test", made.own("own-leaf", "own-leaf.test", &["-addext", "basicConstraints=CA:FALSE"])),
        pinned("issued.test", made.issued("issued", "issued.test", P256, "ca", &[])),
        pinned(
            "issued-ca.test",
            made.request("issued-ca", "i", RSA, Some("ca"), &["-addext", "subjectAltName=DNS:issued-ca.test"]),
        ),
        among_others("among.test", made.own("among", "among.test", &[]), &made),
        ("rsa.test", made.issued("rsa", "rsa.test", &["-newkey", "rsa:3072"], "ca", &[]), ca.clone()),
        ("p384.test", made.issued("p384", "p384.test", P384, "ca", &[]), ca.clone()),
        ("ed25519.test", made.issued("ed25519", "ed25519.test", ED25519, "ca", &[]), ca.clone()),
        ("upper.test", made.issued("upper", "UPPER.TEST", P256, "ca", &[]), ca.clone()),
        chained("chained.test", &made, ca.clone()),
    ];
    let mut lua = String::new();
    for (host, cert, _) in &hosts {
        let (crt, key) = (cert.certificate.display(), cert.key.display());
        writeln!(lua, "VirtualHost \"{host}\"\n  ssl = {{ certificate = \"{crt}\"; key = \"{key}\" }}").unwrap();
    }
    let server = Prosody::start_with(&["a.test"], Options { lua, ..Options::default() }).await;
    let mut sections = vec![Section::general(&[1])];
    for ((host, _, trusted), id) in hosts.iter().zip(1..) {
        server.account(&format!("cpe@{host}"));
        let connection = Section::connection(id, &format!("cpe@{host}/wan"), &server);
        sections.extend([connection.option("tls_ca", trusted.display()), Section::server(id, &server)]);
    }
    let daemon = Daemon::start(&sections);
    for (host, ..) in &hosts {
        daemon.wait_for_log(&[&format!("online as cpe@{host}/wan")], LIMIT).await;
    }
    assert_eq!(daemon.log().since(0, &["WARNING"]), [""; 0]);
}

/// `tls_ca` is the server's own certificate.
fn pinned(host: &'static str, cert: ServerCert) -> (&'static str, ServerCert, PathBuf) {
    let trusted = cert.certificate.clone();
    (host, cert, trusted)
}

/// `tls_ca` contains the server's own certificate after others.
fn among_others(host: &'static str, cert: ServerCert, made: &Workshop) -> (&'static str, ServerCert, PathBuf) {
    let (ca, other) = (made.path("ca.crt"), made.own("other", "other.test", &[]).certificate);
    let bundle = made.joined("among.pem", &[&ca, &other, &cert.certificate]);
    (host, cert, bundle)
}

/// A chain with an intermediate CA, which the server sends.
fn chained(host: &'static str, made: &Workshop, ca: PathBuf) -> (&'static str, ServerCert, PathBuf) {
    let between = made.request("between", "between", P256, Some("ca"), &[]);
    let leaf = made.issued("chained", host, P256, "between", &[]);
    let chain = made.joined("chain.pem", &[&leaf.certificate, &between.certificate]);
    (host, ServerCert { certificate: chain, ..leaf }, ca)
}

/// A server with this certificate and these arguments of `s_server`, a client that trusts this file, and the expected
/// error.
struct Refusal {
    cert: ServerCert,
    trusted: PathBuf,
    server: &'static [&'static str],
    words: &'static [&'static str],
}

const SUPPORTED: &str = "xmppd supports TLS 1.2 and 1.3, ECDHE key exchange with X25519, P-256 or P-384, AES-GCM or \
                         ChaCha20-Poly1305, and certificates with RSA (2048 to 8192 bits), ECDSA P-256 or P-384, or Ed25519 keys";

#[tokio::test]
async fn each_unsupported_certificate_is_rejected_with_its_reason() {
    let made = Workshop::new();
    let ca = made.authority("ca", P256);
    let (other, big) = (made.authority("other", P256), made.authority("big", P521));
    let rsa_ca = made.authority("rsa-ca", RSA);
    let lab = Ca::new();
    let in_2001 = lab.server_cert(made.directory(), &["a.test", "in-2001"], Validity::Expired);
    let in_2001 = renamed(&made, in_2001, "expired");
    let in_2200 = renamed(&made, lab.server_cert(made.directory(), &["a.test"], Validity::NotYet), "not-yet");
    let named = made.own("named", "b.test", &["-addext", "basicConstraints=CA:FALSE"]);
    let nameless = made.request("nameless", "a.test", RSA, None, &["-addext", "basicConstraints=CA:FALSE"]);
    let own = made.own("own", "a.test", &[]);
    let weak = made.issued("weak", "a.test", &["-newkey", "rsa:1024"], "ca", &[]);
    let good = made.issued("good", "a.test", RSA, "ca", &[]);
    let refused = |cert: &ServerCert, trusted: &PathBuf, server: &'static [&'static str], words| Refusal {
        cert: cert.clone(),
        trusted: trusted.clone(),
        server,
        words,
    };
    let table = [
        refused(
            &own,
            &other,
            &[],
            &["unknown issuer: it is self-signed", "tls_ca", "other.crt", "names a.test", "key RSA 2048 bits"],
        ),
        refused(&good, &other, &[], &["unknown issuer 'CN=ca'", "other.crt", "names a.test, valid 20"]),
        refused(
            &in_2001,
            &in_2001.certificate,
            &[],
            &[
                "expired on 2001-12-31",
                "now it is 20",
                "names a.test, in-2001",
                "key ECDSA P-256",
                "issuer 'CN=xmppd test CA'",
            ],
        ),
        refused(&in_2200, &in_2200.certificate, &[], &["not valid before 2200-01-01", "now it is 20"]),
        refused(&named, &named.certificate, &[], &["not valid for the name a.test", "names b.test"]),
        refused(
            &nameless,
            &nameless.certificate,
            &[],
            &["not valid for the name a.test", "no names (its subject 'CN=a.test' does not count)"],
        ),
        refused(
            &made.issued("client", "a.test", P256, "ca", &["-addext", "extendedKeyUsage=clientAuth"]),
            &ca,
            &[],
            &["not for servers", "clientAuth"],
        ),
        refused(
            &made.request("ca-leaf", "a.test", P256, Some("ca"), &["-addext", "subjectAltName=DNS:a.test"]),
            &ca,
            &[],
            &["it is a CA's certificate", "tls_ca"],
        ),
        refused(&version_1(&made), &ca, &[], &["version 1", "version 3"]),
        refused(&weak, &ca, &["-cipher", "ALL:@SECLEVEL=0"], &["key RSA 1024 bits", "2048"]),
        refused(&made.issued("by-big", "a.test", P256, "big", &[]), &big, &[], &["ECDSA", "P-521"]),
        refused(
            &made.issued("sha1", "a.test", P256, "rsa-ca", &["-sha1"]),
            &rsa_ca,
            &["-cipher", "ALL:@SECLEVEL=0"],
            &["signed with RSA SHA-1"],
        ),
        refused(&made.issued("p521", "a.test", P521, "ca", &[]), &ca, &[], &["handshake_failure", SUPPORTED]),
        refused(&good, &ca, &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"], &["handshake_failure", SUPPORTED]),
        refused(&good, &ca, &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], &["handshake_failure", SUPPORTED]),
        refused(&good, &ca, &["-tls1_2", "-cipher", "AES128-GCM-SHA256"], &["handshake_failure", SUPPORTED]),
        refused(&good, &ca, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &["TLS 1.2"]),
    ];
    let mut wrong = Vec::new();
    for Refusal { cert, trusted, server, words } in table {
        let server = SServer::start(&cert, &trusted, server).await;
        let daemon = daemon(&server, &[("initial_retry_interval", "1000"), ("retry_max_interval", "1000")]);
        let line = refused_line(&daemon).await;
        let debug = ["Error(", "Other", "Context", "{", "[", "UnknownIssuer", "HandshakeFailure", "received fatal"];
        let missing: Vec<_> = words.iter().filter(|&&words| !line.contains(words)).collect();
        let debug: Vec<_> = debug.iter().filter(|&&form| line.contains(form)).collect();
        if !missing.is_empty() || !debug.is_empty() || !line.contains("TLS: ") {
            wrong.push(format!("{}: lacks {missing:?}, holds {debug:?}: {line}", cert.certificate.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same files under another name.
fn renamed(made: &Workshop, cert: ServerCert, stem: &str) -> ServerCert {
    let to = made.files(stem);
    std::fs::rename(cert.certificate, &to.certificate).unwrap();
    std::fs::rename(cert.key, &to.key).unwrap();
    to
}

/// A certificate without extensions.
fn version_1(made: &Workshop) -> ServerCert {
    let dir = made.directory();
    openssl(
        dir,
        &["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a.test", "-keyout", "v1.key", "-out", "v1.csr"],
    );
    openssl(
        dir,
        &["x509", "-req", "-in", "v1.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "v1.crt"],
    );
    made.files("v1")
}
