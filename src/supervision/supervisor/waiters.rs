//! Requests that are answered when a child is started or gone.

use actix::ResponseFuture;
use tokio::sync::oneshot;

use crate::supervision::{decision::SupervisionError, spec::ChildId};

/// The answer to a request.
pub(super) type Answer<Id> = Result<(), SupervisionError<Id>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Started,
    Gone,
}

struct Waiter<Id: ChildId> {
    id: Id,
    until: Event,
    answer: oneshot::Sender<Answer<Id>>,
}

/// The requests that wait.
pub(super) struct Waiters<Id: ChildId>(Vec<Waiter<Id>>);

impl<Id: ChildId> Default for Waiters<Id> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<Id: ChildId> Waiters<Id> {
    /// Completes at the event, or with [`SupervisionError::ShuttingDown`] if the supervisor ends before.
    pub(super) fn wait(&mut self, id: Id, until: Event) -> ResponseFuture<Answer<Id>> {
        let (answer, answered) = oneshot::channel();
        self.0.push(Waiter { id, until, answer });
        Box::pin(async move { answered.await.unwrap_or(Err(SupervisionError::ShuttingDown)) })
    }

    /// Answers the requests about this child. Those that wait for the start of a child that is gone fail. Those that wait
    /// for the end of a child that is started again succeed: the run that they meant is gone.
    pub(super) fn answer(&mut self, id: &Id, event: Event) {
        for waiter in self.0.extract_if(.., |waiter| waiter.id == *id) {
            let overtaken = waiter.until == Event::Started && event == Event::Gone;
            let answer = if overtaken { Err(SupervisionError::NotFound(id.clone())) } else { Ok(()) };
            // The receiver is gone if the sender of the request is.
            let _ = waiter.answer.send(answer);
        }
    }
}
