//! The messages that a supervisor sends its children, by the functions of [`running`](super::running).
//!
//! A [supervisor](super::supervisor) handles [`Stop`] and [`Heartbeat`] itself. For the other actors the macros of
//! `src/actors/supervised.rs` write `Handler<Heartbeat>`, and `Handler<Stop>` where nothing has to be finished first. A
//! connection handles [`Stop`] and [`Update`] in `src/actors/connection.rs`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix::Message;

/// Asks a supervised actor to end: it calls `ctx.stop()`, at once or when its last work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

impl Message for Stop {
    type Result = ();
}

/// Gives a supervised actor new settings, which take effect without a restart.
#[derive(Debug, Clone)]
pub struct Update<S>(pub S);

impl<S> Message for Update<S> {
    type Result = ();
}

/// Asks a supervised actor whether its loop runs.
///
/// An actor whose context waits (`ctx.wait`, `AtomicResponse`) handles no messages meanwhile, and is killed if it has not
/// answered one heartbeat by the next.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<AtomicBool>);

impl Heartbeat {
    /// Answers the supervisor.
    pub fn answer(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Message for Heartbeat {
    type Result = ();
}
