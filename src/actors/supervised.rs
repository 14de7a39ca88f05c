//! Implements the messages of the supervisor, and of fault injection, for actors.

/// Implements `Handler<Heartbeat>` for [`Heartbeat`](crate::supervision::lifecycle::Heartbeat), and lets tests make the
/// actor fail.
macro_rules! supervised {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::supervision::lifecycle::Heartbeat> for $actor {
            type Result = ();

            fn handle(&mut self, heartbeat: $crate::supervision::lifecycle::Heartbeat, _: &mut ::actix::Context<Self>) {
                heartbeat.answer();
            }
        }

        $crate::actors::supervised::fails_in_tests!($actor);
    };
}
pub(crate) use supervised;

/// Lets tests make the actor fail.
macro_rules! fails_in_tests {
    ($actor:ty) => {
        #[cfg(feature = "fault-injection")]
        impl ::actix::Handler<$crate::actors::fault_injection::Fault> for $actor {
            type Result = ::actix::ResponseActFuture<Self, ()>;

            fn handle(
                &mut self,
                fault: $crate::actors::fault_injection::Fault,
                ctx: &mut ::actix::Context<Self>,
            ) -> Self::Result {
                $crate::actors::fault_injection::inject(self, fault, ctx)
            }
        }
    };
}
pub(crate) use fails_in_tests;

/// Implements `Handler<Stop>` for [`Stop`](crate::supervision::lifecycle::Stop) and an actor that has nothing to finish: it
/// stops at once.
macro_rules! stops_at_once {
    ($actor:ty, $name:literal) => {
        impl ::actix::Handler<$crate::supervision::lifecycle::Stop> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::supervision::lifecycle::Stop, ctx: &mut ::actix::Context<Self>) {
                if !$crate::actors::fault_injection::ignores_stop(self, $name, ctx) {
                    ::actix::ActorContext::stop(ctx);
                }
            }
        }
    };
}
pub(crate) use stops_at_once;
