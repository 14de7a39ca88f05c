//! A run of a child: the task that it lives in, owned, so that the supervisor sees every way in which it can end.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use actix::{Actor, Addr, Context, Handler};
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

use super::{
    lifecycle::{Heartbeat, Stop},
    panics::{catch, panicked},
    spec::ExitReason,
};
use crate::abort_on_drop::AbortOnDrop;

/// A task, and how to reach it. Dropping this aborts the task: no task runs without supervision.
pub struct Running<S = ()> {
    task: JoinHandle<ExitReason>,
    handle: Handle<S>,
}

/// What a supervisor keeps of a [`Running`] while another future waits for its end.
pub(super) struct Handle<S> {
    stop: Option<Box<dyn FnOnce()>>,
    update: Option<Box<dyn Fn(S)>>,
    heartbeat: Option<Box<dyn Fn(Heartbeat)>>,
    last_heartbeat: Option<Heartbeat>,
    abort: AbortOnDrop,
}

impl<S> Handle<S> {
    /// A task that can only be aborted.
    fn new(task: &JoinHandle<ExitReason>) -> Self {
        let abort = AbortOnDrop::new(task);
        Self { stop: None, update: None, heartbeat: None, last_heartbeat: None, abort }
    }

    /// Gives the task new settings.
    pub(super) fn update(&self, settings: S) {
        if let Some(update) = &self.update {
            update(settings);
        }
    }

    /// Asks the task to stop, once.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }

    /// Sends the task a heartbeat. A task that is not an actor gets none.
    pub(super) fn send_heartbeat(&mut self) {
        if let Some(send) = &self.heartbeat {
            let heartbeat = Heartbeat::default();
            send(heartbeat.clone());
            self.last_heartbeat = Some(heartbeat);
        }
    }

    /// Whether the last heartbeat is unanswered.
    pub(super) fn is_unanswered(&self) -> bool {
        self.last_heartbeat.as_ref().is_some_and(|heartbeat| !heartbeat.is_answered())
    }

    /// Aborts the task where it next waits.
    pub(super) fn kill(&self) {
        self.abort.abort();
    }
}

impl Running {
    /// A task that runs already, and how to ask it to stop.
    #[must_use]
    pub fn new(task: JoinHandle<ExitReason>, stop: impl FnOnce() + 'static) -> Self {
        let handle = Handle { stop: Some(Box::new(stop)), ..Handle::new(&task) };
        Self { task, handle }
    }

    /// Adds a function that gives the task new settings while it runs.
    #[must_use]
    pub fn updated_by<S>(self, update: impl Fn(S) + 'static) -> Running<S> {
        let Self { task, handle: Handle { stop, heartbeat, last_heartbeat, abort, .. } } = self;
        Running { task, handle: Handle { stop, update: Some(Box::new(update)), heartbeat, last_heartbeat, abort } }
    }

    /// Runs an actor in a task of its own, in the present tracing span.
    ///
    /// All work of the actor must happen in its own context (`ctx.spawn`, `ctx.wait`, handlers and their
    /// `ResponseActFuture` and `AtomicResponse`, `started`) or be awaited there: a panic in a `ResponseFuture` or in a
    /// detached task does not end the actor.
    #[must_use]
    pub fn actor<A>(actor: A) -> (Addr<A>, Self)
    where
        A: Actor<Context = Context<A>> + Handler<Stop> + Handler<Heartbeat>,
    {
        Self::actor_ending(actor, || ExitReason::Normal)
    }

    /// Runs an actor. `reason` is called for the exit reason when it ends without a panic.
    pub(super) fn actor_ending<A>(actor: A, reason: impl FnOnce() -> ExitReason + 'static) -> (Addr<A>, Self)
    where
        A: Actor<Context = Context<A>> + Handler<Stop> + Handler<Heartbeat>,
    {
        let future = Context::new().into_future(actor);
        let address = future.address();
        let task = actix_rt::spawn(run_to_end(future, reason).in_current_span());
        let (stop, heartbeat) = (address.clone(), address.clone());
        let mut running = Self::new(task, move || stop.do_send(Stop));
        running.handle.heartbeat = Some(Box::new(move |message| heartbeat.do_send(message)));
        (address, running)
    }

    /// Waits for the end of the root, which no supervisor owns. Dropping the future aborts the task.
    pub async fn wait(self) -> ExitReason {
        let Self { task, handle: _alive } = self;
        exit_reason(task.await)
    }
}

impl<S> Running<S> {
    /// A run whose start failed.
    pub(super) fn failed(reason: ExitReason) -> Self {
        let task = actix_rt::spawn(async move { reason });
        let handle = Handle::new(&task);
        Self { task, handle }
    }

    pub(super) fn into_parts(self) -> (JoinHandle<ExitReason>, Handle<S>) {
        (self.task, self.handle)
    }
}

/// Runs the actor's future to its end and drops it, catching a panic of either.
///
/// Dropping actix's future polls it once more, which runs the actor's `stopping` and `stopped`. A panic in them while
/// another one unwinds would abort the process, so the first is caught before the future is dropped.
async fn run_to_end(future: impl Future<Output = ()>, reason: impl FnOnce() -> ExitReason) -> ExitReason {
    let mut future = Box::pin(future);
    let ran = poll_fn(|context| match catch(|| future.as_mut().poll(context)) {
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panicked) => Poll::Ready(Err(panicked)),
    });
    let ran = ran.await;
    match (ran, catch(|| drop(future))) {
        (Ok(()), Ok(())) => reason(),
        (Err(panicked), Ok(())) | (Ok(()), Err(panicked)) => panicked,
        (Err(first), Err(second)) => {
            // The first is the cause and goes to the supervisor.
            tracing::error!("an actor that {first} then {second}");
            first
        }
    }
}

/// How a task ended.
pub(super) fn exit_reason(result: Result<ExitReason, JoinError>) -> ExitReason {
    match result.map_err(JoinError::try_into_panic) {
        Ok(reason) => reason,
        Err(Ok(payload)) => panicked(payload.as_ref(), None),
        Err(Err(_cancelled)) => ExitReason::Killed,
    }
}
