//! What is legal and unwise.

use std::path::Path;
use std::time::Duration;

use crate::config::loaded::Loaded;
use crate::config::model::{ConnectionSettings, KeepAlive, ServerAlgorithm};
use crate::config::problem::{Problem, Severity};
use crate::config::schema::SectionKind;
use crate::config::uci::{self, OptionEntry, Package, Section};

/// Shorter intervals wake the device without need.
const SHORT: Duration = Duration::from_secs(15);

/// NAT mappings expire after 60 to 300 s of silence.
const LONG: Duration = Duration::from_secs(300);

/// Finds what is unwise in the sections that take effect.
pub(super) fn advice(file: &Path, package: &Package, loaded: &Loaded) -> Vec<Problem> {
    if !loaded.settings.general.enable {
        return Vec::new();
    }
    let labels = uci::labels(package);
    let mut found = Vec::new();
    let mut advise = |section: &Section, label: &str, option: &str, message: String| {
        found.push(Problem {
            line: section.option(option).map_or(section.line, OptionEntry::line),
            option: Some(option.to_owned()),
            ..Problem::new(Severity::Advice, file, section, label, message)
        });
    };
    let mut connections = loaded.connections.iter();
    for (section, label) in package.sections.iter().zip(&labels) {
        match SectionKind::of(section) {
            Some(SectionKind::General) if section.name.as_deref() == Some("xmpp") => {
                for (option, message) in about_requests(loaded) {
                    advise(section, label, option, message);
                }
            }
            Some(SectionKind::Connection) => {
                let id = connections.next().and_then(|listed| listed.connection);
                let settings = id.and_then(|id| loaded.settings.enabled_connection(id));
                for (option, message) in settings.map(about_connection).unwrap_or_default() {
                    advise(section, label, option, message);
                }
            }
            _ => {}
        }
    }
    found
}

/// Advice about who may send connection requests, and where: options and messages.
fn about_requests(loaded: &Loaded) -> Vec<(&'static str, String)> {
    let settings = &loaded.settings;
    let mut advice = Vec::new();
    let accepts = &settings.general.accepts_requests;
    if !accepts.is_empty() && settings.general.allowed.is_empty() {
        let message = "every sender with the credentials of connection requests is allowed; list the JIDs of the ACS";
        advice.push(("allowed_jid", message.to_owned()));
    }
    for id in accepts.iter().filter(|id| settings.connections.get(id).is_some_and(|connection| !connection.enable)) {
        advice.push(("id", format!("connection {id} is disabled: no connection request arrives on it")));
    }
    advice
}

/// Advice about an enabled connection: options and messages.
fn about_connection(connection: &ConnectionSettings) -> Vec<(&'static str, String)> {
    let mut advice = Vec::new();
    let mut add = |option, message: &str| advice.push((option, message.to_owned()));
    if connection.password.expose().is_empty() {
        add("password", "empty: most servers refuse such a login");
    }
    if !connection.use_tls {
        add("usetls", "the stream is not encrypted: an on-path attacker can read and change it");
    } else if !connection.tls_verify {
        add("tls_verify", "the server's certificate is not verified: an on-path attacker can impersonate the server");
    }
    match connection.keepalive {
        KeepAlive::Off => add("interval", "without keepalive an expired NAT mapping is never noticed"),
        KeepAlive::Every(interval) if interval < SHORT => add("interval", "less than 15 s keeps the device awake"),
        KeepAlive::Every(interval) if interval > LONG => {
            add("interval", "NAT mappings expire after 60 to 300 s of silence: requests are lost until the next probe");
        }
        KeepAlive::Every(_) | KeepAlive::Automatic => {}
    }
    if connection.algorithm == ServerAlgorithm::ServerTable && !connection.servers.iter().any(|row| row.enable) {
        add(
            "serveralgorithm",
            "no section 'connection_server' of this connection is enabled: the domain itself is used",
        );
    }
    advice
}
