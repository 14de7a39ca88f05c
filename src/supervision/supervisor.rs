//! The actor that carries out what the [policy](super::policy) decides.
//!
//! It owns the task of each child and waits for its end, so that it sees a panic in a handler, in `started` and in a future
//! of the actor's context alike; `actix::Supervisor` sees none of them. When the supervisor ends, however that comes, the
//! tasks of its children are aborted.

mod requests;
#[cfg(test)]
mod tests;
mod waiters;

use std::{collections::HashMap, time::Duration};

use actix::{
    Actor, ActorContext, ActorFutureExt as _, ActorStreamExt as _, Addr, AsyncContext, Context, Handler, WrapFuture,
    fut::wrap_stream,
};
use futures_util::{Stream, StreamExt as _, stream::LocalBoxStream};
use tokio::{sync::oneshot, time::Instant};

use self::waiters::{Answer, Event, Waiters};
use super::{
    decision::{Action, SupervisionError, Verdict},
    lifecycle::{Heartbeat, Stop},
    messages::{NewChild, Recipe},
    panics::catch,
    policy::Policy,
    running::{Handle, Running, exit_reason},
    spec::{ChildId, ChildSettings, ExitReason, Incarnation, Intensity},
};

/// A heartbeat that is later than this is skipped: the process was stopped meanwhile, and so were its actors.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// Starts, restarts and stops its children.
pub struct Supervisor<Id: ChildId, S: ChildSettings = ()> {
    name: String,
    policy: Policy<Id>,
    /// The children that it starts with; empty once it is started.
    initial: Vec<NewChild<Id, S>>,
    recipes: HashMap<Id, Recipe<S>>,
    live: HashMap<Id, Live<S>>,
    waiters: Waiters<Id>,
    on_crash: Report<Id>,
    on_given_up: Report<Id>,
    /// The interval, and its ticks until the supervisor is started.
    heartbeat: Option<(Duration, LocalBoxStream<'static, ()>)>,
    exit_reason: Option<oneshot::Sender<ExitReason>>,
}

/// A present run of a child.
struct Live<S> {
    incarnation: Incarnation,
    handle: Handle<S>,
    asked_to_stop: bool,
}

type Report<Id> = Box<dyn Fn(&Id, &ExitReason)>;

impl<Id: ChildId, S: ChildSettings> Supervisor<Id, S> {
    /// A supervisor that starts `children` in this order. `name` is for the log.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyPresent`] if two children have the same id.
    pub fn new(
        name: impl Into<String>,
        intensity: Intensity,
        children: Vec<NewChild<Id, S>>,
    ) -> Result<Self, SupervisionError<Id>> {
        for (at, child) in children.iter().enumerate() {
            if children[..at].iter().any(|earlier| earlier.spec.id == child.spec.id) {
                return Err(SupervisionError::AlreadyPresent(child.spec.id.clone()));
            }
        }
        Ok(Self {
            name: name.into(),
            policy: Policy::new(intensity),
            initial: children,
            recipes: HashMap::new(),
            live: HashMap::new(),
            waiters: Waiters::default(),
            on_crash: Box::new(|_, _| ()),
            on_given_up: Box::new(|_, _| ()),
            heartbeat: None,
            exit_reason: None,
        })
    }

    /// A supervisor of children that are all [given up](super::spec::RestartStrategy::GiveUp) when they exit too often.
    /// It has no intensity of its own: a child that escalates ends it at the first exit.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyPresent`] if two children have the same id.
    pub fn without_escalation(
        name: impl Into<String>,
        children: Vec<NewChild<Id, S>>,
    ) -> Result<Self, SupervisionError<Id>> {
        Self::new(name, Intensity { exits: 0, period: Duration::ZERO }, children)
    }

    /// Calls `report`, on the supervisor's thread, with each child that exited without being asked to, and the reason.
    #[must_use]
    pub fn on_crash(mut self, report: impl Fn(&Id, &ExitReason) + 'static) -> Self {
        self.on_crash = Box::new(report);
        self
    }

