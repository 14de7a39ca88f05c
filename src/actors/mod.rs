//! The actors: they carry out what pure functions decide, and talk by messages.

pub mod config;
pub mod connection;
pub mod control;
#[cfg(feature = "test-hooks")]
pub mod hooks;
pub mod house;
pub mod notifier;
pub mod router;
pub mod tree;

pub use crate::supervision::Stop;

/// An actor with nothing to put in order stops at once. Its name is for the tests.
macro_rules! stops_at_once {
    ($actor:ty, $name:literal) => {
        impl ::actix::Handler<$crate::actors::Stop> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::actors::Stop, ctx: &mut ::actix::Context<Self>) {
                #[cfg(feature = "test-hooks")]
                if $crate::actors::hooks::is_deaf(self, $name, ctx) {
                    return;
                }
                ::actix::ActorContext::stop(ctx);
            }
        }
    };
}
pub(crate) use stops_at_once;

/// In test builds the actor can be told to panic.
macro_rules! crashes_when_told {
    ($actor:ty) => {
        #[cfg(feature = "test-hooks")]
        impl ::actix::Handler<$crate::actors::hooks::Crash> for $actor {
            type Result = ::actix::ResponseActFuture<Self, ()>;

            fn handle(&mut self, order: $crate::actors::hooks::Crash, _: &mut ::actix::Context<Self>) -> Self::Result {
                $crate::actors::hooks::crash(self, order)
            }
        }
    };
}
pub(crate) use crashes_when_told;
