//! Logins on both real servers: mechanisms, names, passwords, refusals.

#[cfg(servers)]
mod acknowledgements;
mod binding;
mod features;
#[cfg(servers)]
mod mechanisms;
#[cfg(servers)]
mod names;
mod refusals;

use crate::harness::{Daemon, LIMIT, Section, Server};

/// With these disabled only PLAIN is left.
const ALL_SCRAM: &[&str] = &[
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-512-PLUS",
    "DIGEST-MD5",
];

/// Starts a daemon with one connection of this full JID, with these options, to this server.
fn daemon(server: &impl Server, full_jid: &str, options: &[(&str, &str)]) -> Daemon {
    let section = Section::connection(1, full_jid, server).options(options);
    Daemon::start([&Section::general(&[1]), &section, &Section::server(1, server)])
}

/// Logs in and waits until both sides report it. Returns what the log says about TLS and the login.
async fn log_in(server: &impl Server, full_jid: &str, options: &[(&str, &str)]) -> String {
    server.account(full_jid.split('/').next().unwrap());
    let daemon = daemon(server, full_jid, options);
    let line = daemon.wait_for_log(&["online as"], LIMIT).await;
    server.wait_client(full_jid, LIMIT).await;
    line.rsplit_once(" (").unwrap().1.trim_end_matches(')').to_owned()
}
