//! The files that each generation ships, with their values filled in, on a real server.

use std::fs;

use crate::harness::prosody::PASSWORD;
use crate::harness::stanzas::{assert_result, connection_request};
use crate::harness::{ACS, CPE1, Dns, Endpoint as _, LIMIT, Options, Prosody, Record, Server, Setup};

/// The third generation's shipped file, filled in for `cpe1@a.test/wan`.
pub(crate) const THIRD: &str = "config xmpp 'xmpp'
	option conn_req_connection 'connection_1'
	option allowed_jid ''
	option loglevel '3'
config connection 'connection_1'
	option enable '1'
	option username 'cpe1'
	option password 'PASSWORD'
	option domain 	'a.test'
	option resource 'wan'
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

/// The second generation's file, as documented by its daemon.
pub(crate) const SECOND: &str = "config cwmp 'xmpp'
	option enable '1'
	option id '1'
	option allowed_jid ''
	option loglevel '3'

config xmpp_connection
	option connection_instance '1'
	option enable '1'
	option username 'cpe1'
	option password 'PASSWORD'
	option domain 	'a.test'
	option resource 'wan'
	option serveralgorithm 'DNS-SRV'

config xmpp_connection_server
	option id_connection '1'
	option connection_server_instance '1'
	option enable '0'
	option port '5222'
";

/// The first generation's file.
pub(crate) const FIRST: &str = "config xmpp 'xmpp'
	option enable '1'
	option id '1'
	option allowed_jid ''
	option loglevel '3'

config connection
	option enable '1'
	option username 'cpe1'
	option password 'PASSWORD'
	option domain 	'a.test'
	option resource 'wan'
	option serveralgorithm 'DNS-SRV'

config connection_server
	option con_id '1'
	option enable '0'
	option port '5222'
";

async fn assert_online_and_answering(file: &str) {
    let prosody = Prosody::start_with(&["a.test"], Options::default()).await;
    prosody.account("cpe1@a.test");
    let dns = Dns::start(&[
        Record::starttls("a.test", "xmpp.a.test", prosody.port(), 1, 0),
        Record::host("xmpp.a.test", &["127.0.0.1"]),
    ])
    .await;
    let setup = Setup::new([]);
    setup.xmpp.write_in_place(&file.replace("PASSWORD", PASSWORD));
    // These files have no option for another store than the system's.
    let store = setup.directory().join("store.pem");
    fs::copy(prosody.ca_pem(), &store).unwrap();
    let daemon = setup.env("SSL_CERT_FILE", store).env("XMPPD_RESOLV_CONF", dns.patient_resolv_conf_file()).start();
    prosody.wait_online(CPE1, LIMIT).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let mut acs = prosody.raw_client(ACS).await;
    assert_result(&acs.ask(&connection_request(CPE1, "cpe-user", "cpe-secret")).await);
    assert_eq!(daemon.log().since(0, &["WARNING"]), [""; 0]);
}

#[tokio::test]
async fn the_first_generation_is_accepted() {
    assert_online_and_answering(FIRST).await;
}

#[tokio::test]
async fn the_second_generation_is_accepted() {
    assert_online_and_answering(SECOND).await;
}

#[tokio::test]
async fn the_third_generation_is_accepted() {
    assert_online_and_answering(THIRD).await;
}
