//! The reports of all connections, and that of the daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::daemon::DaemonReport;
use super::dates::Dates;
use super::report::{Report, Status};
use crate::config::model::ConnectionId;

/// A JID that is remembered: what the server assigned last, and to which account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedJid {
    /// `username@domain`, as configured.
    pub account: String,
    /// The full JID.
    pub jid: String,
}

/// The remembered JIDs by connection.
pub type RememberedJids = BTreeMap<ConnectionId, RememberedJid>;

/// A connection entered another status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// The connection.
    pub connection: ConnectionId,
    /// Its alias.
    pub alias: String,
    /// The new status.
    pub status: Status,
    /// The status before.
    pub previous: Status,
    /// The JID that the server assigned last.
    pub jid: Option<String>,
    /// The last error.
    pub error: Option<String>,
}

/// A change that an observer of the table is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A connection entered another status.
    Status(StatusChange),
    /// The JIDs to remember.
    Jids(RememberedJids),
}

type Observer = Box<dyn Fn(Change) + Send + Sync>;

/// The reports of all connections, and that of the daemon. It outlives the actors that write into it.
#[derive(Clone, Default)]
pub struct StatusTable(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<TableState>,
    observer: Option<Observer>,
}

#[derive(Default)]
struct TableState {
    daemon: DaemonReport,
    dates: Dates,
    reports: BTreeMap<ConnectionId, Report>,
    jids: RememberedJids,
}

impl StatusTable {
    /// A table that begins with the JIDs of the daemon's last run, and tells `observer` each change, after it was made.
    #[must_use]
    pub fn new(jids: RememberedJids, observer: impl Fn(Change) + Send + Sync + 'static) -> Self {
        let state = Mutex::new(TableState { jids, ..TableState::default() });
        Self(Arc::new(Shared { state, observer: Some(Box::new(observer)) }))
    }

    fn state(&self) -> MutexGuard<'_, TableState> {
        // Numbers and words: a panic in between leaves nothing that would mislead.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observer a change. Not to be called while the state is locked.
    fn tell(&self, change: Option<Change>) {
        if let (Some(observer), Some(change)) = (&self.0.observer, change) {
            observer(change);
        }
    }

    /// Begins a run of a connection: its report is reset, except for what outlives an outage or a crash (its JID, its last
    /// error, its counts). The JID is that of its `account`, `username@domain`: another account has another JID.
    pub fn begin(&self, id: ConnectionId, alias: &str, account: &str) {
        self.reset(id, alias);
        let state = &mut *self.state();
        let jid = state.jids.get(&id).filter(|remembered| remembered.account == account);
        if let Some(report) = state.reports.get_mut(&id) {
            account.clone_into(&mut report.account);
            report.jid = jid.map(|remembered| remembered.jid.clone());
        }
    }

    fn reset(&self, id: ConnectionId, alias: &str) {
        let mut state = self.state();
        let report = state.reports.entry(id).or_default();
        alias.clone_into(&mut report.alias);
        report.tls = false;
        report.address = None;
        report.pass = 0;
        report.next = None;
        report.inactive = false;
    }

    /// The report of a connection that is not meant to run; it stays so until its next run begins.
    pub fn set_inactive(&self, id: ConnectionId, alias: &str, status: Status, error: Option<&str>) {
        self.reset(id, alias);
        if let Some(error) = error {
            self.update(id, |report| report.error = Some(error.to_owned()));
        }
        self.set_status(id, status);
        self.update(id, |report| report.inactive = true);
    }

    /// Changes a connection's report, if the connection is known and meant to run: a run that is about to end must not
    /// overwrite what was decided meanwhile.
    pub fn update(&self, id: ConnectionId, change: impl FnOnce(&mut Report)) {
        if let Some(report) = self.state().reports.get_mut(&id).filter(|report| !report.inactive) {
            change(report);
        }
    }

    /// Sets the status; setting the same one again does not change its date.
    pub fn set_status(&self, id: ConnectionId, status: Status) {
        let mut change = None;
        self.update(id, |report| {
            if report.since.is_none() || report.status != status {
                let previous = std::mem::replace(&mut report.status, status);
                report.since = Some(Instant::now());
                change = status_change(id, report, previous);
            }
        });
        self.tell(change);
    }

    /// Notes the JID that the server assigned.
    pub fn set_jid(&self, id: ConnectionId, jid: &str) {
        self.update(id, |report| report.jid = Some(jid.to_owned()));
        let change = {
            let state = &mut *self.state();
            let account = state.reports.get(&id).map(|report| report.account.clone()).unwrap_or_default();
            let remembered = RememberedJid { account, jid: jid.to_owned() };
            let before = state.jids.insert(id, remembered.clone());
            (before != Some(remembered)).then(|| Change::Jids(state.jids.clone()))
        };
        self.tell(change);
    }

    /// Forgets the connections that are no longer configured. To the observer, they are disabled.
    pub fn retain(&self, keep: impl Fn(ConnectionId) -> bool) {
        let mut changes = Vec::new();
        {
            let state = &mut *self.state();
            state.reports.retain(|id, report| {
                if !keep(*id) {
                    let previous = std::mem::replace(&mut report.status, Status::Disabled);
                    changes.extend(status_change(*id, report, previous));
                }
                keep(*id)
            });
            let before = state.jids.len();
            state.jids.retain(|id, _| keep(*id));
            changes.extend((state.jids.len() < before).then(|| Change::Jids(state.jids.clone())));
        }
        for change in changes {
            self.tell(Some(change));
        }
    }

    /// A copy of all reports.
    #[must_use]
    pub fn all(&self) -> BTreeMap<ConnectionId, Report> {
        self.state().reports.clone()
    }

    /// Gives the instants of the reports their dates, by the system's clock as it is now.
    #[must_use]
    pub fn dates(&self) -> Dates {
        let state = &mut *self.state();
        state.dates.follow(Instant::now(), SystemTime::now());
        state.dates
    }

    /// A copy of the daemon's report.
    #[must_use]
    pub fn daemon(&self) -> DaemonReport {
        self.state().daemon.clone()
    }

    /// Changes the daemon's report.
    pub fn update_daemon(&self, change: impl FnOnce(&mut DaemonReport)) {
        change(&mut self.state().daemon);
    }
}

/// None if the status is the same as before.
fn status_change(connection: ConnectionId, report: &Report, previous: Status) -> Option<Change> {
    let Report { alias, status, jid, error, .. } = report;
    (*status != previous).then(|| {
        Change::Status(StatusChange {
            connection,
            alias: alias.clone(),
            status: *status,
            previous,
            jid: jid.clone(),
            error: error.clone(),
        })
    })
}
