//! A run of a child: the task it lives in, owned, so that every way of ending is seen and none is survived unseen.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use actix::{Actor, Addr, Context, Handler, Message};
use tokio::task::{AbortHandle, JoinError, JoinHandle};

use super::{
    panics::{catch, panicked},
    spec::ExitReason,
};

/// Asks a supervised actor to end itself: it is to call `ctx.stop()`, at once or when its last work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

impl Message for Stop {
    type Result = ();
}

/// Gives a supervised actor new settings, which take effect without a restart.
#[derive(Debug, Clone)]
pub struct Update<S>(pub S);

impl<S> Message for Update<S> {
    type Result = ();
}

/// A task, how to ask it to stop, and how to give it new settings. Dropping this ends the task: an unsupervised task does
/// not run.
pub struct Running<S = ()> {
    task: JoinHandle<ExitReason>,
    handle: Handle<S>,
}

/// What a supervisor keeps of a [`Running`] while another future waits for its end.
pub(super) struct Handle<S> {
    stop: Option<Box<dyn FnOnce()>>,
    update: Option<Box<dyn Fn(S)>>,
    abort: AbortOnDrop,
}

impl<S> Handle<S> {
    /// Gives the task new settings.
    pub(super) fn update(&self, settings: S) {
        if let Some(update) = &self.update {
            update(settings);
        }
    }

    /// Asks the task to stop, once.
    pub(super) fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }

    /// Ends the task where it next waits.
    pub(super) fn kill(&self) {
        self.abort.0.abort();
    }
}

/// Ends a task when it is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// A task that runs already, and how to ask it to stop.
    #[must_use]
    pub fn new(task: JoinHandle<ExitReason>, stop: impl FnOnce() + 'static) -> Self {
        let abort = task.abort_handle();
        Self { task, handle: Handle { stop: Some(Box::new(stop)), update: None, abort: AbortOnDrop(abort) } }
    }

    /// The same, with a function that gives the task new settings while it runs.
    #[must_use]
    pub fn updated_by<S>(self, update: impl Fn(S) + 'static) -> Running<S> {
        let Self { task, handle: Handle { stop, abort, .. } } = self;
        Running { task, handle: Handle { stop, update: Some(Box::new(update)), abort } }
    }

    /// Runs an actor in a task of its own.
    ///
    /// Whatever the actor does has to happen in its own context (`ctx.spawn`, `ctx.wait`, handlers and their
    /// `ResponseActFuture` and `AtomicResponse`, `started`) or be waited for there ([`blocking`](super::blocking)): a
    /// panic in a `ResponseFuture` or in a task that nobody waits for is not the actor's end.
    #[must_use]
    pub fn actor<A>(actor: A) -> (Addr<A>, Self)
    where
        A: Actor<Context = Context<A>> + Handler<Stop>,
    {
        Self::actor_ending(actor, || ExitReason::Normal)
    }

    /// Runs an actor that leaves the reason of its end somewhere when it ends without a panic.
    pub(super) fn actor_ending<A>(actor: A, reason: impl FnOnce() -> ExitReason + 'static) -> (Addr<A>, Self)
    where
        A: Actor<Context = Context<A>> + Handler<Stop>,
    {
        let context = Context::new();
        let future = context.into_future(actor);
        let address = future.address();
        let task = actix_rt::spawn(run_to_end(future, reason));
        let stop = address.clone();
        (address, Self::new(task, move || stop.do_send(Stop)))
    }

    /// Waits for the end and says how it came, for what nobody else supervises: the root. Dropping the future ends the
    /// task.
    pub async fn wait(self) -> ExitReason {
        let Self { task, handle: _alive } = self;
        exit_reason(task.await)
    }
}

impl<S> Running<S> {
    /// A run whose start failed.
    pub(super) fn failed(reason: ExitReason) -> Self {
        let task = actix_rt::spawn(async move { reason });
        let abort = AbortOnDrop(task.abort_handle());
        Self { task, handle: Handle { stop: None, update: None, abort } }
    }

    pub(super) fn into_parts(self) -> (JoinHandle<ExitReason>, Handle<S>) {
        (self.task, self.handle)
    }
}

/// Runs the actor's future and drops it, and outlives a panic in either.
///
/// Dropping actix's future polls it once more, which runs the actor's `stopping` and `stopped`. If that happened while
/// a panic unwinds, another panic in them would abort the whole process; so the first is caught before the future goes.
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
