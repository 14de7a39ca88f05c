//! What is left of fault injection in a build for production: nothing.

use std::fmt::Display;

use actix::Context;

/// Nothing fails at the start.
pub fn start(_: &dyn Display) {}

/// The actor cannot be told to panic.
pub fn register<A: actix::Actor<Context = Context<A>>>(_: &dyn Display, _: &Context<A>) {}

/// The actor cannot be told to panic.
pub fn register_address<A: actix::Actor<Context = Context<A>>>(_: &dyn Display, _: &actix::Addr<A>) {}

/// The work as it is.
pub fn at_work<F: Future>(_: &dyn Display, work: F) -> F {
    work
}

/// Every actor stops when it is asked to.
#[must_use]
pub fn ignores_stop<A: actix::Actor<Context = Context<A>>>(_: &A, _: &dyn Display, _: &mut Context<A>) -> bool {
    false
}

/// There is no request for it.
#[must_use]
pub fn handle_request(_: &str) -> Option<String> {
    None
}
