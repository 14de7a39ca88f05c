//! The random numbers of waits and of the order of servers.
//!
//! In unit tests they are the same in each run, so that a test that holds for some waits only fails always or never.

/// The generator; in unit tests, that of [`crate::testing::seeded_rng`].
#[cfg(not(test))]
pub(crate) fn rng() -> impl rand::Rng {
    rand::rng()
}

#[cfg(test)]
pub(crate) use crate::testing::seeded_rng as rng;
