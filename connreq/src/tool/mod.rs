//! The tool `connreq`: asks one or many CPEs, once or repeatedly, and sums up their answers.
//!
//! What decides, parses and words is pure and tested beside it; `run` carries it out over one login.

mod arguments;
mod main;
mod outcome;
mod output;
mod progress;
mod prompt;
mod round_trips;
mod run;
mod secrets;
mod stop;
mod summary;
mod targets;

pub use main::main;
