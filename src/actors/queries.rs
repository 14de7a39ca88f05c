//! What an operator asks of the daemon, on the control socket and on ubus.

use std::path::Path;
use std::sync::Arc;

use actix::Recipient;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::desired::DesiredState;
use super::messages::ReloadNow;
use super::registry::{ConnectionRegistry, Slot};
use super::reload_report::ReloadReport;
use crate::config::check::check_with_trust;
use crate::config::model::ConnectionId;
use crate::config::startup::Startup;
use crate::document::{Table, Value};
use crate::file::read;
use crate::status::{StatusTable, UnknownPath, View, document, lines, render, tr181};

/// Answers questions: from what is known where that is enough, and by asking the actors where not. Cheap to clone.
#[derive(Clone)]
pub struct Queries {
    pub(super) startup: Arc<Startup>,
    pub(super) status: StatusTable,
    pub(super) desired: DesiredState,
    pub(super) connections: ConnectionRegistry,
    pub(super) config: Slot<Recipient<ReloadNow>>,
}

/// A number that no connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no connection {0}")]
pub struct UnknownConnection(pub ConnectionId);

impl Queries {
    /// The [status document](Self::status) for people.
    ///
    /// # Errors
    /// [`UnknownConnection`]
    pub fn status_text(&self, only: Option<ConnectionId>, colour: bool) -> Result<String, UnknownConnection> {
        self.view_of(only, |view| render(&document(view, only), view.dates.of(view.now), colour))
    }

    /// The status document, with all connections or one.
    ///
    /// # Errors
    /// [`UnknownConnection`]
    pub fn status(&self, only: Option<ConnectionId>) -> Result<Table, UnknownConnection> {
        self.view_of(only, |view| document(view, only))
    }

    /// The parameters of TR-181.
    #[must_use]
    pub fn tr181(&self) -> Table {
        self.view(tr181)
    }

    /// The parameters of TR-181 at and below a path, as lines.
    ///
    /// # Errors
    /// [`UnknownPath`]
    pub fn tr181_lines(&self, path: &str) -> Result<String, UnknownPath> {
        lines(&self.tr181(), path)
    }

    /// Shortens the present wait of all connections before a retry, or of one. One that is online or disabled is left
    /// alone.
    ///
    /// # Errors
    /// [`UnknownConnection`]
    pub fn reconnect(&self, only: Option<ConnectionId>) -> Result<(), UnknownConnection> {
        match only {
            None => self.connections.reconnect_all(),
            Some(id) if self.view(|view| view.has(id)) => self.connections.reconnect(id),
            Some(id) => return Err(UnknownConnection(id)),
        }
        Ok(())
    }

    /// Has the files read now. None if the config actor crashed meanwhile.
    pub async fn reload(&self) -> Option<ReloadReport> {
        self.config.send(ReloadNow).await.ok().flatten()
    }

    /// The findings of the configuration file as it is now. None if they cannot be had.
    pub async fn check(&self) -> Option<Table> {
        let file = self.startup.config.clone();
        let (done, report) = oneshot::channel();
        // On a thread of its own, because the files of `tls_ca` may be large.
        let check = move || {
            let _ = done.send(check_now(&file));
        };
        std::thread::Builder::new().name("check".to_owned()).spawn(check).ok()?;
        report.await.ok()
    }

    /// A view in which there is this connection, if one is asked for.
    fn view_of<T>(
        &self,
        only: Option<ConnectionId>,
        look: impl FnOnce(&View<'_>) -> T,
    ) -> Result<T, UnknownConnection> {
        self.view(|view| match only {
            Some(id) if !view.has(id) => Err(UnknownConnection(id)),
            _ => Ok(look(view)),
        })
    }

    fn view<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let (daemon, reports) = (self.status.daemon(), self.status.all());
        let desired = self.desired.lock();
        look(&View {
            daemon: &daemon,
            reports: &reports,
            settings: &desired.settings,
            sections: &desired.sections,
            file: &self.startup.config,
            now: Instant::now(),
            dates: self.status.dates(),
        })
    }
}

fn check_now(file: &Path) -> Table {
    match read(file) {
        Ok(contents) => check_with_trust(file, &contents).document(),
        Err(error) => {
            let problem = Table::new().with("severity", "error").with("message", error.reason());
            Table::new()
                .with("file", file.to_string_lossy().into_owned())
                .with("accepted", false)
                .with("problems", vec![Value::from(problem)])
        }
    }
}
