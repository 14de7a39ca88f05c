//! Finding servers by DNS: on a real DNS server, and on one that fails.

mod failures;
mod name_servers;
mod names;
mod order;
mod srv;
mod this_host;

use std::path::Path;

use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Section, Server, Setup};

const CPE: &str = "cpe@a.test/wan";

/// A connection that asks DNS, tries each address once and waits for less than a second.
fn by_dns(full_jid: &str, server: &impl Server) -> Section {
    server.add_account(full_jid.split('/').next().unwrap(), PASSWORD);
    Section::connection(1, full_jid, server).option("serveralgorithm", "DNS-SRV").option("attempt", 1)
}

/// A daemon with this connection, and what else belongs to it, and this resolv.conf.
fn daemon(connection: &Section, others: &[Section], resolv_conf: &Path) -> Daemon {
    let general = Section::general(&[1]);
    let sections = [&general, connection].into_iter().chain(others);
    Setup::new(sections).env("XMPPD_RESOLV_CONF", resolv_conf).start()
}

/// Waits until the connection is online; gives the address that the log names.
async fn online_at(daemon: &Daemon) -> String {
    let line = daemon.wait_for_log(&["online as"], LIMIT).await;
    let (_, rest) = line.split_once(" at ").unwrap();
    rest.rsplit_once(" (TLS").unwrap_or((rest, "")).0.to_owned()
}

/// The hosts of the failed attempts so far, in their order.
fn failed_at(daemon: &Daemon) -> Vec<String> {
    let host = |line: &String| Some(line.split_once("attempt failed at ")?.1.split([' ', ':']).next()?.to_owned());
    daemon.log().lines().iter().filter_map(host).collect()
}
