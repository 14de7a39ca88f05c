//! Section `config xmpp 'xmpp'`.

use std::collections::BTreeSet;
use std::time::Duration;

use jid::Jid;

use crate::config::model::{ConnectionId, General, Notify};
use crate::config::problem::presentable;
use crate::config::reader::Reader;
use crate::config::values::{Items, NotifyBy, Short, Whole, Words, digits};

/// `allowed_jid`: items, and characters of each (TR-181, `ConnReqAllowedJabberIDs`).
const ALLOWED_MAX: (usize, usize) = (32, 256);

/// The settings of the section; what is wrong is noted in the reader.
pub(crate) fn general(reader: &mut Reader<'_>) -> Option<General> {
    let accepting = accepting(reader);
    let allowed = allowed(reader);
    let notify = notify(reader);
    let enable = reader.get("enable");
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

fn accepting(reader: &mut Reader<'_>) -> Option<BTreeSet<ConnectionId>> {
    let items: Items = reader.extract("id")?;
    let mut ids = BTreeSet::new();
    let mut good = true;
    for entry in items.words() {
        match digits(entry) {
            Some(0) => {}
            Some(id) => {
                ids.insert(ConnectionId(id));
            }
            None => {
                good = false;
                reader.refuse("id", Some(entry), "expected con_inst numbers of connections, or 0 for none");
            }
        }
    }
    good.then_some(ids)
}

fn allowed(reader: &mut Reader<'_>) -> Option<Vec<Jid>> {
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

fn notify(reader: &mut Reader<'_>) -> Option<Notify> {
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