    /// Calls `report`, on the supervisor's thread, with each child that is given up and the reason of its last exit.
    #[must_use]
    pub fn on_given_up(mut self, report: impl Fn(&Id, &ExitReason) + 'static) -> Self {
        self.on_given_up = Box::new(report);
        self
    }

    /// Sends the children a heartbeat at each of these ticks. For the root: a supervisor passes each heartbeat on to its own
    /// children, so that one timer serves the whole tree.
    #[must_use]
    pub fn with_heartbeat(mut self, interval: Duration, ticks: impl Stream<Item = ()> + 'static) -> Self {
        self.heartbeat = Some((interval, ticks.boxed_local()));
        self
    }

    /// Starts the supervisor and its children. The [`Running`] is for the supervisor above it; the root's is
    /// [awaited](Running::wait).
    #[must_use]
    pub fn run(mut self) -> (Addr<Self>, Running) {
        let (sender, mut reason) = oneshot::channel();
        self.exit_reason = Some(sender);
        Running::actor_ending(self, move || reason.try_recv().unwrap_or(ExitReason::Normal))
    }

    fn perform(&mut self, actions: Vec<Action<Id>>, ctx: &mut Context<Self>) {
        for action in actions {
            match action {
                Action::Start { id, incarnation } => {
                    self.start(&id, incarnation, ctx);
                    self.waiters.answer(&id, Event::Started);
                }
                Action::Stop { id, incarnation, limit } => {
                    tracing::debug!(supervisor = %self.name, child = %id, %incarnation, "asking child to stop");
                    if let Some(live) = self.live.get_mut(&id) {
                        live.asked_to_stop = true;
                        live.handle.stop();
                    }
                    if let Some(limit) = limit {
                        ctx.run_later(limit, move |this, ctx| {
                            let actions = this.policy.overdue(&id, incarnation);
                            this.perform(actions, ctx);
                        });
                    }
                }
                Action::SendHeartbeat { id } => {
                    if let Some(live) = self.live.get_mut(&id) {
                        live.handle.send_heartbeat();
                    }
                }
                Action::Kill { id, incarnation } => {
                    if let Some(live) = self.live.get(&id) {
                        if live.asked_to_stop {
                            tracing::warn!(
                                supervisor = %self.name, child = %id, %incarnation,
                                "child did not stop in time: killed",
                            );
                        }
                        live.handle.kill();
                    }
                }
                Action::GiveUp { id, reason } => (self.on_given_up)(&id, &reason),
                Action::Remove { id } => {
                    self.recipes.remove(&id);
                    self.waiters.answer(&id, Event::Gone);
                }
                Action::Terminate(reason) => {
                    tracing::debug!(supervisor = %self.name, %reason, "supervisor ends");
                    if let Some(sender) = self.exit_reason.take() {
                        // The receiver is gone only if this task is being aborted.
                        let _ = sender.send(reason);
                    }
                    ctx.stop();
                }
            }
        }
    }

    /// Starts a run of a child. A start that fails exits from a task of its own, so that a start function that always panics
    /// does not keep the thread busy.
    fn start(&mut self, id: &Id, incarnation: Incarnation, ctx: &mut Context<Self>) {
        let Some(recipe) = self.recipes.get_mut(id) else { return };
        let running = match catch(|| (recipe.start)(incarnation, &recipe.settings)) {
            Ok(running) => {
                tracing::debug!(supervisor = %self.name, child = %id, %incarnation, "child started");
                running
            }
            Err(panicked) => Running::failed(panicked),
        };
        let (task, handle) = running.into_parts();
        self.live.insert(id.clone(), Live { incarnation, handle, asked_to_stop: false });
        let id = id.clone();
        ctx.spawn(task.into_actor(self).map(move |result, this, ctx| {
            this.exited(&id, incarnation, exit_reason(result), ctx);
        }));
    }

