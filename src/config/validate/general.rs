//! Section `config xmpp 'xmpp'`.

use std::collections::BTreeSet;
use std::time::Duration;

use jid::Jid;

use crate::config::model::{ConnectionId, General, Notify};
use crate::config::problem::presentable;
use crate::config::references::{Connections, Referent};
use crate::config::section_reader::SectionReader;
use crate::config::values::{Items, NotifyBy, Short, Whole, Words};

/// `allowed_jid`: items, and characters of each (TR-181, `ConnReqAllowedJabberIDs`).
const ALLOWED_MAX: (usize, usize) = (32, 256);

/// The settings of the section; what is wrong is noted in the reader.
///
/// `enable`: the value of that option if it is not given.
pub(crate) fn general(reader: &mut SectionReader<'_>, enable: bool, connections: &Connections) -> Option<General> {
    let accepting = accepting(reader, connections);
    let allowed = allowed(reader);
    let notify = notify(reader);
    let enable = if reader.is_given("enable") { reader.get("enable") } else { Some(enable) };
    let log_level = reader.get("loglevel");
    let timeout = reader.get::<Whole<100, 10_000>>("notify_timeout_ms");
    let limit = reader.get::<Short<0>>("connreq_limit");
    let period = reader.get::<Whole<1, 86_400>>("connreq_period");
    Some(General {
        enable: enable?,
        accepting: accepting?,
        allowed: allowed?,
        log_level: log_level?,
        notify: notify?,
        notify_timeout: Duration::from_millis(u64::from(timeout?.0)),
        limit: limit?.0,
        period: period?.seconds(),
    })
    .filter(|_| !reader.is_refused())
}

fn accepting(reader: &mut SectionReader<'_>, connections: &Connections) -> Option<BTreeSet<ConnectionId>> {
    let items: Items = reader.extract("id")?;
    let names_first = reader.given_as("id") == Some("conn_req_connection");
    let mut ids = BTreeSet::new();
    let mut good = true;
    for entry in items.words().into_iter().filter(|entry| *entry != "0") {
        match connections.find(entry, names_first) {
            // A number that is unknown may be added later.
            Referent::Connection(id) | Referent::UnknownNumber(id) => {
                ids.insert(id);
            }
            Referent::Unclear => {}
            Referent::UnknownName => {
                let message = format!("there is no connection '{}'; {}", presentable(entry), connections.list());
                reader.warn(Some("id"), message);
            }
            Referent::Malformed => {
                good = false;
                let message = "expected con_inst numbers or section names of connections, or 0 for none";
                reader.refuse("id", Some(entry), message);
            }
        }
    }
    good.then_some(ids)
}

fn allowed(reader: &mut SectionReader<'_>) -> Option<Vec<Jid>> {
    if !reader.is_given("allowed_jid") {
        return Some(Vec::new());
    }
    let items: Items = reader.extract("allowed_jid")?;
    let entries = items.entries();
    if entries.is_empty() && !items.is_blank() {
        // An empty list allows everyone: that is not to come of a slip.
        reader.refuse("allowed_jid", None, "no JID in it");
        return None;
    }
    if entries.len() > ALLOWED_MAX.0 {
        let message = format!("{} JIDs, expected at most {}", entries.len(), ALLOWED_MAX.0);
        reader.refuse("allowed_jid", None, message);
        return None;
    }
    let mut allowed = Vec::new();
    for entry in &entries {
        match jid(entry) {
            Some(jid) => allowed.push(jid),
            None => reader.refuse("allowed_jid", None, not_a_jid(entry)),
        }
    }
    (allowed.len() == entries.len()).then_some(allowed)
}

fn not_a_jid(entry: &str) -> String {
    format!("'{}' is not a JID of up to {} characters", presentable(entry), ALLOWED_MAX.1)
}

/// A JID, normalized; the dot that may end its domain is not a part of it (RFC 7622, section 3.2).
fn jid(text: &str) -> Option<Jid> {
    if text.chars().nth(ALLOWED_MAX.1).is_some() {
        return None;
    }
    let (bare, resource) = text.split_at(text.find('/').unwrap_or(text.len()));
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    Jid::new(&format!("{bare}{resource}")).ok()
}

fn notify(reader: &mut SectionReader<'_>) -> Option<Notify> {
    let by = reader.get::<NotifyBy>("notify");
    let words = reader.get::<Words>("notify_command");
    match (by?, words) {
        (NotifyBy::Ubus, _) => Some(Notify::Ubus),
        (NotifyBy::Command, Some(Words(words))) => Some(Notify::Command(words)),
        (NotifyBy::Command, None) => {
            if !reader.is_given("notify_command") {
                reader.refuse("notify_command", None, "required with notify 'command'");
            }
            None
        }
    }
}
