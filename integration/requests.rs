//! Connection requests through a real server: who gets which answer, and when the CWMP client is notified.

mod credentials;
mod hanging;
mod history;
mod misbehaving;
mod notifications;
mod other_stanzas;
mod senders;
mod table;

use crate::harness::Fixture;

/// Fails unless the CWMP client was notified this many times.
#[track_caller]
fn assert_notified(fixture: &Fixture, times: usize) {
    let calls = fixture.daemon.ubus().calls();
    assert_eq!(calls.len(), times, "{calls:?}");
}
