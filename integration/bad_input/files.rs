//! Errors that concern the whole file: invalid syntax, a missing file, a directory in its place.

use super::{assert_errors, file, good_edit, wait_error};
use crate::harness::{Fixture, LIMIT, WriteMethod};

/// Text appended to the file, line (counted from there) and column of the error, and its reason.
const BROKEN: [(&str, usize, usize, &str); 6] = [
    ("optoin note 'x'\n", 1, 1, "invalid command"),
    ("\toption note 'x' y\n", 1, 18, "too many arguments"),
    ("\toption note 'no end\n", 1, 21, "EOF with unterminated ' (opened at line OPEN, column 14)"),
    ("config connection 'third'\n\toption a.b '1'\n", 2, 9, "invalid character in name field"),
    ("\toption note \"one\\\ntwo\\\nthree\n", 3, 6, "EOF with unterminated \" (opened at line OPEN, column 14)"),
    ("\toption note a\0b\n", 1, 15, "NUL byte"),
];

#[tokio::test]
async fn invalid_syntax_changes_nothing() {
    let mut fixture = Fixture::start().await;
    let mut errors = Vec::new();
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        for (n, (broken, line, column, reason)) in BROKEN.iter().enumerate() {
            // A valid change precedes the error: connection 2 is removed.
            let mut settings = fixture.settings.clone();
            settings.remove(2);
            let text = settings.text();
            let before = text.lines().count();
            let (line, reason) = (before + line, reason.replace("OPEN", &(before + 1).to_string()));
            let error = format!("{}{line}:{column}: {reason}", file(&fixture.daemon));
            let mark = fixture.write(&format!("{text}{broken}"));
            wait_error(&fixture.daemon, mark, &error).await;
            fixture.assert_same_streams().await;
            errors.push(error);
            good_edit(&mut fixture, &format!("{method:?}-{n}")).await;
        }
    }
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn a_deleted_file_changes_nothing_until_restored() {
    let mut fixture = Fixture::start().await;
    let mut errors = Vec::new();
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        let mark = fixture.daemon.log().mark();
        fixture.daemon.xmpp().remove();
        let error = format!("{} there is no such file; keeping the current settings", file(&fixture.daemon));
        wait_error(&fixture.daemon, mark, &error).await;
        fixture.assert_same_streams().await;
        errors.push(error);
        // Restoring the same contents changes nothing, but the recovery is logged.
        let mark = fixture.write(&fixture.settings.text());
        let said = format!("NOTICE {} valid again", file(&fixture.daemon));
        fixture.daemon.log().wait(mark, &[&said], LIMIT).await;
        fixture.assert_same_streams().await;
        good_edit(&mut fixture, &format!("back-{method:?}")).await;
    }
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn a_directory_in_place_of_the_file_changes_nothing_until_restored() {
    let mut fixture = Fixture::start().await;
    let mut errors = Vec::new();
    for method in [WriteMethod::InPlace, WriteMethod::Commit] {
        fixture.set_write_method(method);
        let mark = fixture.daemon.log().mark();
        fixture.daemon.xmpp().replace_with_directory();
        let error = format!("{} a directory, not a file; keeping the current settings", file(&fixture.daemon));
        wait_error(&fixture.daemon, mark, &error).await;
        fixture.assert_same_streams().await;
        errors.push(error);
        let mark = fixture.daemon.log().mark();
        fixture.daemon.xmpp().remove_directory();
        // Waited for, because it is logged or not depending on when the file is back.
        let error = format!("{} there is no such file; keeping the current settings", file(&fixture.daemon));
        wait_error(&fixture.daemon, mark, &error).await;
        errors.push(error);
        good_edit(&mut fixture, &format!("back-{method:?}")).await;
    }
    assert_errors(&mut fixture.daemon, &errors).await;
}

#[tokio::test]
async fn reconnect_logs_the_same_error_again() {
    let mut fixture = Fixture::start().await;
    let error = format!("{} there is no such file", file(&fixture.daemon));
    fixture.daemon.xmpp().remove();
    wait_error(&fixture.daemon, 0, &error).await;
    let mark = fixture.daemon.log().mark();
    fixture.daemon.signal(rustix::process::Signal::HUP);
    wait_error(&fixture.daemon, mark, &error).await;
    fixture.daemon.log().wait(mark, &["SIGHUP"], LIMIT).await;
    good_edit(&mut fixture, "back").await;
    assert_errors(&mut fixture.daemon, &[error.clone(), error]).await;
}