    fn exited(&mut self, id: &Id, incarnation: Incarnation, reason: ExitReason, ctx: &mut Context<Self>) {
        let is_present = self.live.get(id).is_some_and(|live| live.incarnation == incarnation);
        let asked_to_stop = is_present && self.live.remove(id).is_some_and(|live| live.asked_to_stop);
        let reason = match reason {
            ExitReason::Normal if asked_to_stop => ExitReason::Shutdown,
            // Nothing else is killed without having been asked to stop.
            ExitReason::Killed if !asked_to_stop => ExitReason::Unresponsive,
            reason => reason,
        };
        let (verdict, actions) = self.policy.exited(id, incarnation, &reason, Instant::now().into_std());
        let supervisor = &self.name;
        match (verdict, &reason) {
            (Verdict::Late, _) => {
                tracing::debug!(
                    %supervisor, child = %id, %incarnation, %reason, follows = %verdict,
                    "late exit of child",
                );
            }
            (Verdict::Expected, ExitReason::Shutdown | ExitReason::Killed) => {
                tracing::debug!(%supervisor, child = %id, %incarnation, %reason, follows = %verdict, "child ended");
            }
            (Verdict::Expected, _) => {
                tracing::warn!(
                    %supervisor, child = %id, %incarnation, %reason, follows = %verdict,
                    "child did not stop cleanly",
                );
            }
            (Verdict::Restart, ExitReason::Unresponsive) => {
                tracing::warn!(
                    %supervisor, child = %id, %incarnation, %reason, follows = %verdict,
                    "child was frozen: killed",
                );
            }
            (Verdict::GivenUp(_), _) => {
                crate::alert!(%supervisor, child = %id, %incarnation, %reason, follows = %verdict, "child crashed");
            }
            (Verdict::Restart | Verdict::IntensityReached, _) => {
                tracing::error!(%supervisor, child = %id, %incarnation, %reason, follows = %verdict, "child crashed");
            }
        }
        if matches!(verdict, Verdict::Restart | Verdict::GivenUp(_) | Verdict::IntensityReached) {
            (self.on_crash)(id, &reason);
        }
        self.perform(actions, ctx);
    }

    fn heartbeat(&mut self, ctx: &mut Context<Self>) {
        let live = &self.live;
        let actions = self.policy.heartbeat(|id| live.get(id).is_some_and(|live| live.handle.is_unanswered()));
        self.perform(actions, ctx);
    }

    fn add(&mut self, NewChild { spec, recipe }: NewChild<Id, S>, ctx: &mut Context<Self>) -> Answer<Id> {
        let id = spec.id.clone();
        let actions = self.policy.start_child(spec)?;
        self.recipes.insert(id, recipe);
        self.perform(actions, ctx);
        Ok(())
    }
}

impl<Id: ChildId, S: ChildSettings> Actor for Supervisor<Id, S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Unbounded: requests are carried out in the order in which they were sent, however many there are.
        ctx.set_mailbox_capacity(0);
        for child in std::mem::take(&mut self.initial) {
            if let Err(error) = self.add(child, ctx) {
                tracing::error!(supervisor = %self.name, %error, "child refused");
            }
        }
        if let Some((interval, ticks)) = self.heartbeat.take() {
            let mut last = Instant::now();
            let heartbeats = wrap_stream(ticks).map(move |(), this: &mut Self, ctx: &mut Self::Context| {
                if std::mem::replace(&mut last, Instant::now()).elapsed() <= interval + MAX_LATENESS {
                    this.heartbeat(ctx);
                }
            });
            ctx.spawn(heartbeats.finish());
        }
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<Stop> for Supervisor<Id, S> {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        let actions = self.policy.shut_down();
        self.perform(actions, ctx);
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<Heartbeat> for Supervisor<Id, S> {
    type Result = ();

    fn handle(&mut self, heartbeat: Heartbeat, ctx: &mut Self::Context) {
        heartbeat.answer();
        self.heartbeat(ctx);
    }
}
