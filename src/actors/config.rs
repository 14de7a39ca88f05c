//! Follows the configuration files and makes the running connections what they say.
//!
//! Everything of a new file is parsed and validated before anything is stopped. Boot is a difference from nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use futures_util::stream::unfold;

use super::connection::{Reconnect, Update};
use super::house::House;
use super::router::{Rules, SetRules};
use super::tree;
use crate::config::model::{ConnectionId, Settings};
use crate::config::watch::{ConfigFile, FirstReading, Reading, Requests, Watch};
use crate::config::{Changes, InsecurePermissions, Severity, adopt, diff, load, uci};
use crate::cwmp::credentials::credentials;
use crate::file::{Contents, ReadError};
use crate::status::Status;
use crate::supervision::{RestartChild, StartChild, StopChild};

/// Read both files again (SIGHUP).
#[derive(Debug, Clone, Copy)]
pub struct Reload;

impl Message for Reload {
    type Result = ();
}

/// The network has come back: cut the waits of all connections short (SIGHUP, `xmppd reconnect`).
#[derive(Debug, Clone, Copy)]
pub struct ReconnectAll;

impl Message for ReconnectAll {
    type Result = ();
}

/// Why a file was not taken over as a whole.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Syntax(#[from] uci::SyntaxError),
}

/// The actor that follows the files.
pub struct Config {
    house: House,
    logged: BTreeMap<ConfigFile, Logged>,
    /// None before it is started.
    readings: Option<Requests>,
}

/// The last log lines about a file, each of which is logged once.
#[derive(Default)]
struct Logged {
    /// Why the file is not taken over, if that is so.
    refusal: Option<String>,
    permissions: Option<InsecurePermissions>,
}

use ConfigFile::{Cwmp, Xmpp};

impl Config {
    /// An actor that reads the files when it is started.
    #[must_use]
    pub fn new(house: House) -> Self {
        Self { house, logged: BTreeMap::new(), readings: None }
    }

    fn path(&self, file: ConfigFile) -> &Path {
        match file {
            Xmpp => &self.house.startup.config,
            Cwmp => &self.house.startup.cwmp_config,
        }
    }

    /// Logs insecure permissions of a file once.
    fn warn_of_permissions(&mut self, file: ConfigFile, mode: u32) {
        let permissions = InsecurePermissions::of(mode);
        let before = std::mem::replace(&mut self.logged.entry(file).or_default().permissions, permissions);
        if let Some(permissions) = permissions.filter(|_| permissions != before) {
            tracing::warn!("{}: {permissions}", self.path(file).display());
        }
    }

    fn take_xmpp(&mut self, contents: Result<Contents, ReadError>) {
        let file = self.path(Xmpp).to_owned();
        match contents.map_err(Refusal::from).and_then(|contents| Ok(load(&file, &contents.text)?)) {
            Ok(loaded) => {
                self.log_recovery(Xmpp);
                for problem in &loaded.problems {
                    match problem.severity {
                        Severity::Error => tracing::error!("{problem}; this section is refused"),
                        Severity::Warning => tracing::warn!("{problem}"),
                    }
                }
                let before = self.house.rooms().running.clone();
                let wanted = adopt(&before, &loaded);
                self.apply(&before, wanted);
                self.show_the_rest(loaded.refused_connections().collect());
            }
            Err(refusal) => self.refuse(Xmpp, &refusal, "what runs goes on unchanged"),
        }
    }

    fn take_cwmp(&mut self, contents: Result<Contents, ReadError>) {
        let file = self.path(Cwmp).to_owned();
        let found = contents.map_err(Refusal::from).and_then(|contents| Ok(credentials(&file, &contents.text)?));
        match found {
            Ok(Some(credentials)) => {
                let before = self.house.rooms().credentials.replace(credentials.clone());
                self.log_recovery(Cwmp);
                if before.as_ref() != Some(&credentials) {
                    tracing::info!("{}: connection request credentials taken over", file.display());
                }
            }
            Ok(None) => self.no_credentials(&file, "no userid and passwd in a section 'cpe'"),
            Err(Refusal::Read(ReadError::Missing(_))) => self.no_credentials(&file, "there is no such file"),
            Err(refusal) => self.refuse(Cwmp, &refusal, "the credentials stay as they were"),
        }
        self.tell_router();
    }

    fn no_credentials(&mut self, file: &Path, why: &str) {
        self.house.rooms().credentials = None;
        let line = format!("{}: {why}: no connection request can be authorized", file.display());
        let before = self.logged.entry(Cwmp).or_default().refusal.replace(line.clone());
        if before.as_ref() != Some(&line) {
            tracing::warn!("{line}");
        }
    }

