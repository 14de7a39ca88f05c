//! The actor that carries out what the [policy](super::policy) decides.
//!
//! It owns the task of every child and waits for its end: that reports a panic in a handler, in `started` and in a future
//! of the actor's context alike, where `actix::Supervisor` notices none of them. When the supervisor itself goes, however
//! it goes, its children's tasks go with it.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use actix::{
    Actor, ActorContext, ActorFutureExt as _, Addr, AsyncContext, Context, Handler, MessageResult, ResponseFuture,
    WrapFuture,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    decision::{Action, SupervisionError, Verdict},
    messages::{Child, Children, Recipe, RestartChild, StartChild, StopChild, UpdateChild},
    panics::catch,
    policy::{ChildState, Policy},
    running::{Handle, Running, Stop, exit_reason},
    spec::{ChildId, ChildSettings, ExitReason, Incarnation, Intensity, Strategy},
};

/// Starts, restarts and stops its children as Erlang/OTP's supervisor does.
pub struct Supervisor<Id: ChildId, S: ChildSettings = ()> {
    name: String,
    policy: Policy<Id>,
    /// The children it begins with, until it is started.
    initial: Vec<Child<Id, S>>,
    recipes: HashMap<Id, Recipe<S>>,
    live: HashMap<Id, Live<S>>,
    waiters: Vec<Waiter<Id>>,
    on_given_up: Report<Id>,
    ended: Option<oneshot::Sender<ExitReason>>,
}

struct Live<S> {
    handle: Handle<S>,
    asked_to_stop: bool,
    killed: bool,
}

/// Somebody who is answered when a child has come so far.
struct Waiter<Id: ChildId> {
    id: Id,
    until: Until,
    answer: oneshot::Sender<Answer<Id>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Started,
    Gone,
}

type Report<Id> = Box<dyn Fn(&Id, &ExitReason)>;

type Answer<Id> = Result<(), SupervisionError<Id>>;

impl<Id: ChildId, S: ChildSettings> Supervisor<Id, S> {
    /// A supervisor that starts `children` in this order. Its `name` is for the log.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyPresent`] if two children have the same id.
    pub fn new(
        name: impl Into<String>,
        strategy: Strategy,
        intensity: Intensity,
        children: Vec<Child<Id, S>>,
    ) -> Result<Self, SupervisionError<Id>> {
        for (at, child) in children.iter().enumerate() {
            if children[..at].iter().any(|earlier| earlier.spec.id == child.spec.id) {
                return Err(SupervisionError::AlreadyPresent(child.spec.id.clone()));
            }
        }
        Ok(Self {
            name: name.into(),
            policy: Policy::new(strategy, intensity),
            initial: children,
            recipes: HashMap::new(),
            live: HashMap::new(),
            waiters: Vec::new(),
            on_given_up: Box::new(|_, _| ()),
            ended: None,
        })
    }

    /// Has `report` called, on the supervisor's thread, when a child has spent its budget and stays down, with the
    /// reason of its last exit.
    #[must_use]
    pub fn on_given_up(mut self, report: impl Fn(&Id, &ExitReason) + 'static) -> Self {
        self.on_given_up = Box::new(report);
        self
    }

    /// Starts the supervisor and with it its children. What comes back is for the supervisor above it, or, at the root,
    /// to [wait](Running::wait) for.
    #[must_use]
    pub fn run(mut self) -> (Addr<Self>, Running) {
        let (ended, mut reason) = oneshot::channel();
        self.ended = Some(ended);
        Running::actor_ending(self, move || reason.try_recv().unwrap_or(ExitReason::Normal))
    }

