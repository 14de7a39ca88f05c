//! Fault injection for tests: actors can be told to panic or to ignore a stop. Without the feature `test-hooks` all of it
//! is empty.

#[cfg(not(feature = "test-hooks"))]
mod disabled;
#[cfg(feature = "test-hooks")]
mod enabled;

#[cfg(not(feature = "test-hooks"))]
pub use disabled::*;
#[cfg(feature = "test-hooks")]
pub use enabled::*;

/// Lets tests make the actor panic.
macro_rules! handles_crash {
    ($actor:ty) => {
        #[cfg(feature = "test-hooks")]
        impl ::actix::Handler<$crate::actors::fault_injection::Crash> for $actor {
            type Result = ::actix::ResponseActFuture<Self, ()>;

            fn handle(
                &mut self,
                crash: $crate::actors::fault_injection::Crash,
                _: &mut ::actix::Context<Self>,
            ) -> Self::Result {
                $crate::actors::fault_injection::crash(self, crash)
            }
        }
    };
}
pub(crate) use handles_crash;
