//! Supervision after Erlang/OTP's supervisor: a child that crashes is restarted, and no other (`one_for_one`). What follows
//! when it crashes too often is its [restart strategy](spec::RestartStrategy).
//!
//! [`policy`] decides, without a clock, on [specifications](spec), exits and requests. [`supervisor`] is the actor that
//! carries its [decisions](decision) out on the tasks that [`running`] owns; [`panics`] catches the panics of these tasks.
//! A supervisor handles [`messages`], and sends its children those of [`lifecycle`].

pub mod decision;
pub mod lifecycle;
pub mod messages;
pub mod panics;
pub mod policy;
pub mod running;
pub mod spec;
pub mod supervisor;
