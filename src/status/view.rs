//! What the documents are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::Instant;

use super::daemon::DaemonReport;
use super::dates::Dates;
use super::report::{Report, Status};
use crate::config::model::{ConnectionId, Settings};
use crate::config::outline::ConnectionSection;

/// All that is known at one time.
pub struct View<'a> {
    /// The daemon's part.
    pub daemon: &'a DaemonReport,
    /// The reports of the connections.
    pub reports: &'a BTreeMap<ConnectionId, Report>,
    /// The desired settings.
    pub settings: &'a Settings,
    /// The `config connection` sections of the file that was taken up last, in its order.
    pub sections: &'a [ConnectionSection],
    /// The configuration file.
    pub file: &'a Path,
    /// The present time.
    pub now: Instant,
    /// The dates of instants.
    pub dates: Dates,
}

/// A section, or a connection that runs without one.
pub(super) struct Entry<'a> {
    pub(super) id: Option<ConnectionId>,
    pub(super) section: Option<&'a ConnectionSection>,
}

impl Entry<'_> {
    /// `Enable`: of the section, also where it is refused.
    pub(super) fn is_enabled(&self, view: &View<'_>) -> bool {
        let settings = || self.id.and_then(|id| view.settings.connections.get(&id));
        self.section.map_or_else(|| settings().is_some_and(|settings| settings.enable), |section| section.enable)
    }

    /// `Status`. Of a section without a number nothing is known but whether it is refused.
    pub(super) fn status(&self, view: &View<'_>) -> Status {
        let report = self.id.and_then(|id| view.reports.get(&id));
        match report {
            None if self.section.is_some_and(|section| section.refused.is_some()) => Status::ErrorMisconfigured,
            report => report.map(|report| report.status).unwrap_or_default(),
        }
    }
}

impl View<'_> {
    /// The connections in the order of the file, and behind them those that run although the file has no section for them
    /// (a section that is refused may be theirs).
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let listed: BTreeSet<_> = self.sections.iter().filter_map(|section| section.connection).collect();
        let others = self.reports.keys().filter(|id| !listed.contains(id));
        let sections = self.sections.iter().map(|section| Entry { id: section.connection, section: Some(section) });
        sections.chain(others.map(|id| Entry { id: Some(*id), section: None })).collect()
    }

    /// Whether there is a connection of this number.
    #[must_use]
    pub fn has(&self, id: ConnectionId) -> bool {
        self.entries().iter().any(|entry| entry.id == Some(id))
    }
}
