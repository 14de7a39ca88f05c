//! The difference between what runs and the desired settings: the reload table.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{Connection, ConnectionId, General, LogLevel, Server, ServerAlgorithm, Settings};

/// What has to be done, in this order: stop, restart, update, spawn; each by `con_inst`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Connections that run and are not to run any more: their streams are closed.
    pub stop: Vec<ConnectionId>,
    /// Connections whose stream is not what the settings say any more.
    pub restart: Vec<Connection>,
    /// Connections that take the settings over while their stream stays up.
    pub update: Vec<Connection>,
    /// Connections that do not run yet.
    pub spawn: Vec<Connection>,
    /// The router has to be told of the new section `xmpp`.
    pub general: bool,
    /// The new `loglevel`.
    pub log_level: Option<LogLevel>,
}

impl Changes {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// So many connections are named in one line.
const NAMED: usize = 50;

/// In words, for the log: `stop connection 1; restart connection 2, 3; general settings taken over`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn ids<'a>(mut ids: impl Iterator<Item = &'a ConnectionId>) -> String {
            let named: Vec<_> = ids.by_ref().take(NAMED).map(ToString::to_string).collect();
            let others = ids.count();
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            named.join(", ") + &others
        }
        let mut parts = Vec::new();
        for (verb, ids) in [
            ("stop", ids(self.stop.iter())),
            ("restart", ids(self.restart.iter().map(|connection| &connection.id))),
            ("update", ids(self.update.iter().map(|connection| &connection.id))),
            ("start", ids(self.spawn.iter().map(|connection| &connection.id))),
        ] {
            if !ids.is_empty() {
                parts.push(format!("{verb} connection {ids}"));
            }
        }
        if self.general {
            parts.push("general settings taken over".to_owned());
        }
        if self.log_level.is_some() {
            parts.push("log level taken over".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

/// What leads from the connections that run, and the general settings that apply, to the desired settings. At start-up
/// nothing runs and `General::default()` applies.
#[must_use]
pub fn diff(running: &BTreeMap<ConnectionId, Connection>, general: &General, desired: &Settings) -> Changes {
    let log_level = desired.general.log_level;
    let mut changes = Changes {
        general: router_part(general) != router_part(&desired.general),
        log_level: (general.log_level != log_level).then_some(log_level),
        ..Changes::default()
    };
    changes.stop.extend(running.keys().filter(|id| desired.enabled_connection(**id).is_none()));
    for after in desired.enabled() {
        match running.get(&after.id) {
            None => changes.spawn.push(after.clone()),
            Some(before) if before == after => {}
            Some(before) if same_stream(before, after) => changes.update.push(after.clone()),
            Some(_) => changes.restart.push(after.clone()),
        }
    }
    changes
}

/// What the router goes by: all but the level of the log.
fn router_part(general: &General) -> General {
    General { log_level: LogLevel::default(), ..general.clone() }
}

/// Whether a stream that was set up for one is also one for the other.
fn same_stream(before: &Connection, after: &Connection) -> bool {
    // Spelled out, so that a new setting cannot be forgotten here.
    let Connection {
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
        && effective_rows(before).eq(effective_rows(after))
}

/// The rows that the choice of a server depends on, in order: where, port, priority, weight. An alias, a row that is
/// not enabled, and with `DNS-SRV` and `DNS` all of them play no part in it; an instance number does by the order it gives.
fn effective_rows(connection: &Connection) -> impl Iterator<Item = (Option<&str>, u16, u16, Option<u16>)> {
    let mut rows: Vec<&Server> = match connection.algorithm {
        ServerAlgorithm::DnsSrv | ServerAlgorithm::Dns => Vec::new(),
        ServerAlgorithm::ServerTable => connection.servers.iter().filter(|row| row.enable).collect(),
    };
    rows.sort_by_key(|row| (row.priority, row.instance));
    rows.into_iter().map(|row| (row.address.as_deref(), row.port, row.priority, row.weight))
}

#[cfg(test)]
pub(super) mod tests;
