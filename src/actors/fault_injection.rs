//! Fault injection: tests make actors panic, freeze or ignore a stop. Without the feature `fault-injection` there is none.

#[cfg(not(feature = "fault-injection"))]
mod disabled;
#[cfg(feature = "fault-injection")]
mod enabled;

#[cfg(not(feature = "fault-injection"))]
pub use disabled::*;
#[cfg(feature = "fault-injection")]
pub use enabled::*;
