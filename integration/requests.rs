//! Connection requests through a real server: who gets which answer, and what the CWMP client is told.

mod credentials;
mod hanging;
mod misbehaving;
mod other_stanzas;
mod remembering;
mod senders;
mod table;
mod telling;

use crate::harness::Scene;

/// Fails unless the CWMP client was told so many times.
#[track_caller]
fn assert_told(scene: &Scene, times: usize) {
    let calls = scene.daemon.ubus().calls();
    assert_eq!(calls.len(), times, "{calls:?}");
}
