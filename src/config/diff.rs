//! Compares the running connections with the desired settings.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{ConnectionId, ConnectionSettings, General, LogLevel, Server, ServerAlgorithm, Settings};

/// The steps that lead to the desired settings, each list by `con_inst`. They are taken in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Running connections that are disabled or removed.
    pub stop: Vec<ConnectionId>,
    /// Running connections whose new settings need a new stream.
    pub restart: Vec<ConnectionSettings>,
    /// Running connections whose new settings are applied to the present stream.
    pub update: Vec<ConnectionSettings>,
    /// Connections that do not run yet.
    pub start: Vec<ConnectionSettings>,
    /// Whether the settings that the router uses have changed.
    pub general: bool,
    /// The new `loglevel`, if it has changed.
    pub log_level: Option<LogLevel>,
}

impl Changes {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Maximum number of connections that are listed for each step.
const MAX_LISTED: usize = 50;

/// For the log: `stop connection 1; restart connection 2, 3; general settings applied`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<'a>(mut ids: impl Iterator<Item = &'a ConnectionId>) -> String {
            let listed: Vec<_> = ids.by_ref().take(MAX_LISTED).map(ToString::to_string).collect();
            let others = ids.count();
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            listed.join(", ") + &others
        }
        let mut parts = Vec::new();
        for (verb, ids) in [
            ("stop", list(self.stop.iter())),
            ("restart", list(self.restart.iter().map(|connection| &connection.id))),
            ("update", list(self.update.iter().map(|connection| &connection.id))),
            ("start", list(self.start.iter().map(|connection| &connection.id))),
        ] {
            if !ids.is_empty() {
                parts.push(format!("{verb} connection {ids}"));
            }
        }
        if self.general {
            parts.push("general settings applied".to_owned());
        }
        if self.log_level.is_some() {
            parts.push("log level applied".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

/// Compares the running connections, and the general settings that apply, with the desired settings. At start-up nothing
/// runs and `General::default()` applies.
#[must_use]
pub fn diff(running: &BTreeMap<ConnectionId, ConnectionSettings>, general: &General, desired: &Settings) -> Changes {
    let log_level = desired.general.log_level;
    let mut changes = Changes {
        general: without_log_level(general) != without_log_level(&desired.general),
        log_level: (general.log_level != log_level).then_some(log_level),
        ..Changes::default()
    };
    changes.stop.extend(running.keys().filter(|id| desired.enabled_connection(**id).is_none()));
    for after in desired.enabled() {
        match running.get(&after.id) {
            None => changes.start.push(after.clone()),
            Some(before) if before == after => {}
            Some(before) if has_same_stream(before, after) => changes.update.push(after.clone()),
            Some(_) => changes.restart.push(after.clone()),
        }
    }
    changes
}

/// The general settings that the router uses.
fn without_log_level(general: &General) -> General {
    General { log_level: LogLevel::default(), ..general.clone() }
}

/// Whether a stream that was opened with the one settings can be kept with the other.
fn has_same_stream(before: &ConnectionSettings, after: &ConnectionSettings) -> bool {
    // All fields are listed, so that a new one cannot be forgotten.
    let ConnectionSettings {
        id,
        enable: _,
        alias: _,
        username,
        password,
        domain,
        resource,
        use_tls,
        tls_ca,
        tls_verify,
        keepalive: _,
        retry: _,
        algorithm,
        servers: _,
    } = before;
    *id == after.id
        && *username == after.username
        && *password == after.password
        && *domain == after.domain
        && *resource == after.resource
        && *use_tls == after.use_tls
        && *tls_ca == after.tls_ca
        && *tls_verify == after.tls_verify
        && *algorithm == after.algorithm
        && used_rows(before).eq(used_rows(after))
}

/// The rows that servers are chosen from, in their order: address, port, priority, weight. Aliases and disabled rows have no
/// effect, and without `ServerTable` no row has; instance numbers only have one by the order.
fn used_rows(connection: &ConnectionSettings) -> impl Iterator<Item = (Option<&str>, u16, u16, Option<u16>)> {
    let mut rows: Vec<&Server> = match connection.algorithm {
        ServerAlgorithm::DnsSrv | ServerAlgorithm::Dns => Vec::new(),
        ServerAlgorithm::ServerTable => connection.servers.iter().filter(|row| row.enable).collect(),
    };
    rows.sort_by_key(|row| (row.priority, row.instance));
    rows.into_iter().map(|row| (row.address.as_deref(), row.port, row.priority, row.weight))
}

#[cfg(test)]
pub(super) mod tests;
