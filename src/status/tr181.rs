//! The parameters of TR-181 that xmppd stands for, as a CWMP or USP agent would answer them: `Device.XMPP.`, and those of
//! `Device.ManagementServer.` that concern connection requests. Values are text in TR-181's notation.

use std::collections::BTreeSet;

use super::report::Report;
use super::view::{Entry, View};
use crate::calendar::date_time;
use crate::config::model::{ConnectionId, ConnectionSettings, KeepAlive, Server, ServerAlgorithm};
use crate::document::Table;

/// The parameters by path. Of a section that is refused, only those that are known are in it.
#[must_use]
pub fn tr181(view: &View<'_>) -> Table {
    let mut parameters = Parameters(Table::new());
    let connections: Vec<(ConnectionId, Entry<'_>)> =
        view.entries().into_iter().filter_map(|entry| Some((entry.id?, entry))).collect();
    management_server(view, &mut parameters);
    parameters.add("Device.XMPP.ConnectionNumberOfEntries", &connections.len());
    parameters.add("Device.XMPP.SupportedServerConnectAlgorithms", &"DNS-SRV,DNS,ServerTable");
    for (id, entry) in &connections {
        connection(view, *id, entry, &mut parameters);
    }
    parameters.0
}

struct Parameters(Table);

impl Parameters {
    fn add(&mut self, path: impl Into<String>, value: &dyn ToString) {
        self.0.push(path.into(), value.to_string());
    }
}

fn path(id: ConnectionId) -> String {
    format!("Device.XMPP.Connection.{id}")
}

fn management_server(view: &View<'_>, parameters: &mut Parameters) {
    let allowed: Vec<String> = view.settings.general.allowed.iter().map(|jid| list_item(jid.as_str())).collect();
    let (connection, jid) = reachable_by(view);
    parameters.add("Device.ManagementServer.SupportedConnReqMethods", &"XMPP");
    parameters.add("Device.ManagementServer.ConnReqXMPPConnection", &connection);
    parameters.add("Device.ManagementServer.ConnReqAllowedJabberIDs", &allowed.join(","));
    parameters.add("Device.ManagementServer.ConnReqJabberID", &jid);
}

/// `ConnReqXMPPConnection` and `ConnReqJabberID`; empty where there is none.
pub(super) fn reachable_by<'a>(view: &View<'a>) -> (String, &'a str) {
    let is_enabled = |id: &ConnectionId| view.settings.enabled_connection(*id).is_some();
    let known: BTreeSet<ConnectionId> = view.entries().into_iter().filter_map(|entry| entry.id).collect();
    let accepting = || view.settings.general.accepts_requests.intersection(&known);
    // The parameter names one connection: of several, the first that can be reached.
    let accepting = accepting().find(|id| is_enabled(id)).or_else(|| accepting().next());
    let jid = accepting.filter(|id| is_enabled(id)).and_then(|id| view.reports.get(id)?.jid.as_deref());
    (accepting.map(|id| path(*id)).unwrap_or_default(), jid.unwrap_or_default())
}

/// `LastChangeDate`.
pub(super) fn last_change_date(view: &View<'_>, report: &Report) -> String {
    report.since.map_or_else(|| UNKNOWN_TIME.to_owned(), |since| date_time(view.dates.of(since)))
}

/// An item of a comma-separated list (TR-106 3.2.3).
fn list_item(text: &str) -> String {
    text.replace('%', "%25").replace(',', "%2C").replace(' ', "%20")
}

fn connection(view: &View<'_>, id: ConnectionId, entry: &Entry<'_>, parameters: &mut Parameters) {
    let unknown = Report::default();
    let report = view.reports.get(&id).unwrap_or(&unknown);
    let settings = view.settings.connections.get(&id);
    let path = path(id);
    let mut add = |name: &str, value: &dyn ToString| parameters.add(format!("{path}.{name}"), value);
    add("Enable", &entry.is_enabled(view));
    add("Alias", &settings.map_or_else(|| format!("cpe-{id}"), |settings| settings.alias.clone()));
    add("JabberID", &report.jid.as_deref().unwrap_or_default());
    add("Status", &entry.status(view));
    add("LastChangeDate", &last_change_date(view, report));
    add("TLSEstablished", &report.tls);
    let counts = [
        ("ReceivedMessages", report.stats.received),
        ("TransmittedMessages", report.stats.transmitted),
        ("ReceivedErrorMessages", report.stats.received_errors),
        ("TransmittedErrorMessages", report.stats.transmitted_errors),
    ];
    for (name, count) in counts {
        add(&format!("Stats.{name}"), &count);
    }
    if let Some(settings) = settings {
        configured(settings, &mut add);
    }
}

/// The parameters that the file sets.
fn configured(settings: &ConnectionSettings, add: &mut dyn FnMut(&str, &dyn ToString)) {
    add("Username", &settings.username);
    // As TR-181 has it, reading it gives an empty string.
    add("Password", &"");
    add("Domain", &settings.domain);
    add("Resource", &settings.resource.as_deref().unwrap_or_default());
    add("UseTLS", &settings.use_tls);
    add(
        "KeepAliveInterval",
        &match settings.keepalive {
            KeepAlive::Automatic => "-1".to_owned(),
            KeepAlive::Off => "0".to_owned(),
            KeepAlive::Every(interval) => interval.as_secs().to_string(),
        },
    );
    add("ServerConnectAttempts", &settings.retry.attempts);
    add("ServerRetryInitialInterval", &settings.retry.initial.as_secs());
    add("ServerRetryIntervalMultiplier", &settings.retry.multiplier);
    add("ServerRetryMaxInterval", &settings.retry.max.as_secs());
    add(
        "ServerConnectAlgorithm",
        &match settings.algorithm {
            ServerAlgorithm::DnsSrv => "DNS-SRV",
            ServerAlgorithm::Dns => "DNS",
            ServerAlgorithm::ServerTable => "ServerTable",
        },
    );
    // Of several rows of one number, the first: an instance number is unique.
    let mut seen = BTreeSet::new();
    let rows: Vec<&Server> = settings.servers.iter().filter(|row| seen.insert(row.instance)).collect();
    add("ServerNumberOfEntries", &rows.len());
    for row in rows {
        let mut add = |name: &str, value: &dyn ToString| add(&format!("Server.{}.{name}", row.instance), value);
        add("Enable", &row.enable);
        add("Alias", &row.alias);
        add("Priority", &row.priority);
        add("Weight", &row.weight.map_or(-1, i32::from));
        add("ServerAddress", &row.address.as_deref().unwrap_or_default());
        add("Port", &row.port);
    }
}

/// TR-181's "not known".
const UNKNOWN_TIME: &str = "0001-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_list_have_no_commas() {
        assert_eq!(list_item("a@b.test/x, 5%"), "a@b.test/x%2C%205%25");
    }
}
