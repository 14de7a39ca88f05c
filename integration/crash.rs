//! Actors that panic, freeze or do not stop: the process goes on, the actor is restarted and no other, and requests are
//! answered.

mod bad_files;
mod fixture;
mod frozen;
mod given_up;
mod ignores_stop;
mod panics;
mod restarts;
mod simultaneous;
