//! What a build for production has in place of fault injection.

use std::fmt::Display;
use std::time::Duration;

use actix::{Actor, Addr, Context};

use crate::supervision::running::Running;

/// Starts the actor.
pub fn run<A: Actor>(_: impl Display, start: impl FnOnce() -> (Addr<A>, Running)) -> (Addr<A>, Running) {
    start()
}

/// False: the actor stops when it is asked to.
#[must_use]
pub fn ignores_stop<A: Actor<Context = Context<A>>>(_: &A, _: impl Display, _: &mut Context<A>) -> bool {
    false
}

/// The interval as it is.
#[must_use]
pub fn heartbeat_interval(interval: Duration) -> Duration {
    interval
}

/// None: no request of the control socket is for tests.
#[must_use]
pub fn handle_request(_: &str) -> Option<String> {
    None
}
