//! The three generations of the file: each option that they document keeps its meaning.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{loaded, problems};
use crate::config::generation::Generation;
use crate::config::model::{
    ConnectionId, ConnectionSettings, General, KeepAlive, LogLevel, Password, Retry, Server, ServerAlgorithm,
};

/// The names that differ between the first and the second generation.
struct Names {
    general: &'static str,
    connection: [&'static str; 3],
    server: [&'static str; 4],
}

const FIRST: Names = Names {
    general: "config xmpp 'xmpp'\noption enable 1\noption id 7\n",
    connection: ["connection", "con_inst", "con_alias"],
    server: ["connection_server", "con_id", "con_srv_inst", "con_srv_alias"],
};

const SECOND: Names = Names {
    general: "config cwmp 'xmpp'\noption enable 1\noption id 7\n",
    connection: ["xmpp_connection", "connection_instance", "connection_alias"],
    server: ["xmpp_connection_server", "id_connection", "connection_server_instance", "connection_server_alias"],
};

/// A file with every option.
fn file(names: &Names) -> String {
    let [kind, number, alias] = names.connection;
    let [server, parent, instance, server_alias] = names.server;
    format!(
        "{}option allowed_jid 'acs@isp.test,b.test'\noption loglevel 2\n\
         config {kind}\noption {number} 7\noption enable 1\noption {alias} a\noption username u\noption password p\n\
         option domain isp.test\noption resource r\noption usetls 1\noption interval 30\noption attempt 3\n\
         option initial_retry_interval 5\noption retry_interval_multiplier 1500\noption retry_max_interval 60\n\
         option serveralgorithm ServerTable\n\
         config {server}\noption {parent} 7\noption {instance} 4\noption enable 1\noption {server_alias} s\n\
         option port 5223\noption server_address xmpp.isp.test\n",
        names.general
    )
}

#[test]
fn each_option_of_the_second_generation_means_what_it_means_in_the_first() {
    let loaded = loaded(&file(&FIRST));
    assert_eq!((loaded.problems.as_slice(), loaded.older_names.len()), (&[][..], 0));
    let General { enable, accepts_requests, allowed, log_level, .. } = &loaded.settings.general;
    assert_eq!((*enable, accepts_requests, *log_level), (true, &BTreeSet::from([ConnectionId(7)]), LogLevel::Notice));
    assert_eq!(allowed.len(), 2);
    let connection = ConnectionSettings {
        id: ConnectionId(7),
        enable: true,
        alias: "a".to_owned(),
        username: "u".to_owned(),
        password: Password::from("p"),
        domain: "isp.test".to_owned(),
        resource: Some("r".to_owned()),
        use_tls: true,
        tls_ca: None,
        tls_verify: true,
        keepalive: KeepAlive::Every(Duration::from_secs(30)),
        retry: Retry { attempts: 3, initial: Duration::from_secs(5), multiplier: 1500, max: Duration::from_secs(60) },
        algorithm: ServerAlgorithm::ServerTable,
        servers: vec![Server {
            instance: 4,
            enable: true,
            alias: "s".to_owned(),
            address: Some("xmpp.isp.test".to_owned()),
            port: 5223,
            priority: 0,
            weight: None,
        }],
    };
    assert_eq!(loaded.settings.connections.values().collect::<Vec<_>>(), [&connection]);

    let second = super::loaded(&file(&SECOND));
    assert_eq!((second.problems.as_slice(), &second.settings), (&[][..], &loaded.settings));
    assert!(
        second.older_names.len() == 8 && second.older_names.iter().all(|name| name.generation == Generation::Second)
    );
    let by_xmpp_id = file(&SECOND).replace("connection_instance", "xmpp_id");
    assert_eq!(super::loaded(&by_xmpp_id).settings, loaded.settings);
}

/// The file that the third generation ships.
const THIRD: &str = "config xmpp 'xmpp'
	option conn_req_connection 'connection_1'
	option allowed_jid ''
	option loglevel '3'
config connection 'connection_1'
	option enable '0'
	option username ''
	option password ''
	option domain 	''
	option resource ''
	option usetls '0'
	option interval '30'
	option attempt '16'
	option initial_retry_interval '1'
	option retry_interval_multiplier '1000'
	option retry_max_interval '1'
	option serveralgorithm 'DNS-SRV'
config connection_server 'connection_1_srv_1'
	option con_name 'connection_1'
	option enable '0'
	option priority '0'
	option weight '-1'
	option port '5222'
	option server_address ''
";

#[test]
fn the_shipped_file_of_the_third_generation_is_accepted() {
    let loaded = loaded(THIRD);
    assert_eq!(loaded.problems, []);
    assert!(loaded.settings.general.enable && loaded.settings.connections.is_empty());
    assert_eq!(loaded.settings.general.accepts_requests, BTreeSet::from([ConnectionId(1)]));
    assert_eq!(loaded.older_names.len(), 2);
}

#[test]
fn the_shipped_file_of_the_third_generation_is_accepted_with_its_values_filled_in() {
    let filled = THIRD
        .replace("enable '0'", "enable '1'")
        .replace("username ''", "username 'u'")
        .replace("password ''", "password 'p'")
        .replace("domain 	''", "domain 'isp.test'")
        .replace("resource ''", "resource 'r'")
        .replace("server_address ''", "server_address 'xmpp.isp.test'")
        .replace("weight '-1'", "weight '5'");
    let loaded = loaded(&filled);
    assert_eq!(loaded.problems, []);
    let connection = &loaded.settings.connections[&ConnectionId(1)];
    assert!(loaded.settings.general.enable && connection.enable && !connection.use_tls);
    assert_eq!((connection.password.expose(), connection.resource.as_deref()), ("p", Some("r")));
    assert_eq!((connection.servers[0].instance, connection.servers[0].weight), (1, Some(5)));
    // An enabled connection is enough for it to be on.
    let quiet = filled.replace("conn_req_connection 'connection_1'", "conn_req_connection ''");
    let quiet = super::loaded(&quiet);
    assert!(quiet.settings.general.enable && quiet.settings.general.accepts_requests.is_empty());
    assert!(!super::loaded(&quiet_and_disabled(&filled)).settings.general.enable);
}

fn quiet_and_disabled(filled: &str) -> String {
    filled.replace("conn_req_connection 'connection_1'", "conn_req_connection ''").replace("enable '1'", "enable '0'")
}

#[test]
fn a_missing_enable_is_0_except_in_the_third_generation() {
    let text =
        "config xmpp 'xmpp'\noption id 1\nconfig connection\noption enable 1\noption username u\noption domain d\n";
    assert!(!loaded(text).settings.general.enable);
    let off = text.replace("option id 1", "option conn_req_connection 1\noption enable 0");
    assert!(!loaded(&off).settings.general.enable, "it is given");
}

#[test]
fn numbers_and_section_names_are_accepted_in_each_generation() {
    let connections = "config connection 'wan'\noption con_inst 2\noption username u\noption domain d\n\
        config connection '2'\noption con_inst 5\noption username u\noption domain d\n";
    for (option, value, expected) in [
        ("id", "wan 5", vec![2, 5]),
        ("id", "2", vec![2]),
        ("conn_req_connection", "wan", vec![2]),
        ("conn_req_connection", "5", vec![5]),
        ("conn_req_connection", "2", vec![5]),
    ] {
        let text = format!("config xmpp 'xmpp'\noption {option} '{value}'\n{connections}");
        let ids = loaded(&text).settings.general.accepts_requests;
        assert_eq!(ids.into_iter().map(|id| id.0).collect::<Vec<_>>(), expected, "{option} {value}");
        assert_eq!(problems(&text), "");
    }
    for (option, value, expected) in [
        ("con_id", "wan", 2),
        ("con_id", "2", 2),
        ("id_connection", "5", 5),
        ("con_name", "wan", 2),
        ("con_name", "2", 5),
    ] {
        let text = format!("{connections}config connection_server\noption {option} '{value}'\n");
        let with_rows: Vec<u32> = loaded(&text)
            .settings
            .connections
            .values()
            .filter(|connection| !connection.servers.is_empty())
            .map(|connection| connection.id.0)
            .collect();
        assert_eq!((with_rows, problems(&text)), (vec![expected], String::new()), "{option} {value}");
    }
}

#[test]
fn rows_that_the_data_model_adds_belong_to_the_section_that_it_names() {
    let connections = "config connection 'wan'\noption con_inst 2\noption username u\noption domain d\n\
        config connection '2'\noption con_inst 5\noption username u\noption domain d\n";
    for (options, expected) in [
        ("option dm_parent wan", 2),
        ("option dm_parent 2", 5),
        ("option dm_parent wan\noption con_id 5", 5),
        ("option con_name 2\noption dm_parent 2", 5),
    ] {
        let loaded = loaded(&format!("{connections}config connection_server\n{options}\n"));
        assert_eq!(loaded.problems, []);
        assert_eq!(loaded.settings.connections[&ConnectionId(expected)].servers.len(), 1, "{options}");
        assert!(loaded.older_names.iter().all(|name| name.name == "con_name"));
    }
}

#[test]
fn an_error_about_a_reference_lists_the_connections() {
    let text = "config xmpp 'xmpp'\noption conn_req_connection 'lan'\nconfig connection 'connection_1'\n\
        config connection_server 's'\noption con_name 'wan'\nconfig connection_server 't'\noption con_name 'a-b'\n";
    assert_eq!(
        problems(text),
        "2: section 'xmpp' (xmpp), option 'conn_req_connection': there is no connection 'lan'; \
         connections in the file: 1 ('connection_1')\n\
         5: section 's' (connection_server), option 'con_name' is 'wan': there is no connection with this con_inst or \
         section name; connections in the file: 1 ('connection_1')\n\
         7: section 't' (connection_server), option 'con_name' is 'a-b': expected the con_inst or the section name of a \
         connection; connections in the file: 1 ('connection_1')\n"
    );
    // A section whose number is wrong is the only one that is reported.
    for number in ["x", "1"] {
        let text = format!(
            "config connection 'b'\noption username u\noption domain d\n\
             config connection 'a'\noption username u\noption domain d\noption con_inst {number}\n\
             config connection_server\noption con_id a\n"
        );
        assert!(problems(&text).contains("con_inst") && !problems(&text).contains("connection_server"));
    }
}
