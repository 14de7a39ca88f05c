//! Counts exits within a period.

use std::{collections::VecDeque, time::Instant};

use crate::supervision::spec::Intensity;

/// The exits that still count.
#[derive(Debug, Default)]
pub(super) struct ExitHistory(VecDeque<Instant>);

impl ExitHistory {
    /// Records an exit. Returns whether it is within the limit.
    pub(super) fn record(&mut self, now: Instant, limit: Intensity) -> bool {
        self.0.retain(|&then| now.saturating_duration_since(then) <= limit.period);
        self.0.push_back(now);
        self.0.len() <= usize::try_from(limit.exits).unwrap_or(usize::MAX)
    }
}
