//! Follows the configuration files and makes the running connections what they say.
//!
//! Everything of a new file is parsed and validated before anything is stopped. Boot is a difference from nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use futures_util::stream::unfold;

use super::connection::{Reconnect, Update};
use super::house::House;
use super::router::{Rules, SetRules};
use super::tree;
use crate::config::model::{ConnectionId, Settings};
use crate::config::watch::{Event, Watch, Writers};
use crate::config::{
    Changes, Contents, Exposure, Patience, ReadError, SETTLED, Severity, adopt, diff, load, read, uci,
};
use crate::cwmp::credentials::credentials;
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
    files: [Followed; 2],
    /// None before it is started.
    writers: Option<Writers>,
}

/// What is known of one of the files.
#[derive(Default)]
struct Followed {
    /// What was last said about it, if it could not be taken over, so that it is said once.
    said: Option<String>,
    /// What was last said about its permissions, so that it is said once.
    exposed: Option<Exposure>,
    /// While its reading is put off another one is already to come.
    patience: Patience,
    /// It could not be read for a reason that passes: another reading is to come.
    again: bool,
}

// The numbers of the files, also in the watch.
const XMPP: usize = 0;
const CWMP: usize = 1;

/// How long is waited before a file is read again that could not be for want of descriptors or memory.
const READ_AGAIN: Duration = Duration::from_secs(1);

impl Config {
    /// An actor that reads the files when it is started.
    #[must_use]
    pub fn new(house: House) -> Self {
        Self { house, files: Default::default(), writers: None }
    }

    fn file(&self, which: usize) -> PathBuf {
        let startup = &self.house.startup;
        if which == XMPP { startup.config.clone() } else { startup.cwmp_config.clone() }
    }

    /// Reads a file that somebody says has changed, unless a reading is to come anyway.
    fn look(&mut self, which: usize, ctx: &mut Context<Self>) {
        if !self.files[which].patience.is_waiting() {
            self.read_settled(which, ctx);
        }
    }

    /// Reads a file, or puts that off while it is being changed. What made us read may have been an earlier edit, or a
    /// signal: an editor that has truncated the file, and not yet written it, is not to stop everything.
    fn read_settled(&mut self, which: usize, ctx: &mut Context<Self>) {
        let contents = read(&self.file(which));
        let written = self.writers.as_ref().is_some_and(|writers| writers.are_at(which));
        match &contents {
            Ok(read) if self.files[which].patience.puts_off(read, written, SystemTime::now()) => {
                ctx.run_later(SETTLED, move |config, ctx| config.read_settled(which, ctx));
            }
            _ => {
                self.files[which].patience = Patience::default();
                self.take(which, contents, ctx);
            }
        }
    }

    /// Takes over what was read.
    fn take(&mut self, which: usize, contents: Result<Contents, ReadError>, ctx: &mut Context<Self>) {
        // Nobody will say again that the file has changed.
        if contents.as_ref().is_err_and(ReadError::passes) && !std::mem::replace(&mut self.files[which].again, true) {
            ctx.run_later(READ_AGAIN, move |config, ctx| {
                config.files[which].again = false;
                config.look(which, ctx);
            });
        }
        if let Ok(Contents { exposure, .. }) = contents {
            self.warn_of(which, exposure);
        }
        if which == XMPP { self.take_xmpp(contents) } else { self.take_cwmp(contents) }
    }

    fn warn_of(&mut self, which: usize, exposure: Option<Exposure>) {
        if let Some(exposure) = exposure
            && self.files[which].exposed != Some(exposure)
        {
            tracing::warn!("{}: {exposure}", self.file(which).display());
        }
        self.files[which].exposed = exposure;
    }

    fn take_xmpp(&mut self, contents: Result<Contents, ReadError>) {
        let file = self.file(XMPP);
        match contents.map_err(Refusal::from).and_then(|contents| Ok(load(&file, &contents.text)?)) {
            Ok(loaded) => {
                self.good_again(XMPP);
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
            Err(refusal) => self.refuse(XMPP, &refusal, "what runs goes on unchanged"),
        }
    }

    fn take_cwmp(&mut self, contents: Result<Contents, ReadError>) {
        let file = self.file(CWMP);
        let found = contents.map_err(Refusal::from).and_then(|contents| Ok(credentials(&file, &contents.text)?));
        match found {
            Ok(Some(credentials)) => {
                let before = self.house.rooms().credentials.replace(credentials.clone());
                self.good_again(CWMP);
                if before.as_ref() != Some(&credentials) {
                    tracing::info!("{}: connection request credentials taken over", file.display());
                }
            }
            Ok(None) => self.no_credentials(&file, "no userid and passwd in a section 'cpe'"),
            Err(Refusal::Read(ReadError::Missing(_))) => self.no_credentials(&file, "there is no such file"),
            Err(refusal) => self.refuse(CWMP, &refusal, "the credentials stay as they were"),
        }
        self.tell_router();
    }

    fn no_credentials(&mut self, file: &Path, why: &str) {
        self.house.rooms().credentials = None;
        let line = format!("{}: {why}: no connection request can be authorized", file.display());
        if self.files[CWMP].said.as_ref() != Some(&line) {
            tracing::warn!("{line}");
            self.files[CWMP].said = Some(line);
        }
    }

    fn refuse(&mut self, which: usize, refusal: &Refusal, consequence: &str) {
        let line = format!("{refusal}; {consequence}");
        if self.files[which].said.as_ref() != Some(&line) {
            tracing::error!("{line}");
            self.files[which].said = Some(line);
        }
    }

    /// What was said of the file holds no longer: without a word, one that is as before would look as wrong as ever.
    fn good_again(&mut self, which: usize) {
        if self.files[which].said.take().is_some() {
            crate::notice!("{}: good again, and taken up", self.file(which).display());
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
        // First the watch, then the reading: what changes in between is seen.
        let files = [self.house.startup.config.clone(), self.house.startup.cwmp_config.clone()];
        let watch = Watch::new(&files);
        self.writers = Some(watch.writers());
        ctx.add_stream(Box::pin(unfold(watch, |mut watch| async move {
            let changed = watch.changed();
            #[cfg(feature = "test-hooks")]
            let changed = super::hooks::at_work("config".to_owned(), changed);
            let event = changed.await;
            Some((event, watch))
        })));
        // At boot nothing runs that half a file could stop.
        let boot = self.house.rooms().running.connections.is_empty();
        if boot {
            for which in [CWMP, XMPP] {
                self.take(which, read(&self.file(which)), ctx);
            }
        } else {
            self.look(CWMP, ctx);
            self.look(XMPP, ctx);
        }
    }
}

impl StreamHandler<Event> for Config {
    fn handle(&mut self, event: Event, ctx: &mut Context<Self>) {
        for which in [CWMP, XMPP] {
            if event.concerns(&self.file(which)) {
                self.look(which, ctx);
            }
        }
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Reload> for Config {
    type Result = ();

    fn handle(&mut self, _: Reload, ctx: &mut Context<Self>) {
        for file in &mut self.files {
            file.said = None;
            file.exposed = None;
        }
        self.look(CWMP, ctx);
        self.look(XMPP, ctx);
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
