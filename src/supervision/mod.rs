//! Supervision with the semantics of Erlang/OTP's supervisor: what crashes is started anew, and what keeps crashing is
//! not.
//!
//! [`spec`] says what a child is and how it ends, [`policy`] decides without a clock what follows from an exit, and
//! nothing in it runs anything.

pub mod policy;
pub mod spec;

pub use spec::{ChildId, ChildSpec, ExitReason, Incarnation, Intensity, RestartType, Shutdown, Strategy};
