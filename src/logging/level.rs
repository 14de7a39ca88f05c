//! The present log level.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::model::LogLevel;

/// Changes the log level at runtime.
#[derive(Clone)]
pub struct LevelHandle(Arc<RwLock<LogLevel>>);

impl LevelHandle {
    pub(super) fn new(level: LogLevel) -> Self {
        Self(Arc::new(RwLock::new(level)))
    }

    pub(super) fn get(&self) -> LogLevel {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the level, with immediate effect.
    pub fn set(&self, level: LogLevel) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = level;
        // tracing remembers which lines are enabled.
        tracing::callsite::rebuild_interest_cache();
    }
}
