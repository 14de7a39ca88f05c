//! Errors in /etc/config/cwmp.

use super::{assert_errors, wait_error};
use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request, good_request};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, Fixture, LIMIT};

#[tokio::test]
async fn an_invalid_file_leaves_the_credentials_unchanged() {
    let mut fixture = Fixture::start().await;
    let name = fixture.daemon.cwmp().path().display().to_string();
    let broken = "config cpe 'cpe'\n\toption userid 'new-user'\n\toption passwd 'new-secret'\n\toptino x\n";
    let mut errors = Vec::new();

    for commit in [false, true] {
        let mark = fixture.daemon.log().mark();
        let (old, new) = if commit { ("new-2", "new-3") } else { ("cpe-secret", "new-2") };
        if commit {
            fixture.daemon.cwmp().commit(broken);
        } else {
            fixture.daemon.cwmp().write_in_place(broken);
        }
        errors.push(format!("{name}:4:2: invalid command; keeping the current credentials"));
        wait_error(&fixture.daemon, mark, &errors[errors.len() - 1]).await;
        assert_result(&fixture.ask_once(&connection_request(CPE1, "cpe-user", old)).await);
        assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

        let mark = fixture.daemon.log().mark();
        fixture.daemon.cwmp().replace_with_directory();
        errors.push(format!("{name}: a directory, not a file; keeping the current credentials"));
        wait_error(&fixture.daemon, mark, &errors[errors.len() - 1]).await;
        assert_result(&fixture.ask_once(&connection_request(CPE1, "cpe-user", old)).await);

        let mark = fixture.daemon.log().mark();
        fixture.daemon.cwmp().remove_directory();
        fixture.daemon.cwmp().write_in_place(&uci::text([&Section::cpe("cpe-user", new)]));
        fixture.daemon.log().wait(mark, &["credentials applied"], LIMIT).await;
        assert_result(&fixture.ask_once(&connection_request(CPE1, "cpe-user", new)).await);
        assert_not_authorized(&fixture.ask_once(&connection_request(CPE1, "cpe-user", old)).await);
    }
    fixture.assert_same_streams().await;
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn a_daemon_started_with_an_invalid_file_applies_the_next_valid_one() {
    let mut fixture = Fixture::start_with(
        crate::harness::Options::default(),
        |_| {},
        |setup| {
            setup.cwmp.write_in_place("config cpe 'cpe'\n\toption userid 'cpe-user'\n\toption passwd 'cpe-secret\n");
            setup
        },
    )
    .await;
    assert_not_authorized(&fixture.ask_once(&good_request(CPE1)).await);
    let name = fixture.daemon.cwmp().path().display().to_string();
    fixture.daemon.cwmp().write_in_place(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
    fixture.daemon.wait_for_log(&["credentials applied"], LIMIT).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.assert_same_streams().await;
    assert_errors(&mut fixture.daemon, &[format!("{name}:3:")]).await;
}
