//! The messages that a supervisor handles.

use std::marker::PhantomData;

use actix::Message;

use super::{
    decision::SupervisionError,
    policy::ChildStatus,
    running::Running,
    spec::{ChildId, ChildSettings, ChildSpec, Incarnation},
};

pub(super) type StartFn<S> = Box<dyn FnMut(Incarnation, &S) -> Running<S> + Send>;

/// A child specification, the settings of the child, and the function that starts a run with these settings.
pub struct Child<Id, S = ()> {
    pub(super) spec: ChildSpec<Id>,
    pub(super) recipe: Recipe<S>,
}

/// How a run of a child is started.
pub(super) struct Recipe<S> {
    pub(super) settings: S,
    pub(super) start: StartFn<S>,
}

impl<Id> Child<Id> {
    /// A child without settings; see [`Child::with_settings`].
    #[must_use]
    pub fn new(spec: ChildSpec<Id>, mut start: impl FnMut(Incarnation) -> Running + Send + 'static) -> Self {
        Self::with_settings(spec, (), move |incarnation, ()| start(incarnation))
    }
}

impl<Id, S> Child<Id, S> {
    /// `start` is called for every incarnation, on the supervisor's thread, with the present settings, and must not block.
    /// A panic in it counts as the exit of this incarnation.
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
pub struct StartChild<Id, S = ()>(pub Child<Id, S>);

impl<Id: ChildId, S: ChildSettings> Message for StartChild<Id, S> {
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
pub struct RestartChild<Id, S = ()>(pub Child<Id, S>);

impl<Id: ChildId, S: ChildSettings> Message for RestartChild<Id, S> {
    type Result = Result<(), SupervisionError<Id>>;
}

/// Replaces the settings of a child without a restart: a present run gets them by its
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
