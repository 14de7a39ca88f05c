//! What a supervisor can be told and asked.

use std::marker::PhantomData;

use actix::Message;

use super::{
    decision::SupervisionError,
    policy::ChildStatus,
    running::Running,
    spec::{ChildId, ChildSpec, Incarnation},
};

pub(super) type StartFn = Box<dyn FnMut(Incarnation) -> Running + Send>;

/// A child specification and the function that starts a run of it.
pub struct Child<Id> {
    pub(super) spec: ChildSpec<Id>,
    pub(super) start: StartFn,
}

impl<Id> Child<Id> {
    /// `start` is called for every incarnation, on the supervisor's thread, and must not block. If it panics, that is
    /// the exit of this incarnation.
    #[must_use]
    pub fn new(spec: ChildSpec<Id>, start: impl FnMut(Incarnation) -> Running + Send + 'static) -> Self {
        Self { spec, start: Box::new(start) }
    }
}

/// Adds a child behind the others and starts it. Answered as soon as it is supervised.
///
/// Fails with [`SupervisionError::AlreadyPresent`] or [`SupervisionError::ShuttingDown`].
pub struct StartChild<Id>(pub Child<Id>);

impl<Id: ChildId> Message for StartChild<Id> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Stops a child and forgets it. Answered when it is gone.
///
/// Fails with [`SupervisionError::NotFound`].
#[derive(Debug, Clone)]
pub struct StopChild<Id>(pub Id);

impl<Id: ChildId> Message for StopChild<Id> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Stops the child of that name and starts it with the new specification, its past forgotten; a child that was given up
/// comes back this way. Answered when the new run is started.
///
/// Fails with [`SupervisionError::NotFound`], also when the child is removed meanwhile, or
/// [`SupervisionError::ShuttingDown`].
pub struct RestartChild<Id>(pub Child<Id>);

impl<Id: ChildId> Message for RestartChild<Id> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Asks for all children in start order.
pub struct Children<Id>(PhantomData<fn() -> Id>);

impl<Id> Default for Children<Id> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Id: ChildId> Message for Children<Id> {
    type Result = Vec<ChildStatus<Id>>;
}
