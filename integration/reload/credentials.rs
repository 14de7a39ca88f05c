//! Changes of /etc/config/cwmp: the next request is checked against the new credentials, and no stream is closed.

use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, WriteMethod};

/// What happens to the file.
enum Change {
    Write(String),
    Remove,
}

/// The credentials that are valid after a change.
enum Valid {
    Only(&'static str, &'static str),
    None,
    Unchanged,
}

fn cpe(user: &str, password: &str) -> Change {
    Change::Write(uci::text([&Section::cpe(user, password)]))
}

#[tokio::test]
async fn the_next_request_is_checked_against_the_new_credentials() {
    let mut fixture = Fixture::with(|settings| settings.set("connreq_limit", 0)).await;
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let steps = [
            (cpe("user-1", "pass-1"), "credentials applied", Valid::Only("user-1", "pass-1")),
            (cpe("user-1", "pass-2"), "credentials applied", Valid::Only("user-1", "pass-2")),
            (cpe("user-3", "pass-2"), "credentials applied", Valid::Only("user-3", "pass-2")),
            (Change::Remove, "no connection request can be authorized", Valid::None),
            (cpe("user-3", "pass-2"), "credentials applied", Valid::Only("user-3", "pass-2")),
            (
                Change::Write("config cpe 'cpe'\n\toption userid 'x\n".to_owned()),
                "keeping the current credentials",
                Valid::Unchanged,
            ),
            (
                Change::Write("\u{0}\u{1}garbage \u{7f}\n".to_owned()),
                "keeping the current credentials",
                Valid::Unchanged,
            ),
            (
                cpe("user-4", "pass '4' \u{fc}"),
                "credentials applied",
                Valid::Only("user-4", "pass &apos;4&apos; \u{fc}"),
            ),
            (Change::Write("config acs 'acs'\n".to_owned()), "no connection request can be authorized", Valid::None),
            (cpe("user-5", "pass-5"), "credentials applied", Valid::Only("user-5", "pass-5")),
            (Change::Write(String::new()), "no connection request can be authorized", Valid::None),
            (cpe("cpe-user", "cpe-secret"), "credentials applied", Valid::Only("cpe-user", "cpe-secret")),
        ];
        let mut valid = Some(("cpe-user", "cpe-secret"));
        for (change, logged, expected) in steps {
            let before = valid;
            let mark = fixture.daemon.log().mark();
            match (change, method) {
                (Change::Remove, _) => fixture.daemon.cwmp().remove(),
                (Change::Write(text), WriteMethod::InPlace) => fixture.daemon.cwmp().write_in_place(&text),
                (Change::Write(text), WriteMethod::Commit) => fixture.daemon.cwmp().commit(&text),
            }
            fixture.daemon.log().wait(mark, &[logged], LIMIT).await;
            match expected {
                Valid::Only(user, password) => valid = Some((user, password)),
                Valid::None => valid = None,
                Valid::Unchanged => {}
            }
            if before != valid
                && let Some((user, password)) = before
            {
                assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, user, password)).await);
            }
            if let Some((user, password)) = valid {
                for to in [CPE1, CPE2] {
                    assert_result(&fixture.ask_once(&connection_request(to, user, password)).await);
                }
            } else {
                assert_not_authorized(&fixture.ask_once(&connection_request(CPE2, "", "")).await);
            }
        }
    }
    fixture.assert_same_streams().await;
    fixture.daemon.stop_and_assert_not_logged(&["pass-", "pass '4'", "user-", "cpe-secret"]).await;
}
