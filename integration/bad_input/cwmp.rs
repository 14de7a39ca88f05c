//! /etc/config/cwmp, when it is not what it should be.

use super::{assert_errors, wait_error};
use crate::harness::stanzas::{assert_not_authorized, assert_result, connection_request, good_request};
use crate::harness::uci::{self, Section};
use crate::harness::{CPE1, LIMIT, Scene};

#[tokio::test]
async fn a_broken_file_leaves_the_credentials_as_they_were() {
    let mut scene = Scene::start().await;
    let name = scene.daemon.cwmp().path().display().to_string();
    let broken = "config cpe 'cpe'\n\toption userid 'new-user'\n\toption passwd 'new-secret'\n\toptino x\n";
    let mut errors = Vec::new();

    for commit in [false, true] {
        let mark = scene.daemon.log().mark();
        let (old, new) = if commit { ("new-2", "new-3") } else { ("cpe-secret", "new-2") };
        if commit {
            scene.daemon.cwmp().commit(broken);
        } else {
            scene.daemon.cwmp().write_in_place(broken);
        }
        errors.push(format!("{name}:4:2: invalid command; the credentials stay as they were"));
        wait_error(&scene.daemon, mark, &errors[errors.len() - 1]).await;
        assert_result(&scene.ask_once(&connection_request(CPE1, "cpe-user", old)).await);
        assert_not_authorized(&scene.ask_once(&connection_request(CPE1, "new-user", "new-secret")).await);

        let mark = scene.daemon.log().mark();
        scene.daemon.cwmp().replace_with_directory();
        errors.push(format!("{name}: a directory, not a file; the credentials stay as they were"));
        wait_error(&scene.daemon, mark, &errors[errors.len() - 1]).await;
        assert_result(&scene.ask_once(&connection_request(CPE1, "cpe-user", old)).await);

        let mark = scene.daemon.log().mark();
        scene.daemon.cwmp().remove_directory();
        scene.daemon.cwmp().write_in_place(&uci::text([&Section::cpe("cpe-user", new)]));
        scene.daemon.log().wait(mark, &["credentials taken over"], LIMIT).await;
        assert_result(&scene.ask_once(&connection_request(CPE1, "cpe-user", new)).await);
        assert_not_authorized(&scene.ask_once(&connection_request(CPE1, "cpe-user", old)).await);
    }
    scene.assert_both_same().await;
    assert_errors(&mut scene.daemon, &errors).await;
}

#[tokio::test]
async fn a_daemon_that_started_with_a_broken_one_takes_the_next() {
    let mut scene = Scene::start_with(
        crate::harness::Options::default(),
        |_| {},
        |setup| {
            setup.cwmp.write_in_place("config cpe 'cpe'\n\toption userid 'cpe-user'\n\toption passwd 'cpe-secret\n");
            setup
        },
    )
    .await;
    assert_not_authorized(&scene.ask_once(&good_request(CPE1)).await);
    let name = scene.daemon.cwmp().path().display().to_string();
    scene.daemon.cwmp().write_in_place(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
    scene.daemon.wait_for_log(&["credentials taken over"], LIMIT).await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene.assert_both_same().await;
    assert_errors(&mut scene.daemon, &[format!("{name}:3:")]).await;
}
