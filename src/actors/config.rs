//! Follows the configuration files and makes the connections run as they say.
//!
//! Each file is parsed and validated as a whole before anything is stopped. What is accepted becomes the desired state; at
//! boot that differs from what runs in everything.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MailboxError, Recipient, StreamHandler, WrapFuture,
};
use futures_util::stream::unfold;

use super::desired::DesiredState;
use super::fault_injection;
use super::messages::{Reload, SetRules};
use super::reconcile::{Reconciler, Refused, Sent};
use super::registry::Slot;
use crate::config::watch::{ConfigFile, FirstReading, Reading, Requests, Watch};
use crate::config::{InsecurePermissions, Loaded, Severity, Startup, load, merge, uci};
use crate::cwmp::credentials::{Credentials, credentials};
use crate::file::{Contents, ReadError};
use crate::logging::LevelHandle;
use crate::status::{Status, StatusTable};

use ConfigFile::{Cwmp, Xmpp};

/// Why a file was not accepted.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Syntax(#[from] uci::SyntaxError),
}

/// The actor that follows the files.
pub struct Config {
    startup: Arc<Startup>,
    level: Option<LevelHandle>,
    desired: DesiredState,
    status: StatusTable,
    router: Slot<Recipient<SetRules>>,
    reconciler: Reconciler,
    logged: BTreeMap<ConfigFile, Logged>,
    /// None before the actor is started.
    readings: Option<Requests>,
}

/// The last log lines about a file, each of which is logged once.
#[derive(Default)]
struct Logged {
    /// Why the file is not accepted, if it is not.
    rejection: Option<String>,
    permissions: Option<InsecurePermissions>,
}

impl Config {
    /// An actor that reads the files when it is started. It writes the desired state, shows in the status table which
    /// connections do not run, and sends the changes to the router and, by the reconciler, to the connections.
    #[must_use]
    pub(super) fn new(
        startup: Arc<Startup>,
        level: Option<LevelHandle>,
        desired: DesiredState,
        status: StatusTable,
        router: Slot<Recipient<SetRules>>,
        reconciler: Reconciler,
    ) -> Self {
        Self { startup, level, desired, status, router, reconciler, logged: BTreeMap::new(), readings: None }
    }

