//! Validates the section `config xmpp 'xmpp'`.

use std::collections::BTreeSet;
use std::time::Duration;

use jid::Jid;

use crate::config::model::{ConnectionId, General, LogLevel, Notify};
use crate::config::references::{ConnectionIndex, Reference};
use crate::config::section_reader::SectionReader;
use crate::config::values::keywords::NotifyMethod;
use crate::config::values::lists::Items;
use crate::config::values::names::NotifyCommand;
use crate::config::values::numbers::{U16From, U32InRange};
use crate::text::presentable;

/// Maximum number of items in `allowed_jid` (TR-181, `ConnReqAllowedJabberIDs`).
const ALLOWED_MAX_ITEMS: usize = 32;

/// Maximum length of an item of `allowed_jid`, in characters.
const ALLOWED_MAX_LENGTH: usize = 256;

/// Validates the section; none if it is refused. The problems are in the reader. Also returns whether `id` names a refused
/// section whose number is not known.
///
/// `default_enable`: the value of `enable` if it is not given.
pub(crate) fn general(
    reader: &mut SectionReader<'_>,
    default_enable: bool,
    connections: &ConnectionIndex,
) -> Option<(General, bool)> {
    let accepts_requests = accepts_requests(reader, connections);
    let allowed = allowed(reader);
    let notify = notify(reader);
    let enable = if reader.is_given("enable") { reader.get::<bool>("enable") } else { Some(default_enable) };
    let log_level = reader.get::<LogLevel>("loglevel");
    let timeout = reader.get::<U32InRange<100, 10_000>>("notify_timeout_ms");
    let limit = reader.get::<U16From<0>>("connreq_limit");
    let period = reader.get::<U32InRange<1, 86_400>>("connreq_period");
    let (accepts_requests, names_refused) = accepts_requests?;
    let general = General {
        enable: enable?,
        accepts_requests,
        allowed: allowed?,
        log_level: log_level?,
        notify: notify?,
        notify_timeout: Duration::from_millis(u64::from(timeout?.0)),
        limit: limit?.0,
        period: period?.seconds(),
    };
    (!reader.is_refused()).then_some((general, names_refused))
}

fn accepts_requests(
    reader: &mut SectionReader<'_>,
    connections: &ConnectionIndex,
) -> Option<(BTreeSet<ConnectionId>, bool)> {
    let items: Items = reader.extract("id")?;
    let names_first = reader.given_as("id") == Some("conn_req_connection");
    let mut ids = BTreeSet::new();
    let mut names_refused = false;
    let mut is_valid = true;
    for entry in items.words().into_iter().filter(|entry| *entry != "0") {
        match connections.resolve(entry, names_first) {
            // A connection with an unknown number may be added later.
            Reference::Connection(id) | Reference::UnknownNumber(id) => {
                ids.insert(id);
            }
            Reference::InvalidSection => names_refused = true,
            Reference::UnknownName => {
                let suggestion = connections.suggestion(entry);
                let message = format!("there is no connection '{}'; {connections}{suggestion}", presentable(entry));
                reader.warn(Some("id"), message);
            }
            Reference::Malformed => {
                is_valid = false;
                let message = "expected con_inst numbers or section names of connections, or 0 for none";
                reader.refuse("id", Some(entry), message);
            }
        }
    }
    is_valid.then_some((ids, names_refused))
}

fn allowed(reader: &mut SectionReader<'_>) -> Option<Vec<Jid>> {
    if !reader.is_given("allowed_jid") {
        return Some(Vec::new());
    }
    let items: Items = reader.extract("allowed_jid")?;
    let entries = items.entries();
    if entries.is_empty() && !items.is_blank() {
        // An empty list allows everyone, which a typo must not do.
        reader.refuse("allowed_jid", None, "contains no JID");
        return None;
    }
    if entries.len() > ALLOWED_MAX_ITEMS {
        let message = format!("{} JIDs, expected at most {ALLOWED_MAX_ITEMS}", entries.len());
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
    format!("'{}' is not a JID of up to {ALLOWED_MAX_LENGTH} characters", presentable(entry))
}

/// Parses and normalizes a JID. A final dot of its domain is dropped (RFC 7622, section 3.2).
fn jid(text: &str) -> Option<Jid> {
    if text.chars().nth(ALLOWED_MAX_LENGTH).is_some() {
        return None;
    }
    let (bare, resource) = text.split_at(text.find('/').unwrap_or(text.len()));
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    Jid::new(&format!("{bare}{resource}")).ok()
}

fn notify(reader: &mut SectionReader<'_>) -> Option<Notify> {
    let method = reader.get::<NotifyMethod>("notify");
    let command = reader.get::<NotifyCommand>("notify_command");
    match (method?, command) {
        (NotifyMethod::Ubus, _) => Some(Notify::Ubus),
        (NotifyMethod::Command, Some(NotifyCommand(words))) => Some(Notify::Command(words)),
        (NotifyMethod::Command, None) => {
            if !reader.is_given("notify_command") {
                reader.refuse("notify_command", None, "required with notify 'command'");
            }
            None
        }
    }
}
