//! Each option: its values, range and default.

mod generations;
mod rules;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jid::Jid;

use super::{Loaded, load};
use crate::config::model::{
    Connection, ConnectionId, General, KeepAlive, LogLevel, Notify, Password, Retry, Server, ServerAlgorithm,
};

fn loaded(text: &str) -> Loaded {
    load(Path::new("x"), text.as_bytes()).unwrap()
}

/// The problems, one a line, without the file's name.
fn problems(text: &str) -> String {
    let problems = loaded(text).problems;
    problems.iter().map(|problem| problem.to_string()[2..].to_owned() + "\n").collect()
}

fn general(options: &str) -> Result<General, String> {
    let text = format!("config xmpp 'xmpp'\n{options}\n");
    let loaded = loaded(&text);
    if loaded.has_errors() { Err(problems(&text)) } else { Ok(loaded.settings.general) }
}

fn connection(options: &str) -> Result<Connection, String> {
    let text = format!("config connection 'c'\noption username u\noption domain d.test\n{options}\n");
    let loaded = loaded(&text);
    match loaded.settings.connections.into_values().next() {
        Some(connection) if loaded.problems.is_empty() => Ok(connection),
        _ => Err(problems(&text)),
    }
}

fn server(options: &str) -> Result<Server, String> {
    let text = format!(
        "config connection\noption username u\noption domain d\n\
         config connection_server 's'\noption con_id 1\n{options}\n"
    );
    let loaded = loaded(&text);
    let connection = loaded.settings.connections.into_values().next().unwrap();
    match connection.servers.into_iter().next() {
        Some(server) if loaded.problems.is_empty() => Ok(server),
        _ => Err(problems(&text)),
    }
}

/// Each value is refused, and the message names the value and has these words.
fn refused<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, String>, option: &str, values: &[&str], words: &str) {
    for value in values {
        let message = read(&format!("option {option} '{value}'")).unwrap_err();
        let expected = format!("option '{option}' is '{value}': {words}\n");
        assert!(message.contains(&expected), "{message}\n{expected}");
    }
}

