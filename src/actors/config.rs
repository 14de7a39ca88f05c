//! Follows the configuration files: makes what they say the desired state, and sends what changed to the router and the
//! connections.
//!
//! A file is parsed and validated as a whole before anything is stopped. At boot nothing runs, so that everything has
//! changed.

mod credentials;
mod file_log;

use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, MailboxError, Recipient, ResponseActFuture, StreamHandler,
    WrapFuture,
};
use futures_util::stream::unfold;
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::file_log::FileLog;
use super::desired::DesiredState;
use super::messages::{Announce, Reload, ReloadNow, SetRules};
use super::reconcile::{FailedRequest, Reconciler, Sent};
use super::registry::Slot;
use super::reload_report::{ReloadReport, Reloaded};
use super::supervised::{stops_at_once, supervised};
use crate::config::diff::Changes;
use crate::config::load::load;
use crate::config::loaded::Loaded;
use crate::config::merge::merge;
use crate::config::startup::Startup;
use crate::config::uci::SyntaxError;
use crate::config::watch::{ConfigFile, FirstRead, ReadRequests, Watch};
use crate::file::{Contents, ReadError, read};
use crate::logging::level::LevelHandle;
use crate::service_manager;
use crate::status::{Status, StatusTable};

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
}

impl Rejection {
    /// Line and column, if the file is not UCI.
    fn place(&self) -> Option<(usize, usize)> {
        match self {
            Self::Syntax(error) => Some((error.line, error.column)),
            Self::Read(_) => None,
        }
    }
}

/// Takes what came of reading `/etc/config/xmpp`, if that was asked for.
type ReloadReply = Option<oneshot::Sender<Reloaded>>;

/// The actor that follows the configuration files.
pub struct Config {
    startup: Arc<Startup>,
    level: Option<LevelHandle>,
    desired: DesiredState,
    status: StatusTable,
    router: Slot<Recipient<SetRules>>,
    events: Slot<Recipient<Announce>>,
    reconciler: Reconciler,
    xmpp_log: FileLog,
    cwmp_log: FileLog,
    /// None before the actor is started.
    requests: Option<ReadRequests>,
}

impl Config {
    /// Creates an actor that reads the files when it is started. It writes the desired state, shows in the status table
    /// which connections do not run, and announces what comes of each reading.
    #[must_use]
    pub(super) fn new(
        startup: Arc<Startup>,
        level: Option<LevelHandle>,
        desired: DesiredState,
        status: StatusTable,
        router: Slot<Recipient<SetRules>>,
        events: Slot<Recipient<Announce>>,
        reconciler: Reconciler,
    ) -> Self {
        let (xmpp_log, cwmp_log) = (FileLog::new(startup.config.clone()), FileLog::new(startup.cwmp_config.clone()));
        Self { startup, level, desired, status, router, events, reconciler, xmpp_log, cwmp_log, requests: None }
    }

    /// Loads `/etc/config/xmpp`. If it is refused, the desired state stays as it is.
    fn load_xmpp(&mut self, contents: Result<Contents, ReadError>, reply: ReloadReply, ctx: &mut Context<Self>) {
        let parse = |contents: Contents| Ok((load(&self.startup.config, &contents.text)?, contents));
        match contents.map_err(Rejection::from).and_then(parse) {
            Ok((loaded, contents)) => {
                self.xmpp_log.log_recovery();
                self.xmpp_log.log_problems(&contents.text, &loaded.problems);
                self.apply(loaded, reply, ctx);
            }
            Err(rejection) => {
                self.xmpp_log.log_error(&format!("{rejection}; keeping the current settings"));
                let (file, error) = (self.startup.config.clone(), rejection.to_string());
                self.status.update_daemon(|daemon| {
                    daemon.config.refused = Some((Instant::now(), error.clone()));
                    daemon.config.in_effect = false;
                });
                self.finish(Reloaded::Refused { file, error, place: rejection.place() }, reply);
            }
        }
    }

    /// Announces what came of reading `/etc/config/xmpp`, and answers it.
    fn finish(&self, reloaded: Reloaded, reply: ReloadReply) {
        self.events.do_send(Announce::Config(reloaded.summary()));
        // Also if it is refused: the daemon waits for a valid one.
        service_manager::ready(&reloaded.in_short());
        if let Some(reply) = reply {
            // Fails if the request was given up.
            let _ = reply.send(reloaded);
        }
    }

