//! The status document: what `xmppd status --json` prints and `ubus call xmppd status` answers. `docs/status.md` describes
//! each field; a test compares the two.

use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use super::report::Report;
use super::tr181::{last_change_date, reachable_by};
use super::view::{Entry, View};
use crate::config::model::ConnectionId;
use crate::document::{Table, Value};
use crate::ubus::BusState;

/// The version of the document's form. It grows when a field is removed or changes its meaning, not when one is added.
pub const FORMAT: u32 = 1;

/// The document, with all connections or one.
#[must_use]
pub fn document(view: &View<'_>, only: Option<ConnectionId>) -> Table {
    let entries = view.entries().into_iter().filter(|entry| only.is_none() || entry.id == only);
    let connections: Vec<Value> = entries.map(|entry| connection(view, &entry).into()).collect();
    Table::new()
        .with("format", FORMAT)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("daemon", daemon(view))
        .with("management_server", management_server(view))
        .with("connections", connections)
}

fn daemon(view: &View<'_>) -> Table {
    let report = view.daemon;
    let mut config = Table::new().with("file", view.file.to_string_lossy().into_owned());
    if let Some(time) = report.config.taken_up {
        config = config.with("taken_up", seconds(view, time));
    }
    if let Some((time, error)) = &report.config.refused {
        config = config.with("refused", seconds(view, *time)).with("error", error.as_str());
    }
    config = config.with("in_effect", report.config.in_effect);
    let mut restarts = Table::new();
    for (actor, starts) in &report.starts {
        restarts.push((*actor).to_owned(), starts.saturating_sub(1));
    }
    let mut crashes = Table::new();
    for (actor, crash) in &report.crashes {
        let crash = Table::new().with("time", seconds(view, crash.time)).with("reason", crash.reason.as_str());
        crashes.push((*actor).to_owned(), crash);
    }
    let mut bus = Table::new().with("connected", report.bus == BusState::Connected);
    bus = bus.with("since", seconds(view, report.bus_since));
    if let BusState::Lost(error) = &report.bus {
        bus = bus.with("error", error.as_str());
    }
    Table::new()
        .with("started", seconds(view, report.started))
        .with("uptime", view.now.saturating_duration_since(report.started).as_secs())
        .with("enabled", view.settings.general.enable)
        .with("config", config)
        .with("restarts", restarts)
        .with("crashes", crashes)
        .with("ubus", bus)
}

/// What data models that map parameters to values of this document cannot find among the connections.
fn management_server(view: &View<'_>) -> Table {
    let (connection, jid) = reachable_by(view);
    Table::new().with("connreq_xmpp_connection", connection).with("connreq_jabber_id", jid)
}

fn connection(view: &View<'_>, entry: &Entry<'_>) -> Table {
    let unknown = Report::default();
    let report = entry.id.and_then(|id| view.reports.get(&id)).unwrap_or(&unknown);
    let refused = entry.section.and_then(|section| section.refused.as_deref());
    let mut table = Table::new()
        .with("connection", entry.id.map_or(0, |id| id.0))
        .with("section", entry.section.map_or("", |section| &section.name))
        .with("alias", report.alias.as_str())
        .with("enabled", entry.is_enabled(view))
        .with("accepts_requests", entry.id.is_some_and(|id| view.settings.general.accepts_requests.contains(&id)))
        .with("status", entry.status(view).to_string())
        .with("since", report.since.map_or(Value::Int64(0), |since| seconds(view, since)))
        .with("last_change_date", last_change_date(view, report));
    let optional = [
        ("jid", report.jid.as_deref()),
        ("address", report.address.as_deref()),
        ("error", report.error.as_deref()),
        ("refused", refused),
    ];
    for (name, text) in optional {
        if let Some(text) = text {
            table = table.with(name, text);
        }
    }
    if let Some(next) = report.next {
        let wait = next.saturating_duration_since(view.now).as_secs_f64();
        table = table.with("next_attempt_in", Value::Double((wait * 10.0).round() / 10.0));
    }
    table = table.with("tls", report.tls).with("attempt", report.pass).with("restarts", report.restarts);
    if let Some(crash) = &report.crash {
        table = table.with("crashed", seconds(view, crash.time)).with("crash", crash.reason.as_str());
    }
    for (name, count) in report.stats.named() {
        table.push(name.to_owned(), count);
    }
    table
}

/// Seconds since 1970; always 64 bits, so that the type does not change in 2038.
fn seconds(view: &View<'_>, time: Instant) -> Value {
    let seconds = view.dates.of(time).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Value::Int64(i64::try_from(seconds).unwrap_or(i64::MAX))
}
