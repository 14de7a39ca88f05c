//! Sections `config connection`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{assert_refused, loaded, problems};
use crate::config::load::load;
use crate::config::model::{ConnectionId, ConnectionSettings, KeepAlive, Password, Retry, ServerAlgorithm};

fn connection(options: &str) -> Result<ConnectionSettings, String> {
    let text = format!("config connection 'c'\noption username u\noption domain d.test\n{options}\n");
    let loaded = loaded(&text);
    match loaded.settings.connections.into_values().next() {
        Some(connection) if loaded.problems.is_empty() => Ok(connection),
        _ => Err(problems(&text)),
    }
}

#[test]
fn a_section_without_optional_options_has_the_defaults() {
    assert_eq!(
        connection("").unwrap(),
        ConnectionSettings {
            id: ConnectionId(1),
            enable: false,
            alias: "cpe-1".to_owned(),
            username: "u".to_owned(),
            password: Password::default(),
            domain: "d.test".to_owned(),
            resource: None,
            use_tls: true,
            tls_ca: None,
            tls_verify: true,
            keepalive: KeepAlive::Automatic,
            retry: Retry {
                attempts: 16,
                initial: Duration::from_secs(60),
                multiplier: 2000,
                max: Duration::from_secs(30720),
            },
            algorithm: ServerAlgorithm::DnsSrv,
            servers: Vec::new(),
        }
    );
}

#[test]
fn each_option_is_read() {
    let options = "option con_inst 7\noption enable 1\noption con_alias 'd\u{e4}heim'\noption password 'p w'\n\
        option resource 'r'\noption interval 0\noption attempt 0\noption initial_retry_interval 65535\n\
        option retry_interval_multiplier 1000\noption retry_max_interval 4294967295\n\
        option serveralgorithm servertable\noption tls_ca /etc/ca.pem\noption tls_verify 0\noption usetls no";
    let connection = connection(options).unwrap();
    let expected = ConnectionSettings {
        id: ConnectionId(7),
        enable: true,
        alias: "d\u{e4}heim".to_owned(),
        username: "u".to_owned(),
        password: Password::from("p w".to_owned()),
        domain: "d.test".to_owned(),
        resource: Some("r".to_owned()),
        use_tls: false,
        tls_ca: Some(PathBuf::from("/etc/ca.pem")),
        tls_verify: false,
        keepalive: KeepAlive::Off,
        retry: Retry {
            attempts: 0,
            initial: Duration::from_secs(65535),
            multiplier: 1000,
            max: Duration::from_secs(4_294_967_295),
        },
        algorithm: ServerAlgorithm::ServerTable,
        servers: Vec::new(),
    };
    assert_eq!(connection, expected);
}

#[test]
fn server_algorithms_are_accepted_in_any_case() {
    for (text, algorithm) in [
        ("DNS-SRV", ServerAlgorithm::DnsSrv),
        ("DNS", ServerAlgorithm::Dns),
        ("dns", ServerAlgorithm::Dns),
        ("ServerTable", ServerAlgorithm::ServerTable),
    ] {
        let connection = connection(&format!("option serveralgorithm '{text}'")).unwrap();
        assert_eq!(connection.algorithm, algorithm, "{text}");
    }
}

#[test]
fn invalid_values_are_refused() {
    assert_refused(
        connection,
        "tls_verify",
        &["maybe"],
        "expected 1, 0, true, false, yes, no, on, off, enabled or disabled",
    );
    assert_refused(connection, "con_inst", &["0", "x", "4294967296"], "expected a number from 1 to 4294967295");
    assert_refused(
        connection,
        "interval",
        &["-2", "ten", "4294967296"],
        "expected -1, 0 or a number of seconds up to 4294967295",
    );
    assert_refused(connection, "attempt", &["-1", "4294967296"], "expected a number from 0 to 4294967295");
    assert_refused(connection, "initial_retry_interval", &["0", "65536"], "expected a number from 1 to 65535");
    assert_refused(connection, "retry_interval_multiplier", &["999", "65536"], "expected a number from 1000 to 65535");
    assert_refused(connection, "retry_max_interval", &["0"], "expected a number from 1 to 4294967295");
    assert_refused(connection, "serveralgorithm", &["SRV", "DNS-A"], "expected DNS-SRV, DNS or ServerTable");
    let local_part = "expected the local part of a JID (what is before the '@'), up to 256 characters";
    assert_refused(connection, "username", &["a@b", "a b"], local_part);
    assert_refused(connection, "domain", &["a b", "a..b", "a@b"], "expected a domain name or an IP address");
    let long = "x".repeat(65);
    assert!(connection(&format!("option con_alias '{long}'")).unwrap_err().contains("up to 64 characters"));
    assert!(connection(&format!("option con_alias '{}'", &long[1..])).is_ok());
    let message = connection("list interval 1\nlist interval 2").unwrap_err();
    assert_eq!(message, "4: section 'c' (connection), option 'interval': a list, expected one value\n");
}

#[test]
fn domains_are_normalized_and_user_names_are_not() {
    for user in ["a,b", "a=b", "\u{e4}"] {
        assert_eq!(connection(&format!("option username '{user}'")).unwrap().username, user);
    }
    for (text, domain) in [
        ("A.Test.", "a.test"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("b\u{fc}cher.example", "b\u{fc}cher.example"),
    ] {
        assert_eq!(connection(&format!("option domain '{text}'")).unwrap().domain, domain);
    }
}

#[test]
fn a_password_is_in_no_message() {
    let long = "hunter2".repeat(40);
    for options in [
        format!("option password '{long}'"),
        "list password 'hunter2'".to_owned(),
        "option password 'hunter2\u{e4}'\noption interval x".to_owned(),
    ] {
        let message = connection(&options).unwrap_err();
        assert!(message.contains("section 'c'") && !message.contains("hunter2"), "{message}");
    }
    let text = b"config connection 'c'\noption password 'hunter2\xff'\n";
    let message = load(Path::new("x"), text).unwrap();
    assert!(message.has_errors() && !format!("{message:?}").contains("hunter2"), "{message:?}");
}
