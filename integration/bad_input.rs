//! Configuration files with errors: each error is logged in one line, what runs goes on, and the next valid edit is
//! applied.

mod at_start;
mod cwmp;
mod files;
mod permissions;
mod secrets;
mod values;
mod wiped;

use crate::harness::{Daemon, Fixture, LIMIT};

/// Waits for an ERROR line whose message begins like this.
async fn wait_error(daemon: &Daemon, mark: usize, beginning: &str) {
    daemon.log().wait(mark, &[&format!("xmppd: ERROR {beginning}")], LIMIT).await;
}

/// Stops the daemon and fails unless these are the beginnings of all its ERROR lines, in this order.
async fn assert_errors(daemon: &mut Daemon, expected: &[String]) {
    daemon.stop_and_assert_not_logged(&["cpe-secret", crate::harness::prosody::PASSWORD]).await;
    let errors = daemon.log().since(0, &["xmppd: ERROR "]);
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(&format!("xmppd: ERROR {expected}")), "{error}\nis not {expected}");
    }
}

/// Makes a valid edit and waits until it is applied: connection 1 gets this alias.
async fn good_edit(fixture: &mut Fixture, alias: &str) {
    fixture.edit(|settings| settings.set_connection(1, "con_alias", alias));
    fixture.daemon.wait_for_value(1, "alias", alias).await;
    fixture.assert_same_streams().await;
}

/// The prefix `FILE:` of errors in /etc/config/xmpp.
fn file(daemon: &Daemon) -> String {
    format!("{}:", daemon.xmpp().path().display())
}
