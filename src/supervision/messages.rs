//! The messages that a supervisor handles.

use std::marker::PhantomData;

use actix::Message;

use super::{
    decision::SupervisionError,
    running::Running,
    spec::{ChildId, ChildSettings, ChildSpec, ChildStatus, Incarnation},
};

pub(super) type StartFn<S> = Box<dyn FnMut(Incarnation, &S) -> Running<S> + Send>;

/// A child to supervise: its specification, its settings, and the function that starts a run with them.
pub struct NewChild<Id, S = ()> {
    pub(super) spec: ChildSpec<Id>,
    pub(super) recipe: Recipe<S>,
}

/// How a run of a child is started.
pub(super) struct Recipe<S> {
    pub(super) settings: S,
    pub(super) start: StartFn<S>,
}

impl<Id> NewChild<Id> {
    /// A child without settings; see [`NewChild::with_settings`].
    #[must_use]
    pub fn new(spec: ChildSpec<Id>, mut start: impl FnMut(Incarnation) -> Running + Send + 'static) -> Self {
        Self::with_settings(spec, (), move |incarnation, ()| start(incarnation))
    }
}

impl<Id, S> NewChild<Id, S> {
    /// A child with settings. `start` is called for each run, on the supervisor's thread, and must not block. A panic in it
    /// counts as the exit of that run.
    #[must_use]
    pub fn with_settings(
        spec: ChildSpec<Id>,
        settings: S,
        start: impl FnMut(Incarnation, &S) -> Running<S> + Send + 'static,
    ) -> Self {
        Self { spec, recipe: Recipe { settings, start: Box::new(start) } }
    }
}

/// Adds a child behind the others and starts it. Answered as soon as it is supervised.
///
/// Fails with [`SupervisionError::AlreadyPresent`] or [`SupervisionError::ShuttingDown`].
pub struct StartChild<Id, S = ()>(pub NewChild<Id, S>);

impl<Id: ChildId, S: ChildSettings> Message for StartChild<Id, S> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Stops a child and removes it. Answered when it is gone.
///
/// Fails with [`SupervisionError::NotFound`].
#[derive(Debug, Clone)]
pub struct StopChild<Id>(pub Id);

impl<Id: ChildId> Message for StopChild<Id> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Replaces a child: stops it if it runs, and starts it by the new specification. Earlier exits no longer count, so that a
/// child that was given up comes back. Answered when the new run is started.
///
/// Fails with [`SupervisionError::NotFound`], also when the child is removed meanwhile, or
/// [`SupervisionError::ShuttingDown`].
pub struct RestartChild<Id, S = ()>(pub NewChild<Id, S>);

impl<Id: ChildId, S: ChildSettings> Message for RestartChild<Id, S> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Replaces the settings of a child without a restart: the present run gets them by its
/// [`update` function](Running::updated_by), later runs start with them.
///
/// Fails with [`SupervisionError::NotFound`].
#[derive(Debug, Clone)]
pub struct UpdateChild<Id, S> {
    /// The child.
    pub id: Id,
    /// Its new settings.
    pub settings: S,
}

impl<Id: ChildId, S: ChildSettings> Message for UpdateChild<Id, S> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Asks for all children in start order, each with its present settings.
pub struct Children<Id, S = ()>(PhantomData<fn() -> (Id, S)>);

impl<Id, S> Default for Children<Id, S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<Id: ChildId, S: ChildSettings> Message for Children<Id, S> {
    type Result = Vec<(ChildStatus<Id>, S)>;
}
