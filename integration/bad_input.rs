//! Files that cannot be taken over, or not wholly: one clear line each, what runs goes on, and the next good edit counts.

mod at_start;
mod cwmp;
mod files;
mod permissions;
mod secrets;
mod values;
mod wiped;

use crate::harness::{Daemon, LIMIT, Scene};

/// Waits for the ERROR that begins so after `xmppd: ERROR `.
async fn wait_error(daemon: &Daemon, mark: usize, beginning: &str) {
    daemon.log().wait(mark, &[&format!("xmppd: ERROR {beginning}")], LIMIT).await;
}

/// Ends the daemon and fails unless these, by their beginnings and in this order, are all the errors that it ever told.
async fn assert_errors(daemon: &mut Daemon, expected: &[String]) {
    daemon.stop_and_look_for(&["cpe-secret", crate::harness::prosody::PASSWORD]).await;
    let errors = daemon.log().since(0, &["xmppd: ERROR "]);
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.starts_with(&format!("xmppd: ERROR {expected}")), "{error}\nis not {expected}");
    }
}

/// A good edit, and proof that it is taken over: connection 1 has this alias.
async fn good_edit(scene: &mut Scene, alias: &str) {
    scene.edit(|settings| settings.set_connection(1, "con_alias", alias));
    scene.daemon.wait_for_value(1, "alias", alias).await;
    scene.assert_both_same().await;
}

/// `FILE:` as errors of /etc/config/xmpp begin.
fn file(daemon: &Daemon) -> String {
    format!("{}:", daemon.xmpp().path().display())
}
