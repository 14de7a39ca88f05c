//! Supervision with the semantics of Erlang/OTP's supervisor: what crashes is started anew, and what keeps crashing is
//! not.
//!
//! [`spec`] says what a child is and how it ends. [`policy`] turns exits and wishes into [decisions](decision), without a
//! clock. [`supervisor`] is the actor that carries them out on the tasks that [`running`] owns; [`panics`] catches what goes
//! wrong in them; [`messages`] is how to talk to it.

pub mod decision;
pub mod messages;
pub mod panics;
pub mod policy;
pub mod running;
pub mod spec;
pub mod supervisor;

pub use decision::SupervisionError;
pub use messages::{Child, Children, RestartChild, StartChild, StopChild, UpdateChild};
pub use panics::{blocking, log_panics};
pub use policy::{ChildState, ChildStatus};
pub use running::{Running, Stop, Update};
pub use spec::{
    ChildId, ChildSettings, ChildSpec, ExitReason, Incarnation, Intensity, RestartType, Shutdown, Strategy,
};
pub use supervisor::Supervisor;
