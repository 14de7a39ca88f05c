//! A daemon that starts without a usable file keeps running and applies the first valid one.

use super::{assert_errors, file, wait_error};
use crate::harness::stanzas::{assert_result, good_request};
use crate::harness::uci::{self, Section};
use crate::harness::{ACS, CPE1, CPE2, Daemon, LIMIT, Prosody, Server, Settings, Setup, UciFile, WriteMethod};

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
    assert!(daemon.statuses().await.is_empty());
    assert!(daemon.running());
    repair(daemon.xmpp(), &Settings::two(&prosody).text());
    for jid in [CPE1, CPE2] {
        prosody.wait_online(jid, LIMIT).await;
    }
    let mut acs = prosody.raw_client(ACS).await;
    for jid in [CPE1, CPE2] {
        assert_result(&acs.ask(&good_request(jid)).await);
    }
    assert_errors(&mut daemon, &[error]).await;
}

fn write(method: WriteMethod) -> impl FnOnce(&UciFile, &str) {
    move |file, text| match method {
        WriteMethod::InPlace => file.write_in_place(text),
        WriteMethod::Commit => file.commit(text),
    }
}

#[tokio::test]
async fn a_missing_file_is_applied_when_created() {
    waits_for_a_good_file(|_| {}, " there is no such file", write(WriteMethod::InPlace)).await;
    waits_for_a_good_file(
        |_| {},
        " there is no such file",
        |file, text| {
            // `uci commit` creates a missing file like this.
            std::fs::write(file.path().with_file_name(".xmpp.new"), text).unwrap();
            std::fs::rename(file.path().with_file_name(".xmpp.new"), file.path()).unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_file_with_invalid_syntax_is_applied_when_repaired() {
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        let broken = |file: &UciFile| file.write_in_place("config xmpp 'xmpp'\n\toption enable '1'\nfig connection\n");
        waits_for_a_good_file(broken, "3:1: invalid command", write(method)).await;
    }
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_is_replaced_by_a_valid_file() {
    let prepare = |file: &UciFile| std::fs::create_dir(file.path()).unwrap();
    waits_for_a_good_file(prepare, " a directory, not a file", |file, text| {
        file.remove_directory();
        file.commit(text);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_applied_when_shortened() {
    let prepare = |file: &UciFile| file.write_in_place(&"#".repeat((4 << 20) + 1));
    waits_for_a_good_file(prepare, " larger than 4194304 bytes", write(WriteMethod::Commit)).await;
}