    fn path(&self, file: ConfigFile) -> &Path {
        match file {
            Xmpp => &self.startup.config,
            Cwmp => &self.startup.cwmp_config,
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

    fn take_xmpp(&mut self, contents: Result<Contents, ReadError>, ctx: &mut Context<Self>) {
        let file = self.path(Xmpp).to_owned();
        match contents.map_err(Rejection::from).and_then(|contents| Ok(load(&file, &contents.text)?)) {
            Ok(loaded) => {
                self.log_recovery(Xmpp);
                for problem in &loaded.problems {
                    match problem.severity {
                        Severity::Error => tracing::error!("{problem}; this section is refused"),
                        Severity::Warning => tracing::warn!("{problem}"),
                    }
                }
                self.accept(&loaded, ctx);
            }
            Err(rejection) => self.reject(Xmpp, &rejection, "what runs goes on unchanged"),
        }
    }

    fn take_cwmp(&mut self, contents: Result<Contents, ReadError>) {
        let file = self.path(Cwmp).to_owned();
        let found = contents.map_err(Rejection::from).and_then(|contents| Ok(credentials(&file, &contents.text)?));
        match found {
            Ok(Some(credentials)) => {
                self.log_recovery(Cwmp);
                self.set_credentials(Some(credentials));
            }
            Ok(None) => self.no_credentials(&file, "no userid and passwd in a section 'cpe'"),
            Err(Rejection::Read(ReadError::Missing(_))) => self.no_credentials(&file, "there is no such file"),
            Err(rejection) => self.reject(Cwmp, &rejection, "the credentials stay as they were"),
        }
    }

    fn set_credentials(&mut self, credentials: Option<Credentials>) {
        let is_new = credentials.is_some() && self.desired.lock().credentials != credentials;
        self.desired.lock().credentials = credentials;
        if is_new {
            tracing::info!("{}: connection request credentials taken over", self.path(Cwmp).display());
        }
        self.router.do_send(SetRules(self.desired.rules()));
    }

    fn no_credentials(&mut self, file: &Path, why: &str) {
        let line = format!("{}: {why}: no connection request can be authorized", file.display());
        let before = self.logged.entry(Cwmp).or_default().rejection.replace(line.clone());
        if before.as_ref() != Some(&line) {
            tracing::warn!("{line}");
        }
        self.set_credentials(None);
    }

    fn reject(&mut self, file: ConfigFile, rejection: &Rejection, consequence: &str) {
        let line = format!("{rejection}; {consequence}");
        let before = self.logged.entry(file).or_default().rejection.replace(line.clone());
        if before.as_ref() != Some(&line) {
            tracing::error!("{line}");
        }
    }

    /// Logs the recovery of a file; without it the old error would stay the last line about it.
    fn log_recovery(&mut self, file: ConfigFile) {
        if self.logged.entry(file).or_default().rejection.take().is_some() {
            crate::notice!("{}: good again, and taken up", self.path(file).display());
        }
    }

    /// Makes a file's settings the desired ones, and sends everyone concerned what changed.
    fn accept(&mut self, loaded: &Loaded, ctx: &mut Context<Self>) {
        let (before, settings) = {
            let mut desired = self.desired.lock();
            let settings = merge(&desired.settings, loaded);
            desired.refused = loaded.refused_connections().collect();
            (std::mem::replace(&mut desired.settings, settings.clone()).general, settings)
        };
        if before.log_level != settings.general.log_level
            && let Some(level) = &self.level
        {
            level.set(settings.general.log_level);
        }
        self.router.do_send(SetRules(self.desired.rules()));
        // Waits for one answer of the supervisor, before which no other file is taken.
        let sent = self.reconciler.clone().apply(before, settings);
        ctx.wait(sent.into_actor(self).map(|sent, config, ctx| config.sent(sent, ctx)));
    }

    fn sent(&mut self, sent: Result<Sent, MailboxError>, ctx: &mut Context<Self>) {
        match sent {
            Ok(Sent { changes, refused }) => {
                if !changes.is_empty() {
                    tracing::info!("{}: {changes}", self.path(Xmpp).display());
                }
                ctx.spawn(refused.into_actor(self).map(|refused, config, _| config.answered(&refused)));
            }
            Err(_) => {
                tracing::info!("the supervisor of the connections is down: it is restarted with the new settings");
            }
        }
        self.show_inactive();
    }

    /// The supervisor answered all requests of a reload.
    fn answered(&mut self, refused: &[Refused]) {
        for refused in refused {
            // A later reload that stopped the connection overtook the request.
            let overtaken = self.desired.lock().settings.enabled_connection(refused.connection).is_none();
            if !overtaken || refused.is_stop() {
                tracing::warn!("{refused}");
            }
        }
        // A connection that crashed just before it was stopped may have shown itself again.
        self.show_inactive();
    }

    /// Shows the connections that are not to run: those that are disabled, and those that are refused and did not run
    /// before.
    fn show_inactive(&self) {
        let desired = self.desired.lock();
        let (settings, status) = (&desired.settings, &self.status);
        status.retain(|id| settings.connections.contains_key(&id) || desired.refused.contains(&id));
        for connection in settings.connections.values() {
            if settings.enabled_connection(connection.id).is_none() {
                status.set_inactive(connection.id, &connection.alias, Status::Disabled, None);
            }
        }
        for id in desired.refused.iter().filter(|id| !settings.connections.contains_key(id)) {
            let why = "the section is refused; the log says why";
            status.set_inactive(*id, "", Status::ErrorMisconfigured, Some(why));
        }
    }
}

impl Actor for Config {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        fault_injection::register(&"config", ctx);
        fault_injection::start(&"config");
        // At boot nothing runs that half a file could stop.
        let is_boot = self.desired.lock().settings.connections.is_empty();
        let first = if is_boot { FirstReading::AsIs } else { FirstReading::Settled };
        let watch = Watch::new([Xmpp, Cwmp].map(|file| (file, self.path(file).to_owned())), first);
        self.readings = Some(watch.requests());
        ctx.add_stream(Box::pin(unfold(watch, |mut watch| async move {
            let reading = fault_injection::at_work(&"config", watch.next()).await;
            Some((reading, watch))
        })));
    }
}

impl StreamHandler<Reading> for Config {
    fn handle(&mut self, Reading { file, contents }: Reading, ctx: &mut Context<Self>) {
        if let Ok(Contents { mode, .. }) = contents {
            self.warn_of_permissions(file, mode);
        }
        match file {
            Xmpp => self.take_xmpp(contents, ctx),
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

super::stops_at_once!(Config, "config");
fault_injection::handles_crash!(Config);
