//! /etc/config/cwmp changes, in every way in which a file does: the very next request is checked against what it says, and
//! no stream is touched.

use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, How, LIMIT, Scene};

/// What the file is made to be.
enum File {
    /// It says this.
    Says(String),
    /// It is not there.
    Gone,
}

/// What has to hold then.
enum Then {
    /// These credentials alone are right.
    Right(&'static str, &'static str),
    /// None are.
    Nobody,
    /// As before.
    Same,
}

fn cpe(user: &str, password: &str) -> File {
    File::Says(uci::text([&Section::cpe(user, password)]))
}

#[tokio::test]
async fn the_next_request_is_checked_against_what_the_file_says() {
    let mut scene = Scene::with(|settings| settings.set("connreq_limit", 0)).await;
    for how in [How::InPlace, How::Commit] {
        let steps = [
            (cpe("user-1", "pass-1"), "credentials taken over", Then::Right("user-1", "pass-1")),
            (cpe("user-1", "pass-2"), "credentials taken over", Then::Right("user-1", "pass-2")),
            (cpe("user-3", "pass-2"), "credentials taken over", Then::Right("user-3", "pass-2")),
            (File::Gone, "no connection request can be authorized", Then::Nobody),
            (cpe("user-3", "pass-2"), "credentials taken over", Then::Right("user-3", "pass-2")),
            (File::Says("config cpe 'cpe'\n\toption userid 'x\n".to_owned()), "stay as they were", Then::Same),
            (File::Says("\u{0}\u{1}garbage \u{7f}\n".to_owned()), "stay as they were", Then::Same),
            (
                cpe("user-4", "pass '4' \u{fc}"),
                "credentials taken over",
                Then::Right("user-4", "pass &apos;4&apos; \u{fc}"),
            ),
            (File::Says("config acs 'acs'\n".to_owned()), "no connection request can be authorized", Then::Nobody),
            (cpe("user-5", "pass-5"), "credentials taken over", Then::Right("user-5", "pass-5")),
            (File::Says(String::new()), "no connection request can be authorized", Then::Nobody),
            (cpe("cpe-user", "cpe-secret"), "credentials taken over", Then::Right("cpe-user", "cpe-secret")),
        ];
        let mut right = Some(("cpe-user", "cpe-secret"));
        for (file, words, then) in steps {
            let before = right;
            let mark = scene.daemon.log().mark();
            match (file, how) {
                (File::Gone, _) => scene.daemon.cwmp().remove(),
                (File::Says(text), How::InPlace) => scene.daemon.cwmp().write_in_place(&text),
                (File::Says(text), How::Commit) => scene.daemon.cwmp().commit(&text),
            }
            scene.daemon.log().wait(mark, &[words], LIMIT).await;
            match then {
                Then::Right(user, password) => right = Some((user, password)),
                Then::Nobody => right = None,
                Then::Same => {}
            }
            if before != right
                && let Some((user, password)) = before
            {
                assert_not_authorized(&scene.ask_once(&connection_request(CPE1, user, password)).await);
            }
            if let Some((user, password)) = right {
                for to in [CPE1, CPE2] {
                    assert_result(&scene.ask_once(&connection_request(to, user, password)).await);
                }
            } else {
                assert_not_authorized(&scene.ask_once(&connection_request(CPE2, "", "")).await);
            }
        }
    }
    scene.assert_both_same().await;
    scene.daemon.stop_and_look_for(&["pass-", "pass '4'", "user-", "cpe-secret"]).await;
}
