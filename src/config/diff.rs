//! From the settings that run and those that are to run to what has to be done: the reload table.

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

/// What has to be done to come from `old` to `new`. At start-up `old` is `Settings::default()`; the `loglevel` that a
/// process starts with is then the default one.
#[must_use]
pub fn diff(old: &Settings, new: &Settings) -> Changes {
    let mut changes = Changes {
        general: router_part(&old.general) != router_part(&new.general),
        log_level: (old.general.log_level != new.general.log_level).then_some(new.general.log_level),
        ..Changes::default()
    };
    for id in old.connections.keys() {
        if running(old, *id).is_some() && running(new, *id).is_none() {
            changes.stop.push(*id);
        }
    }
    for id in new.connections.keys() {
        let Some(after) = running(new, *id) else {
            continue;
        };
        match running(old, *id) {
            None => changes.spawn.push(after.clone()),
            Some(before) if before == after => {}
            Some(before) if same_stream(before, after) => changes.update.push(after.clone()),
            Some(_) => changes.restart.push(after.clone()),
        }
    }
    changes
}

/// The connection, if these settings have it run.
pub(super) fn running(settings: &Settings, id: ConnectionId) -> Option<&Connection> {
    settings.connections.get(&id).filter(|connection| settings.general.enable && connection.enable)
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
/// not enabled, and with `DNS-SRV` all of them play no part in it; an instance number does by the order it gives.
fn effective_rows(connection: &Connection) -> impl Iterator<Item = (Option<&str>, u16, u16, Option<u16>)> {
    let mut rows: Vec<&Server> = match connection.algorithm {
        ServerAlgorithm::DnsSrv => Vec::new(),
        ServerAlgorithm::ServerTable => connection.servers.iter().filter(|row| row.enable).collect(),
    };
    rows.sort_by_key(|row| (row.priority, row.instance));
    rows.into_iter().map(|row| (row.address.as_deref(), row.port, row.priority, row.weight))
}

#[cfg(test)]
mod tests;