    fn perform(&mut self, actions: Vec<Action<Id>>, ctx: &mut Context<Self>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Start { id, incarnation } => {
                    if self.start(&id, incarnation, ctx) {
                        queue.extend(self.policy.started(&id, incarnation));
                    }
                    self.answer(&id, Until::Started);
                }
                Action::Stop { id, incarnation, within } => {
                    tracing::debug!(supervisor = %self.name, child = %id, %incarnation, "asking child to stop");
                    if let Some(live) = self.live.get_mut(&id) {
                        live.asked_to_stop = true;
                        live.handle.ask_to_stop();
                    }
                    if let Some(time) = within {
                        ctx.run_later(time, move |this, ctx| {
                            let actions = this.policy.overdue(&id, incarnation);
                            this.perform(actions, ctx);
                        });
                    }
                }
                Action::Kill { id, incarnation } => {
                    if let Some(live) = self.live.get_mut(&id) {
                        if live.asked_to_stop {
                            tracing::warn!(
                                supervisor = %self.name, child = %id, %incarnation,
                                "child did not stop in its time: killing it",
                            );
                        }
                        live.asked_to_stop = true;
                        live.killed = true;
                        live.handle.kill();
                    }
                }
                Action::GiveUp { id, reason, .. } => (self.on_given_up)(&id, &reason),
                Action::Remove { id } => {
                    self.recipes.remove(&id);
                    self.answer(&id, Until::Gone);
                }
                Action::Terminate(reason) => {
                    tracing::debug!(supervisor = %self.name, %reason, "supervisor ends");
                    if let Some(ended) = self.ended.take() {
                        // Nobody listens only if nobody owns the task, and then it is being aborted anyway.
                        let _ = ended.send(reason);
                    }
                    ctx.stop();
                }
            }
        }
    }

    /// Starts a run of a child and says whether that went well. The exit of one that did not go well comes from a task
    /// as every other one does: in its turn, so that a start function that always panics does not hold the thread.
    fn start(&mut self, id: &Id, incarnation: Incarnation, ctx: &mut Context<Self>) -> bool {
        let Some(recipe) = self.recipes.get_mut(id) else {
            return false;
        };
        let started = catch(|| (recipe.start)(incarnation, &recipe.settings));
        let well = started.is_ok();
        let running = started.unwrap_or_else(Running::failed);
        if well {
            tracing::debug!(supervisor = %self.name, child = %id, %incarnation, "child started");
        }
        let (task, handle) = running.into_parts();
        self.live.insert(id.clone(), Live { handle, asked_to_stop: false, killed: false });
        let id = id.clone();
        ctx.spawn(task.into_actor(self).map(move |result, this, ctx| {
            this.exited(&id, incarnation, exit_reason(result), ctx);
        }));
        well
    }

    fn exited(&mut self, id: &Id, incarnation: Incarnation, reason: ExitReason, ctx: &mut Context<Self>) {
        let (asked_to_stop, killed) =
            self.live.remove(id).map_or((false, false), |live| (live.asked_to_stop, live.killed));
        let reason = if asked_to_stop && reason == ExitReason::Normal { ExitReason::Shutdown } else { reason };
        let (follows, actions) = self.policy.exited(id, incarnation, &reason, Instant::now().into_std());
        let supervisor = &self.name;
        if !reason.is_abnormal() || (killed && reason == ExitReason::Killed) {
            tracing::debug!(%supervisor, child = %id, %incarnation, %reason, %follows, "child ended");
        } else if follows == Verdict::Expected {
            tracing::warn!(%supervisor, child = %id, %incarnation, %reason, %follows, "child did not stop cleanly");
        } else {
            tracing::error!(%supervisor, child = %id, %incarnation, %reason, %follows, "child crashed");
        }
        self.perform(actions, ctx);
    }

    /// Answers those who waited for the child to be started or gone. One that is gone will not be started; of one that is
    /// started the run before is gone, which is all that somebody who wanted it stopped waits for.
    fn answer(&mut self, id: &Id, event: Until) {
        for waiter in self.waiters.extract_if(.., |waiter| waiter.id == *id) {
            let overtaken = waiter.until == Until::Started && event == Until::Gone;
            let answer = if overtaken { Err(SupervisionError::NotFound(id.clone())) } else { Ok(()) };
            // Whoever asked may have gone meanwhile.
            let _ = waiter.answer.send(answer);
        }
    }

    /// An answer that comes when the child has come so far; if the supervisor goes before, it says that.
    fn answer_when(&mut self, id: Id, until: Until) -> ResponseFuture<Answer<Id>> {
        let (answer, answered) = oneshot::channel();
        self.waiters.push(Waiter { id, until, answer });
        Box::pin(async move { answered.await.unwrap_or(Err(SupervisionError::ShuttingDown)) })
    }

    fn add(&mut self, Child { spec, recipe }: Child<Id, S>, ctx: &mut Context<Self>) -> Answer<Id> {
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
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<Stop> for Supervisor<Id, S> {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        let actions = self.policy.shut_down();
        self.perform(actions, ctx);
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<StartChild<Id, S>> for Supervisor<Id, S> {
    type Result = Answer<Id>;

    fn handle(&mut self, StartChild(child): StartChild<Id, S>, ctx: &mut Self::Context) -> Self::Result {
        self.add(child, ctx)
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<StopChild<Id>> for Supervisor<Id, S> {
    type Result = ResponseFuture<Answer<Id>>;

    fn handle(&mut self, StopChild(id): StopChild<Id>, ctx: &mut Self::Context) -> Self::Result {
        match self.policy.stop_child(&id) {
            Ok(actions) => {
                let answer = self.answer_when(id, Until::Gone);
                self.perform(actions, ctx);
                answer
            }
            Err(error) => Box::pin(async { Err(error) }),
        }
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<RestartChild<Id, S>> for Supervisor<Id, S> {
    type Result = ResponseFuture<Answer<Id>>;

    fn handle(&mut self, RestartChild(child): RestartChild<Id, S>, ctx: &mut Self::Context) -> Self::Result {
        let Child { spec, recipe } = child;
        let id = spec.id.clone();
        match self.policy.restart_child(spec) {
            Ok(actions) => {
                self.recipes.insert(id.clone(), recipe);
                let answer = self.answer_when(id, Until::Started);
                self.perform(actions, ctx);
                answer
            }
            Err(error) => Box::pin(async { Err(error) }),
        }
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<UpdateChild<Id, S>> for Supervisor<Id, S> {
    type Result = Answer<Id>;

    fn handle(&mut self, UpdateChild { id, settings }: UpdateChild<Id, S>, _: &mut Self::Context) -> Self::Result {
        let present = self.policy.state(&id).is_some_and(|state| state != ChildState::Stopping);
        let Some(recipe) = self.recipes.get_mut(&id).filter(|_| present) else {
            return Err(SupervisionError::NotFound(id));
        };
        recipe.settings = settings.clone();
        // A run that is being stopped for a restart is followed by one that starts with them.
        if let Some(live) = self.live.get(&id).filter(|live| !live.asked_to_stop) {
            live.handle.update(settings);
        }
        Ok(())
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<Children<Id, S>> for Supervisor<Id, S> {
    type Result = MessageResult<Children<Id, S>>;

    fn handle(&mut self, _: Children<Id, S>, _: &mut Self::Context) -> Self::Result {
        let children = self.policy.children().into_iter();
        let with_settings =
            children.filter_map(|child| self.recipes.get(&child.id).map(|recipe| (child, recipe.settings.clone())));
        MessageResult(with_settings.collect())
    }
}
