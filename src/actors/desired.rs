//! The desired state: what the configuration files asked for when they were last accepted.
//!
//! It is kept outside of the config actor, so that a crash of any actor leaves it as it was: a file or a section that is
//! refused after a crash falls back to it, and the supervisor of the connections starts from it. The config actor alone
//! changes it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::messages::Rules;
use crate::config::model::{ConnectionId, Settings};
use crate::cwmp::credentials::Credentials;

/// What is to run.
#[derive(Default)]
pub(super) struct Desired {
    /// `/etc/config/xmpp`
    pub(super) settings: Settings,
    /// Connections whose section in that file is refused.
    pub(super) refused: BTreeSet<ConnectionId>,
    /// `/etc/config/cwmp`; none if it has no credentials.
    pub(super) credentials: Option<Credentials>,
}

/// Holds the desired state.
#[derive(Clone, Default)]
pub(super) struct DesiredState(Arc<Mutex<Desired>>);

impl DesiredState {
    /// The desired state. Not to be held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Desired> {
        // A panic leaves no half-made change: each is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of it that the router decides by.
    pub(super) fn rules(&self) -> Rules {
        let desired = self.lock();
        Rules { general: desired.settings.general.clone(), credentials: desired.credentials.clone() }
    }
}
