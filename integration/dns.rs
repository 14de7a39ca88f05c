//! Finding servers by DNS, with a real DNS server and with failing ones.

mod failures;
mod name_servers;
mod names;
mod namespaces;
mod order;
mod srv;

use std::path::Path;

use crate::harness::{Daemon, LIMIT, Section, Server, Setup};

const CPE: &str = "cpe@a.test/wan";

/// A connection that uses DNS, tries each address once and waits for less than a second.
fn by_dns(full_jid: &str, server: &impl Server) -> Section {
    server.account(full_jid.split('/').next().unwrap());
    Section::connection(1, full_jid, server).option("serveralgorithm", "DNS-SRV").option("attempt", 1)
}

/// Starts a daemon with this connection, further sections, and this resolv.conf.
fn daemon(connection: &Section, others: &[Section], resolv_conf: &Path) -> Daemon {
    let general = Section::general(&[1]);
    let sections = [&general, connection].into_iter().chain(others);
    Setup::new(sections).env("XMPPD_RESOLV_CONF", resolv_conf).start()
}

/// Waits until the connection is online. Returns the address in the log.
async fn online_at(daemon: &Daemon) -> String {
    let line = daemon.wait_for_log(&["online as"], LIMIT).await;
    let (_, rest) = line.split_once(" at ").unwrap();
    rest.rsplit_once(" (TLS").unwrap_or((rest, "")).0.to_owned()
}

/// Returns the hosts of the failed attempts so far, in order.
fn failed_at(daemon: &Daemon) -> Vec<String> {
    let host = |line: &String| Some(line.split_once("attempt failed at ")?.1.split([' ', ':']).next()?.to_owned());
    daemon.log().lines().iter().filter_map(host).collect()
}
