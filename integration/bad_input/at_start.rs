//! A daemon that starts without a file that it could use stays, and takes the first good one.

use super::{assert_errors, file, wait_error};
use crate::harness::scene::Settings;
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::{self, Section};
use crate::harness::{ACS, CPE1, CPE2, Daemon, How, LIMIT, Prosody, Setup, UciFile};

async fn waits_for_a_good_file(prepare: impl FnOnce(&UciFile), error: &str, repair: impl FnOnce(&UciFile, &str)) {
    let prosody = Prosody::start(&["a.test"]).await;
    for account in ["cpe1@a.test", "cpe2@a.test"] {
        prosody.account(account);
    }
    let setup = Setup::empty();
    setup.cwmp.write_in_place(&uci::text([&Section::cpe("cpe-user", "cpe-secret")]));
    prepare(&setup.xmpp);
    let mut daemon: Daemon = setup.start();
    let error = format!("{}{error}", file(&daemon));
    wait_error(&daemon, 0, &error).await;
    assert_eq!(daemon.ask("status").await, "no connections\n");
    assert!(daemon.running());
    repair(daemon.xmpp(), &Settings::two(&prosody).text());
    for jid in [CPE1, CPE2] {
        prosody.wait_online(jid, LIMIT).await;
    }
    let mut acs = prosody.wire(ACS).await;
    for jid in [CPE1, CPE2] {
        assert_result(&acs.ask(&good_request(jid)).await);
    }
    assert_errors(&mut daemon, &[error]).await;
}

fn write(how: How) -> impl FnOnce(&UciFile, &str) {
    move |file, text| match how {
        How::InPlace => file.write_in_place(text),
        How::Commit => file.commit(text),
    }
}

#[tokio::test]
async fn without_a_file() {
    waits_for_a_good_file(|_| {}, " there is no such file", write(How::InPlace)).await;
    waits_for_a_good_file(
        |_| {},
        " there is no such file",
        |file, text| {
            // As `uci commit` does where there was none.
            std::fs::write(file.path().with_file_name(".xmpp.new"), text).unwrap();
            std::fs::rename(file.path().with_file_name(".xmpp.new"), file.path()).unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn with_a_file_that_is_not_uci() {
    for how in [How::InPlace, How::Commit] {
        let broken = |file: &UciFile| file.write_in_place("config xmpp 'xmpp'\n\toption enable '1'\nfig connection\n");
        waits_for_a_good_file(broken, "3:1: invalid command", write(how)).await;
    }
}

#[tokio::test]
async fn with_a_directory_in_the_files_place() {
    let prepare = |file: &UciFile| std::fs::create_dir(file.path()).unwrap();
    waits_for_a_good_file(prepare, " a directory, not a file", |file, text| {
        file.remove_directory();
        file.commit(text);
    })
    .await;
}

#[tokio::test]
async fn with_a_file_that_is_too_large() {
    let prepare = |file: &UciFile| file.write_in_place(&"#".repeat((4 << 20) + 1));
    waits_for_a_good_file(prepare, " larger than 4194304 bytes", write(How::Commit)).await;
}