#[test]
fn an_empty_section_has_the_defaults() {
    assert_eq!(general("").unwrap(), General::default());
    assert_eq!(
        connection("").unwrap(),
        Connection {
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
    assert_eq!(
        server("").unwrap(),
        Server {
            instance: 1,
            enable: false,
            alias: "cpe-1".to_owned(),
            address: None,
            port: 5222,
            priority: 0,
            weight: None,
        }
    );
}

#[test]
fn bool_words() {
    for word in ["1", "true", "YES", "On", "enabled"] {
        assert!(general(&format!("option enable '{word}'")).unwrap().enable, "{word}");
    }
    for word in ["0", "false", "No", "OFF", "disabled"] {
        assert!(!connection(&format!("option usetls '{word}'")).unwrap().use_tls, "{word}");
    }
    let words = "expected 1, 0, true, false, yes, no, on, off, enabled or disabled";
    refused(general, "enable", &["2", "y", " 1"], words);
    refused(connection, "tls_verify", &["maybe"], words);
    refused(server, "enable", &["-1"], words);
}

#[test]
fn ids_in_every_form() {
    let ids = |options: &str| {
        let ids = general(options).unwrap().accepting;
        ids.into_iter().map(|ConnectionId(id)| id).collect::<Vec<_>>()
    };
    assert!(ids("option id '0'").is_empty());
    assert_eq!(ids("option id '2'"), [2]);
    assert_eq!(ids("option id ' 3,1 , 0\t2'"), [1, 2, 3]);
    assert_eq!(ids("list id 4294967295\nlist id '2 1'\nlist id ''"), [1, 2, u32::MAX]);
    let message = general("option id '1 a-b 4294967296'").unwrap_err();
    let words = "expected con_inst numbers or section names of connections, or 0 for none";
    assert_eq!(
        message,
        format!(
            "2: section 'xmpp' (xmpp), option 'id' is 'a-b': {words}\n\
             2: section 'xmpp' (xmpp), option 'id' is '4294967296': {words}\n"
        )
    );
}

#[test]
fn allowed_senders_in_every_form() {
    let jids = |options: &str| general(options).unwrap().allowed;
    let expected = ["acs@a.test", "a.test", "acs@a.test/r"].map(|jid| Jid::new(jid).unwrap());
    assert_eq!(jids("option allowed_jid 'ACS@A.test, a.test.,acs@a.test./r'"), expected);
    assert_eq!(jids("option allowed_jid 'acs@a.test a.test\tacs@a.test/r'"), expected);
    let items = "list allowed_jid 'acs@a.test'\nlist allowed_jid ' a.test '\nlist allowed_jid 'acs@a.test/r'";
    assert_eq!(jids(items), expected);
    assert_eq!(jids("list allowed_jid 'a@b/r, s'"), [Jid::new("a@b/r, s").unwrap()]);
    assert!(jids("list allowed_jid ''").is_empty());
    assert!(jids("option allowed_jid ''").is_empty());
}

#[test]
fn an_allowed_sender_that_is_none_refuses_the_section_and_is_named() {
    let message = general("option loglevel 4\noption allowed_jid 'a@b acs@'").unwrap_err();
    let words = "'acs@' is not a JID of up to 256 characters";
    assert_eq!(message, format!("3: section 'xmpp' (xmpp), option 'allowed_jid': {words}\n"));
    let long = format!("list allowed_jid '{}@a.test'", "x".repeat(250));
    assert!(general(&long).unwrap_err().contains("is not a JID of up to 256 characters"));
    let at_most = format!("list allowed_jid '{}@a.test'", "x".repeat(249));
    assert_eq!(general(&at_most).unwrap().allowed.len(), 1);
    let many = |count: usize| format!("option allowed_jid '{}'", "a@b,".repeat(count));
    assert_eq!(general(&many(32)).unwrap().allowed.len(), 32);
    assert!(general(&many(33)).unwrap_err().contains("33 JIDs, expected at most 32"));
    // Otherwise a slip would open the door to everyone.
    assert!(general("option allowed_jid ','").unwrap_err().contains("no JID in it"));
}

#[test]
fn log_levels() {
    for (text, level) in [
        ("EMERG", LogLevel::Emergency),
        ("alert", LogLevel::Alert),
        ("Critic", LogLevel::Critical),
        ("ERROR", LogLevel::Error),
        ("WARNING", LogLevel::Warning),
        ("NOTICE", LogLevel::Notice),
        ("INFO", LogLevel::Info),
        ("DEBUG", LogLevel::Debug),
        ("0", LogLevel::Critical),
        ("1", LogLevel::Warning),
        ("2", LogLevel::Notice),
        ("3", LogLevel::Info),
        ("4", LogLevel::Debug),
    ] {
        assert_eq!(general(&format!("option loglevel '{text}'")).unwrap().log_level, level);
    }
    let words = "expected EMERG, ALERT, CRITIC, ERROR, WARNING, NOTICE, INFO, DEBUG or a number from 0 to 4";
    refused(general, "loglevel", &["5", "-1", "CRITICAL"], words);
}

#[test]
fn how_the_client_is_told() {
    assert_eq!(general("option notify ubus").unwrap().notify, Notify::Ubus);
    let command = "option notify command\noption notify_command \"/bin/tell 'a b' c\"";
    let words = ["/bin/tell", "a b", "c"].map(str::to_owned).to_vec();
    assert_eq!(general(command).unwrap().notify, Notify::Command(words));
    refused(general, "notify", &["dbus"], "expected ubus or command");
    let expected = "expected a program and its arguments, each quote closed";
    refused(general, "notify_command", &["a \"b", " ", "\"\" a"], expected);
    assert_eq!(
        general("option notify command").unwrap_err(),
        "1: section 'xmpp' (xmpp), option 'notify_command': required with notify 'command'\n"
    );
    let one = general("option notify_timeout_ms 100\noption connreq_limit 0\noption connreq_period 86400").unwrap();
    assert_eq!(one.notify_timeout, Duration::from_millis(100));
    assert_eq!((one.limit, one.period), (0, Duration::from_secs(86400)));
    refused(general, "notify_timeout_ms", &["99", "10001", "1.5"], "expected a number from 100 to 10000");
    refused(general, "connreq_limit", &["-1", "65536", "+5"], "expected a number from 0 to 65535");
    refused(general, "connreq_period", &["0", "86401"], "expected a number from 1 to 86400");
}

#[test]
fn every_option_of_a_connection() {
    let options = "option con_inst 7\noption enable 1\noption con_alias 'd\u{e4}heim'\noption password 'p w'\n\
        option resource 'r'\noption interval 0\noption attempt 0\noption initial_retry_interval 65535\n\
        option retry_interval_multiplier 1000\noption retry_max_interval 4294967295\n\
        option serveralgorithm servertable\noption tls_ca /etc/ca.pem\noption tls_verify 0\noption usetls no";
    let connection = connection(options).unwrap();
    let expected = Connection {
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
fn every_server_algorithm() {
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
fn values_out_of_range_in_a_connection() {
    refused(connection, "con_inst", &["0", "x", "4294967296"], "expected a number from 1 to 4294967295");
    refused(
        connection,
        "interval",
        &["-2", "ten", "4294967296"],
        "expected -1, 0 or a number of seconds up to 4294967295",
    );
    refused(connection, "attempt", &["-1", "4294967296"], "expected a number from 0 to 4294967295");
    refused(connection, "initial_retry_interval", &["0", "65536"], "expected a number from 1 to 65535");
    refused(connection, "retry_interval_multiplier", &["999", "65536"], "expected a number from 1000 to 65535");
    refused(connection, "retry_max_interval", &["0"], "expected a number from 1 to 4294967295");
    refused(connection, "serveralgorithm", &["SRV", "DNS-A"], "expected DNS-SRV, DNS or ServerTable");
    let local_part = "expected the local part of a JID (what is before the '@'), up to 256 characters";
    refused(connection, "username", &["a@b", "a b"], local_part);
    refused(connection, "domain", &["a b", "a..b", "a@b"], "expected a domain name or an IP address");
    let long = "x".repeat(65);
    assert!(connection(&format!("option con_alias '{long}'")).unwrap_err().contains("up to 64 characters"));
    assert!(connection(&format!("option con_alias '{}'", &long[1..])).is_ok());
    let message = connection("list interval 1\nlist interval 2").unwrap_err();
    assert_eq!(message, "4: section 'c' (connection), option 'interval': a list, expected one value\n");
}

#[test]
fn user_names_and_domains() {
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

#[test]
fn every_option_of_a_server() {
    let options = "option con_srv_inst 0\noption enable 1\noption con_srv_alias a\noption port 1\n\
        option server_address h_1.a.test\noption priority 65535\noption weight 0";
    let expected = Server {
        instance: 0,
        enable: true,
        alias: "a".to_owned(),
        address: Some("h_1.a.test".to_owned()),
        port: 1,
        priority: 65535,
        weight: Some(0),
    };
    assert_eq!(server(options).unwrap(), expected);
    for (text, address) in [("::1", "::1"), ("[::1]", "::1"), ("192.0.2.1", "192.0.2.1"), ("localhost", "localhost")] {
        assert_eq!(server(&format!("option server_address '{text}'")).unwrap().address.unwrap(), address);
    }
    refused(
        server,
        "server_address",
        &["a b", "-a.test", "a:5222", "192.0.2.256", "[1.2.3.4]"],
        "expected a host name or an IP address",
    );
    refused(server, "port", &["0", "65536", "http"], "expected a number from 1 to 65535");
    refused(server, "priority", &["-1", "65536"], "expected a number from 0 to 65535");
    refused(server, "weight", &["-2", "65536"], "expected -1 or a number from 0 to 65535");
    refused(server, "con_srv_inst", &["-1", "a"], "expected a number from 0 to 4294967295");
    assert_eq!(
        server("option enable 1").unwrap_err(),
        "4: section 's' (connection_server), option 'server_address': required in an enabled row\n"
    );
}

#[test]
fn long_names_and_values_are_cut_in_messages() {
    let long = "x".repeat(100_000);
    let text = format!(
        "config connection '{long}'\noption enable '{long}'\noption tls_ca '/{long}'\noption {long} 1\nlist {long}2 1\n\
         config {long} 'a'\n"
    );
    let problems = loaded(&text).problems;
    assert_eq!(problems.len(), 7, "two of them for what is missing");
    for problem in problems {
        let line = problem.to_string();
        assert!(line.len() < 600 && line.contains(&("x".repeat(79))), "{line:.600}");
    }
}
