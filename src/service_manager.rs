//! Tells systemd how the daemon is doing (`sd_notify(3)`). Without `NOTIFY_SOCKET`, as under procd, nothing is sent.

use sd_notify::NotifyState;

use crate::text::OneLine;

/// The configuration was read: the daemon is ready, or has been before. `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&OneLine(status).to_string())]);
}

/// The main loop runs (`WatchdogSec=`).
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// The daemon is about to exit.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be notified: {error}");
    }
}
