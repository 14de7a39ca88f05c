//! Sections `config connection_server`.

use super::{assert_refused, loaded, problems};
use crate::config::model::Server;

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

#[test]
fn a_section_without_optional_options_has_the_defaults() {
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
fn each_option_is_read() {
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
}

#[test]
fn invalid_values_are_refused() {
    assert_refused(server, "enable", &["-1"], "expected 1, 0, true, false, yes, no, on, off, enabled or disabled");
    assert_refused(
        server,
        "server_address",
        &["a b", "-a.test", "a:5222", "192.0.2.256", "[1.2.3.4]"],
        "expected a host name or an IP address",
    );
    assert_refused(server, "port", &["0", "65536", "http"], "expected a number from 1 to 65535");
    assert_refused(server, "priority", &["-1", "65536"], "expected a number from 0 to 65535");
    assert_refused(server, "weight", &["-2", "65536"], "expected -1 or a number from 0 to 65535");
    assert_refused(server, "con_srv_inst", &["-1", "a"], "expected a number from 0 to 4294967295");
}

#[test]
fn an_enabled_row_needs_an_address() {
    assert_eq!(
        server("option enable 1").unwrap_err(),
        "4: section 's' (connection_server), option 'server_address': required in an enabled row\n"
    );
}
