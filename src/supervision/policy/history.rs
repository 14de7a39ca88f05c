//! How often is too often: exits within a period.

use std::{collections::VecDeque, time::Instant};

use crate::supervision::spec::Intensity;

/// The exits that still count.
#[derive(Debug)]
pub(super) struct ExitHistory {
    limit: Intensity,
    exits: VecDeque<Instant>,
}

impl ExitHistory {
    pub(super) fn new(limit: Intensity) -> Self {
        Self { limit, exits: VecDeque::new() }
    }

    /// Counts an exit and says whether the limit still holds.
    pub(super) fn record(&mut self, now: Instant) -> bool {
        let period = self.limit.period;
        self.exits.retain(|&then| now.saturating_duration_since(then) <= period);
        self.exits.push_back(now);
        self.exits.len() <= usize::try_from(self.limit.exits).unwrap_or(usize::MAX)
    }
}
