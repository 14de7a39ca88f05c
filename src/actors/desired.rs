//! The desired state: what the configuration files said when they were last accepted.
//!
//! It is kept outside of the actors and survives their crashes: a file or a section that is refused after a crash falls back
//! to it, and the supervisor of the connections starts from it. Only the config actor changes it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::messages::Rules;
use crate::config::model::{ConnectionId, Settings};
use crate::config::outline::ConnectionSection;
use crate::cwmp::credentials::Credentials;

/// What should run.
#[derive(Default)]
pub(super) struct Desired {
    /// `/etc/config/xmpp`
    pub(super) settings: Settings,
    /// The `config connection` sections of that file, in its order.
    pub(super) sections: Vec<ConnectionSection>,
    /// Connections whose section in that file is refused.
    pub(super) refused: BTreeSet<ConnectionId>,
    /// `/etc/config/cwmp`; none if it has no credentials.
    pub(super) credentials: Option<Credentials>,
}

/// Shares the desired state.
#[derive(Clone, Default)]
pub(super) struct DesiredState(Arc<Mutex<Desired>>);

impl DesiredState {
    /// Locks the desired state. The guard must not be held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Desired> {
        // Valid even after a panic: each change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part that the router decides by.
    pub(super) fn rules(&self) -> Rules {
        let desired = self.lock();
        Rules { general: desired.settings.general.clone(), credentials: desired.credentials.clone() }
    }
}
