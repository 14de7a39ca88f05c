//! The actors: they carry out what pure functions decide, and talk by messages.

pub mod config;
pub mod connection;
pub mod control;
pub mod house;
pub mod notifier;
pub mod router;
pub mod tree;

#[cfg(feature = "test-hooks")]
use actix::Message;

pub use crate::supervision::Stop;

/// Makes the actor panic, so that tests can watch what follows.
#[cfg(feature = "test-hooks")]
pub struct Crash;

#[cfg(feature = "test-hooks")]
impl Message for Crash {
    type Result = ();
}

/// An actor with nothing to put in order stops at once.
macro_rules! stops_at_once {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::actors::Stop> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::actors::Stop, ctx: &mut ::actix::Context<Self>) {
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
        impl ::actix::Handler<$crate::actors::Crash> for $actor {
            type Result = ();

            #[allow(clippy::panic)]
            fn handle(&mut self, _: $crate::actors::Crash, _: &mut ::actix::Context<Self>) {
                panic!("a test told this actor to panic");
            }
        }
    };
}
pub(crate) use crashes_when_told;
