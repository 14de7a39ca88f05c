//! A connection's row of the status table.

use crate::config::model::{ConnectionId, ConnectionSettings};
use crate::status::{Report, Stats, Status, StatusTable};

/// The row of one connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct StatusRow {
    table: StatusTable,
    pub(super) id: ConnectionId,
}

impl StatusRow {
    /// Begins a connection's row anew.
    pub(super) fn begin(table: StatusTable, settings: &ConnectionSettings) -> Self {
        table.begin(settings.id, &settings.alias, &format!("{}@{}", settings.username, settings.domain));
        Self { table, id: settings.id }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Report)) {
        self.table.update(self.id, change);
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Stats)) {
        self.update(|report| count(&mut report.stats));
    }

    pub(super) fn set_jid(&self, jid: &str) {
        self.table.set_jid(self.id, jid);
    }

    pub(super) fn set_status(&self, status: Status) {
        self.table.set_status(self.id, status);
    }
}
