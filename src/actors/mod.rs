//! The actors. They carry out what pure functions decide, and talk by [messages]. [`tree`] alone knows all of them.

pub mod config;
pub mod connection;
pub mod control;
mod desired;
pub mod fault_injection;
pub mod messages;
pub mod notifier;
mod reconcile;
pub mod registry;
pub mod router;
pub mod tree;

pub use crate::supervision::Stop;

/// Handles [`Stop`] for an actor that has nothing to finish: it stops at once.
macro_rules! stops_at_once {
    ($actor:ty, $name:literal) => {
        impl ::actix::Handler<$crate::supervision::Stop> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::supervision::Stop, ctx: &mut ::actix::Context<Self>) {
                if !$crate::actors::fault_injection::ignores_stop(self, &$name, ctx) {
                    ::actix::ActorContext::stop(ctx);
                }
            }
        }
    };
}
pub(crate) use stops_at_once;
