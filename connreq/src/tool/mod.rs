//! The tool `connreq`: sends connection requests to CPEs, once or repeatedly, and sums up the answers.

mod arguments;
#[cfg(test)]
mod completions;
mod main;
mod outcome;
mod output;
mod progress;
mod prompt;
mod round_trips;
mod run;
mod secrets;
mod stop_signals;
mod summary;
mod targets;

pub use main::main;
