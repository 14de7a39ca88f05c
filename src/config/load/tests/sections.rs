//! Rules about names, and about several sections.

use std::collections::BTreeSet;
use std::path::Path;

use super::{loaded, problems};
use crate::config::load::load;
use crate::config::model::{ConnectionId, General};

#[test]
fn older_names_of_options_and_section_types_are_accepted() {
    let text = "config xmpp_connection\noption xmpp_id 3\noption connection_alias a\noption username u\noption domain d\n\
        config connection\noption connection_instance 4\noption username u\noption domain d\n\
        config xmpp_connection_server\noption id_connection 3\noption connection_server_instance 5\n\
        option connection_server_alias s\n";
    let loaded = loaded(text);
    assert_eq!(loaded.problems, []);
    let three = &loaded.settings.connections[&ConnectionId(3)];
    assert_eq!((three.alias.as_str(), three.servers.len()), ("a", 1));
    assert_eq!((three.servers[0].instance, three.servers[0].alias.as_str()), (5, "s"));
    assert!(loaded.settings.connections.contains_key(&ConnectionId(4)));
}

#[test]
fn the_present_name_of_an_option_wins_over_older_ones() {
    let text = "config connection 'c'\noption username u\noption domain d\noption xmpp_id 3\noption con_inst 4\n";
    assert!(loaded(text).settings.connections.contains_key(&ConnectionId(4)));
    assert_eq!(
        problems(text),
        "4: section 'c' (connection), option 'xmpp_id': ignored, because 'con_inst', another name of this option, is set too\n"
    );
}

#[test]
fn an_unknown_option_or_section_type_is_a_warning() {
    let text =
        "config xmpp 'xmpp'\noption enable 1\noption colour red\nconfig wine\nconfig connection\noption port 1\n";
    let loaded = loaded(text);
    assert!(loaded.settings.general.enable && !loaded.has_errors());
    assert_eq!(
        problems(text),
        "3: section 'xmpp' (xmpp), option 'colour': unknown option, ignored; expected one of enable, id, allowed_jid, loglevel, \
         notify, notify_command, notify_timeout_ms, connreq_limit, connreq_period\n\
         4: section '@wine[0]' (wine): unknown section type, ignored; expected xmpp, connection or connection_server\n\
         6: section '@connection[0]' (connection), option 'port': unknown option, ignored; expected one of con_inst, enable, \
         con_alias, username, password, domain, resource, usetls, interval, attempt, initial_retry_interval, \
         retry_interval_multiplier, retry_max_interval, serveralgorithm, tls_ca, tls_verify\n"
    );
}

#[test]
fn there_is_one_general_section_and_its_name_decides() {
    let unnamed = "config xmpp\noption enable 1\n";
    assert!(loaded(unnamed).settings.general.enable);
    assert_eq!(problems(unnamed), "1: section '@xmpp[0]' (xmpp): expected the section name 'xmpp'\n");
    let both = "config xmpp\noption enable 0\nconfig cwmp 'xmpp'\noption enable 1\n";
    assert!(loaded(both).settings.general.enable);
    let second = "1: section '@xmpp[0]' (xmpp): expected only one section of this type\n";
    assert_eq!(problems(both), second);
}

#[test]
fn a_position_is_the_number_of_a_section_without_one() {
    let row = |id: u32, more: &str| format!("config connection_server\noption con_id {id}\n{more}");
    let connection = "config connection\noption username u\noption domain d\n";
    let text =
        [connection, connection, &row(2, ""), &row(1, ""), &row(2, ""), &row(2, "option con_srv_inst 1\n")].concat();
    let loaded = loaded(&text);
    let instances =
        |id| loaded.settings.connections[&ConnectionId(id)].servers.iter().map(|row| row.instance).collect::<Vec<_>>();
    assert_eq!((instances(1), instances(2)), (vec![1], vec![1, 1, 2]));
    assert!(problems(&text).contains("has the same instance number") && !loaded.has_errors());
}

#[test]
fn the_later_of_two_sections_with_one_number_is_refused() {
    let text = "config connection 'a'\noption con_inst 2\noption username a\noption domain d\n\
        config connection 'b'\noption username b\noption domain d\n";
    let loaded = loaded(text);
    assert_eq!(loaded.settings.connections[&ConnectionId(2)].username, "a");
    assert_eq!(
        problems(text),
        "5: section 'b' (connection), option 'con_inst': 2 is already the con_inst of the section in line 1\n"
    );
}

#[test]
fn a_blank_template_is_no_connection_and_no_error() {
    let text = "config connection\noption enable 0\noption domain d\nconfig connection_server\noption con_id 1\n\
        config connection 'b'\noption con_inst 1\noption username u\noption domain d\n";
    assert_eq!(problems(text), "");
    assert_eq!(loaded(text).settings.connections[&ConnectionId(1)].servers.len(), 1);
    let text = "config connection 'c'\noption enable 1\noption domain d\n";
    assert_eq!(problems(text), "1: section 'c' (connection), option 'username': required\n");
    assert!(problems("config connection 'c'\noption interval x\n").contains("'interval' is 'x'"));
}

#[test]
fn a_server_needs_an_existing_connection() {
    let text = "config connection_server 's'\noption con_id 2\nconfig connection_server 't'\n";
    assert_eq!(
        problems(text),
        "2: section 's' (connection_server), option 'con_id' is '2': there is no connection with this con_inst or section \
         name; the file has no connections\n\
         3: section 't' (connection_server), option 'con_id': required: the con_inst or the section name of the connection \
         it belongs to\n"
    );
    for refused in ["option con_inst 2\noption enable 1\n", "option con_inst x\n"] {
        let text = format!("config connection 'c'\n{refused}\nconfig connection_server\noption con_id 2\n");
        assert!(!problems(&text).contains("connection_server"), "{}", problems(&text));
    }
}

#[test]
fn an_invalid_section_does_not_affect_the_others() {
    let text = "config xmpp 'xmpp'\noption id 1\noption enable x\n\
        config connection 'a'\noption username u\noption domain d\noption attempt x\n\
        config connection 'b'\noption username u\noption domain d\n";
    let loaded = loaded(text);
    assert_eq!(loaded.settings.general, General::default());
    let left: BTreeSet<_> = loaded.settings.connections.keys().copied().collect();
    assert_eq!(left, BTreeSet::from([ConnectionId(2)]));
}

#[test]
fn invalid_utf_8_refuses_the_section() {
    let text = b"config xmpp 'xmpp'\noption enable 1\nconfig connection 'c'\noption username '\xff'\n";
    let loaded = load(Path::new("x"), text).unwrap();
    let messages: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(messages, ["x:4: section 'c' (connection), option 'username': not UTF-8"]);
    assert!(loaded.settings.general.enable);
}

#[test]
fn a_syntax_error_has_file_line_and_column() {
    let error = load(Path::new("/etc/config/xmpp"), b"config xmpp\n\toption a.b c\n").unwrap_err();
    assert_eq!(error.to_string(), "/etc/config/xmpp:2:9: invalid character in name field");
}

#[test]
fn an_id_without_a_connection_is_a_warning() {
    let text = "config xmpp 'xmpp'\noption enable 1\noption id '1 2 3'\nconfig connection\n\
        config connection\noption con_inst 3\noption enable 1\n";
    assert!(loaded(text).settings.general.enable);
    let expected = "3: section 'xmpp' (xmpp), option 'id': there is no connection with con_inst 2; connections in the file: 1, 3\n";
    assert!(problems(text).starts_with(expected), "{}", problems(text));
}