    fn refuse(&mut self, file: ConfigFile, refusal: &Refusal, consequence: &str) {
        let line = format!("{refusal}; {consequence}");
        let before = self.logged.entry(file).or_default().refusal.replace(line.clone());
        if before.as_ref() != Some(&line) {
            tracing::error!("{line}");
        }
    }

    /// Logs the recovery of a file; without it the old error would stay the last line about it.
    fn log_recovery(&mut self, file: ConfigFile) {
        if self.logged.entry(file).or_default().refusal.take().is_some() {
            crate::notice!("{}: good again, and taken up", self.path(file).display());
        }
    }

    fn tell_router(&self) {
        let rooms = self.house.rooms();
        if let Some(router) = &rooms.router {
            let rules = Rules { general: rooms.running.general.clone(), credentials: rooms.credentials.clone() };
            router.do_send(SetRules(rules));
        }
    }

    fn apply(&mut self, before: &Settings, wanted: Settings) {
        let mut changes = diff(before, &wanted);
        let mut rooms = self.house.rooms();
        // A connection that was given up gets another chance when its section changes, however little.
        changes.update.retain(|connection| {
            let again = rooms.given_up.contains(&connection.id);
            if again {
                changes.restart.push(connection.clone());
            }
            !again
        });
        if let Some(level) = changes.log_level
            && let Some(handle) = &self.house.level
        {
            handle.set(level);
        }
        rooms.running = wanted;
        drop(rooms);
        if !changes.is_empty() {
            tracing::info!("{}: {}", self.house.startup.config.display(), changes);
        }
        self.carry_out(&changes);
        self.tell_router();
    }

    /// Stop, restart, update in place, spawn: in this order, none waiting for another.
    fn carry_out(&self, changes: &Changes) {
        let mut rooms = self.house.rooms();
        let Some(supervisor) = rooms.connections.clone() else { return };
        for id in &changes.stop {
            rooms.connection.remove(id);
            rooms.given_up.remove(id);
            supervisor.do_send(StopChild(*id));
        }
        for connection in &changes.restart {
            rooms.given_up.remove(&connection.id);
            supervisor.do_send(RestartChild(tree::connection(self.house.clone(), connection.id)));
        }
        for connection in &changes.update {
            if let Some(address) = rooms.connection.get(&connection.id) {
                address.do_send(Update(connection.clone()));
            }
        }
        for connection in &changes.spawn {
            supervisor.do_send(StartChild(tree::connection(self.house.clone(), connection.id)));
        }
    }

    /// The status of the connections that do not run: those that are disabled, and those that are refused and did not
    /// run before.
    fn show_the_rest(&self, refused: BTreeSet<ConnectionId>) {
        let rooms = self.house.rooms();
        let (running, board) = (&rooms.running, &self.house.board);
        board.retain(|id| running.connections.contains_key(&id) || refused.contains(&id));
        for connection in running.connections.values() {
            if !(running.general.enable && connection.enable) {
                board.set_inactive(connection.id, &connection.alias, Status::Disabled, None);
            }
        }
        for id in refused.into_iter().filter(|id| !running.connections.contains_key(id)) {
            board.set_inactive(id, "", Status::ErrorMisconfigured, Some("the section is refused; the log says why"));
        }
    }
}

impl Actor for Config {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        #[cfg(feature = "test-hooks")]
        super::hooks::started("config");
        let is_boot = self.house.rooms().running.connections.is_empty();
        let first = if is_boot { FirstReading::AsIs } else { FirstReading::Settled };
        let watch = Watch::new([Xmpp, Cwmp].map(|file| (file, self.path(file).to_owned())), first);
        self.readings = Some(watch.requests());
        ctx.add_stream(Box::pin(unfold(watch, |mut watch| async move {
            let next = watch.next();
            #[cfg(feature = "test-hooks")]
            let next = super::hooks::at_work("config".to_owned(), next);
            let reading = next.await;
            Some((reading, watch))
        })));
    }
}

impl StreamHandler<Reading> for Config {
    fn handle(&mut self, Reading { file, contents }: Reading, _: &mut Context<Self>) {
        if let Ok(Contents { mode, .. }) = contents {
            self.warn_of_permissions(file, mode);
        }
        match file {
            Xmpp => self.take_xmpp(contents),
            Cwmp => self.take_cwmp(contents),
        }
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Reload> for Config {
    type Result = ();

    fn handle(&mut self, _: Reload, _: &mut Context<Self>) {
        self.logged.clear();
        if let Some(readings) = &self.readings {
            readings.read_all();
        }
    }
}

impl Handler<ReconnectAll> for Config {
    type Result = ();

    fn handle(&mut self, _: ReconnectAll, _: &mut Context<Self>) {
        for address in self.house.rooms().connection.values() {
            address.do_send(Reconnect);
        }
    }
}

super::stops_at_once!(Config, "config");
super::crashes_when_told!(Config);
