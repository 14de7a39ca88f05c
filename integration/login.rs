//! Logging in, on both real servers: mechanisms, names, passwords, and refusals.

mod binding;
mod features;
#[cfg(servers)]
mod mechanisms;
#[cfg(servers)]
mod names;
mod refusals;

use crate::harness::prosody::PASSWORD;
use crate::harness::{Daemon, LIMIT, Section, Server};

/// Without these there is PLAIN alone.
const ALL_SCRAM: &[&str] = &[
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "DIGEST-MD5",
];

/// A daemon with one connection, of this full JID and with these further options, to this server.
fn daemon(server: &impl Server, full_jid: &str, options: &[(&str, &str)]) -> Daemon {
    let section = options
        .iter()
        .fold(Section::connection(1, full_jid, server), |section, (name, value)| section.option(name, value));
    Daemon::start([&Section::general(&[1]), &section, &Section::server(1, server)])
}

/// Logs in with the harness's password and waits until both sides say so; gives what the log says of TLS and login.
async fn log_in(server: &impl Server, full_jid: &str, options: &[(&str, &str)]) -> String {
    server.add_account(full_jid.split('/').next().unwrap(), PASSWORD);
    let daemon = daemon(server, full_jid, options);
    let line = daemon.wait_for_log(&["online as"], LIMIT).await;
    server.wait_client(full_jid, LIMIT).await;
    line.rsplit_once(" (").unwrap().1.trim_end_matches(')').to_owned()
}