    /// Makes the loaded settings the desired ones, and sends what changed. A refused section keeps its previous value.
    fn apply(&mut self, loaded: Loaded, reply: ReloadReply, ctx: &mut Context<Self>) {
        self.status.update_daemon(|daemon| {
            daemon.config.taken_up = Some(Instant::now());
            daemon.config.in_effect = true;
        });
        let (previous, settings) = {
            let mut desired = self.desired.lock();
            let settings = merge(&desired.settings, &loaded);
            desired.refused = loaded.refused_connections().collect();
            desired.sections = loaded.connections;
            (std::mem::replace(&mut desired.settings, settings.clone()), settings)
        };
        if let Some(level) = &self.level {
            level.set(settings.general.log_level);
        }
        self.router.do_send(SetRules(self.desired.rules()));
        // The supervisor answers at once what runs; until then no other file is taken.
        let sent = self.reconciler.clone().apply(previous.general, settings);
        let problems = loaded.problems;
        ctx.wait(sent.into_actor(self).map(|sent, config, ctx| {
            let changes = config.on_sent(sent, ctx);
            let file = config.startup.config.clone();
            config.finish(Reloaded::TakenUp { file, changes, problems }, reply);
        }));
    }

    /// The changes were sent to the supervisor of the connections. Returns them, unless it is down.
    fn on_sent(&mut self, sent: Result<Sent, MailboxError>, ctx: &mut Context<Self>) -> Option<Changes> {
        let changes = if let Ok(Sent { changes, failed }) = sent {
            if !changes.is_empty() {
                crate::notice!("{}: {changes}", self.startup.config.display());
            }
            ctx.spawn(failed.into_actor(self).map(|failed, config, _| config.on_answers(&failed)));
            Some(changes)
        } else {
            tracing::info!("the supervisor of the connections is down: it is restarted with the new settings");
            None
        };
        self.show_inactive();
        changes
    }

    /// The supervisor of the connections has answered all requests; these failed.
    fn on_answers(&mut self, failed: &[FailedRequest]) {
        for request in failed {
            // A later file that disables the connection makes the request obsolete.
            let is_obsolete = self.desired.lock().settings.enabled_connection(request.connection).is_none();
            if !is_obsolete || request.is_stop() {
                tracing::warn!("{request}");
            }
        }
        // A connection that crashed just before it was stopped may have written its status again.
        self.show_inactive();
    }

    /// Shows in the status table which connections do not run: those that are disabled, and those that are refused and did
    /// not run before.
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
            let section = desired.sections.iter().find(|section| section.connection == Some(*id));
            let why = section.and_then(|section| section.refused.as_deref());
            status.set_inactive(*id, "", Status::ErrorMisconfigured, why);
        }
    }
}

impl Actor for Config {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // At boot nothing runs that an incomplete file could stop.
        let is_boot = self.desired.lock().settings.connections.is_empty();
        let first = if is_boot { FirstRead::AsIs } else { FirstRead::Settled };
        let files =
            [(ConfigFile::Xmpp, self.startup.config.clone()), (ConfigFile::Cwmp, self.startup.cwmp_config.clone())];
        let watch = Watch::new(files, first);
        self.requests = Some(watch.requests());
        ctx.add_stream(Box::pin(unfold(watch, |mut watch| async move {
            let settled = watch.next().await;
            Some((settled, watch))
        })));
    }
}

impl StreamHandler<(ConfigFile, Result<Contents, ReadError>)> for Config {
    fn handle(&mut self, (file, contents): (ConfigFile, Result<Contents, ReadError>), ctx: &mut Context<Self>) {
        let log = match file {
            ConfigFile::Xmpp => &mut self.xmpp_log,
            ConfigFile::Cwmp => &mut self.cwmp_log,
        };
        if let Ok(Contents { mode, .. }) = contents {
            log.log_permissions(mode);
        }
        match file {
            ConfigFile::Xmpp => self.load_xmpp(contents, None, ctx),
            ConfigFile::Cwmp => _ = self.load_cwmp(contents),
        }
    }

    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Reload> for Config {
    type Result = ();

    fn handle(&mut self, _: Reload, _: &mut Context<Self>) {
        self.xmpp_log.forget();
        self.cwmp_log.forget();
        if let Some(requests) = &self.requests {
            requests.read_all();
        }
    }
}

/// At once, and not when the files have settled.
impl Handler<ReloadNow> for Config {
    type Result = ResponseActFuture<Self, Option<ReloadReport>>;

    fn handle(&mut self, _: ReloadNow, ctx: &mut Context<Self>) -> Self::Result {
        self.xmpp_log.forget();
        self.cwmp_log.forget();
        let cwmp = self.load_cwmp(read(&self.startup.cwmp_config));
        let (reply, reloaded) = oneshot::channel();
        self.load_xmpp(read(&self.startup.config), Some(reply), ctx);
        let report = async move { Some(ReloadReport { xmpp: reloaded.await.ok()?, cwmp }) };
        Box::pin(report.into_actor(self))
    }
}

supervised!(Config);
stops_at_once!(Config, "config");
