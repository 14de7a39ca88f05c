//! Files of trusted certificates as found in the field: what is read from them, and the warnings and errors for the
//! rest.

use std::path::PathBuf;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::openssl::{Workshop, openssl};
use super::prosody;
use crate::harness::program::xmppd;
use crate::harness::{Daemon, Endpoint, LIMIT, Section, Server, Validity};

/// The expected result of a connection with such a file.
enum Outcome {
    /// Online, without a warning.
    Online,
    /// Online, with a warning that contains this text.
    Warned(&'static str),
    /// No attempt succeeds; the error contains this text.
    Refused(&'static str),
}
use Outcome::{Online, Refused, Warned};

fn block(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// Returns all forms: name, path and expected outcome.
fn forms(made: &Workshop, ca: &str) -> Vec<(&'static str, PathBuf, Outcome)> {
    let dir = made.directory();
    made.written("ca.crt", ca);
    openssl(dir, &["x509", "-in", "ca.crt", "-outform", "DER", "-out", "der"]);
    openssl(dir, &["x509", "-in", "ca.crt", "-trustout", "-addtrust", "serverAuth", "-out", "trusted"]);
    openssl(dir, &["x509", "-in", "ca.crt", "-trustout", "-addreject", "serverAuth", "-out", "distrusted"]);
    openssl(dir, &["crl2pkcs7", "-nocrl", "-certfile", "ca.crt", "-out", "p7"]);
    openssl(dir, &["crl2pkcs7", "-nocrl", "-certfile", "ca.crt", "-outform", "DER", "-out", "p7-der"]);
    openssl(dir, &["pkcs12", "-export", "-nokeys", "-in", "ca.crt", "-passout", "pass:x", "-out", "p12"]);
    openssl(dir, &["genpkey", "-algorithm", "ed25519", "-out", "key"]);
    openssl(dir, &["req", "-new", "-key", "key", "-subj", "/CN=a", "-out", "csr"]);
    let text =
        Command::new("openssl").args(["x509", "-text", "-in", "ca.crt"]).current_dir(dir).output().unwrap().stdout;
    let body: String = ca.split_inclusive('\n').filter(|line| !line.starts_with('-')).collect();
    let read = |name: &str| std::fs::read_to_string(made.path(name)).unwrap();
    let cut = &ca[..ca.len() / 2];
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(ca.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let directory = |name: &str, file: Option<&str>| {
        std::fs::create_dir(made.path(name)).unwrap();
        if let Some(text) = file {
            std::fs::write(made.path(name).join("1a2b3c4d.0"), text).unwrap();
            std::fs::write(made.path(name).join("README"), "certificates\n").unwrap();
        }
        made.path(name)
    };
    mknodat(CWD, made.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let file = |name: &'static str, contents: &str, outcome| (name, made.written(name, contents), outcome);
    vec![
        file("plain", ca, Online),
        file("crlf", &ca.replace('\n', "\r\n"), Online),
        ("text-around", made.written("text-around", text), Online),
        file("key-first", &(read("key") + ca), Online),
        file("byte-order-mark", &format!("\u{feff}{ca}"), Online),
        file("x509", &block("X509 CERTIFICATE", &body), Online),
        ("trusted", made.path("trusted"), Online),
        ("der", made.path("der"), Online),
        ("directory", directory("directory", Some(ca)), Online),
        file(
            "no-base64-first",
            &(block("CERTIFICATE", "*nothing*\n") + ca),
            Warned("line 1: the CERTIFICATE is not base64"),
        ),
        file(
            "no-der-first",
            &(block("CERTIFICATE", "bm90aGluZw==\n") + ca),
            Warned("line 1: the CERTIFICATE is not an X.509 certificate"),
        ),
        file("request-first", &(read("csr") + ca), Warned("line 1: CERTIFICATE REQUEST is not a certificate")),
        file(
            "cut-second",
            &(ca.to_owned() + cut),
            Warned("the CERTIFICATE has no END line: the file is cut off there"),
        ),
        file("no-end-first", &(cut.to_owned() + "\n" + ca), Warned("line 1: the CERTIFICATE has no END line")),
        file("cut", cut, Refused("line 1: the CERTIFICATE has no END line: the file is cut off there")),
        file("empty", "", Refused("it is empty")),
        file("text", "nothing that is a certificate\n", Refused("it holds no certificate")),
        file("key-alone", &read("key"), Refused("line 1: PRIVATE KEY is not a certificate")),
        ("utf-16", made.written("utf-16", utf16), Refused("UTF-16")),
        ("distrusted", made.path("distrusted"), Refused("its trust settings exclude TLS servers")),
        ("pkcs7", made.path("p7"), Refused("line 1: PKCS7 is not a certificate")),
        ("pkcs7-der", made.path("p7-der"), Refused("PKCS #7")),
        ("pkcs12", made.path("p12"), Refused("PKCS #12")),
        ("fifo", made.path("fifo"), Refused("not a regular file")),
        ("empty-directory", directory("empty-directory", None), Refused("it holds no certificate")),
        ("missing", made.path("missing"), Refused("No such file")),
    ]
}

#[tokio::test]
async fn each_form_of_tls_ca_is_read_or_reported() {
    let server = prosody(Validity::Now).await;
    server.account("cpe@a.test");
    let made = Workshop::new();
    let forms = forms(&made, &std::fs::read_to_string(server.ca_pem()).unwrap());
    let mut sections = vec![Section::general(&[1])];
    for ((name, path, _), id) in forms.iter().zip(1..) {
        let connection = Section::connection(id, &format!("cpe@a.test/{name}"), &server).option("con_alias", name);
        sections.extend([connection.option("tls_ca", path.display()), Section::server(id, &server)]);
    }
    let daemon = Daemon::start(&sections);
    for ((name, path, outcome), id) in forms.iter().zip(1..) {
        let path = format!("tls_ca {}", path.display());
        match outcome {
            Online | Warned(_) => daemon.wait_for_log(&[&format!("online as cpe@a.test/{name} ")], LIMIT).await,
            Refused(words) => {
                daemon.wait_for_log(&[&format!("connection {id} ({name}): attempt failed"), &path, words], LIMIT).await
            }
        };
        let warned = daemon.log().since(0, &["WARNING", &format!("{path}: "), "skipped"]);
        match outcome {
            Warned(words) => assert!(warned.len() == 1 && warned[0].contains(words), "{name}: {warned:?}"),
            _ => assert_eq!(warned, [""; 0], "{name}"),
        }
    }
}

/// `xmppd check` reports the same.
#[tokio::test]
async fn check_reports_each_form_of_tls_ca() {
    let made = Workshop::new();
    let ca = crate::harness::Ca::new();
    let text = std::fs::read_to_string(ca.pem()).unwrap();
    let config = made.path("xmpp");
    for (name, path, outcome) in forms(&made, &text) {
        let lines = [
            "config connection",
            "option username u",
            "option domain a.test",
            &format!("option tls_ca '{}'", path.display()),
            "option enable 1",
        ];
        std::fs::write(&config, lines.join("\n") + "\n").unwrap();
        std::fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let output = Command::new(xmppd()).arg("check").arg(&config).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        let expected = match outcome {
            Online => (Some(0), "no problems"),
            Warned(words) => (Some(0), words),
            Refused(words) => (Some(1), words),
        };
        let place = format!("{}:4: section '@connection[0]' (connection), option 'tls_ca'", config.display());
        assert!(output.status.code() == expected.0 && said.contains(expected.1), "{name}: {said}");
        assert!(expected.1 == "no problems" || said.contains(&place), "{name}: {said}");
    }
}
