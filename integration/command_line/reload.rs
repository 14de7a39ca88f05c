//! `xmppd reload`: what it prints, and its exit status.

use std::fs;

use super::{Files, daemon, output, stop, uses, xmppd};
use crate::harness::log::Log;
use crate::harness::process::Process;
use crate::harness::{LIMIT, Section, uci, until};

/// A daemon with these files, ready to be asked.
async fn start(files: &Files) -> (Process, Log) {
    let mut command = xmppd();
    command.args(["--config", &files.path("xmpp-a"), "--cwmp-config", &files.path("cwmp-a")]);
    let (process, log) = daemon(command.args(["--socket", &files.path("a.sock")]), files.0.path());
    uses(&log, files, "xmpp-a", "cwmp-a", "a.sock").await;
    (process, log)
}

fn reload(files: &Files) -> (i32, String, String) {
    output(&["reload", "--socket", &files.path("a.sock")])
}

fn said(code: i32, stdout: &str, stderr: &str) -> (i32, String, String) {
    (code, stdout.to_owned(), stderr.to_owned())
}

#[tokio::test]
async fn a_reload_prints_what_changed() {
    let files = Files::new();
    let (process, _log) = start(&files).await;
    let mut levels = ["DEBUG", "INFO"].iter().cycle();
    // The daemon follows the file by itself, and may be faster: then another change is made.
    let answer = until("a reload that finds a change", LIMIT, || {
        let general = Section::general(&[]).option("loglevel", levels.next().unwrap());
        fs::write(files.path("xmpp-a"), uci::text([&general])).unwrap();
        Some(reload(&files)).filter(|answer| answer.1 != "taken up: no changes\n")
    })
    .await;
    let changes = ["general settings applied; log level applied", "log level applied"];
    assert!(changes.iter().any(|changes| answer == said(0, &format!("taken up: {changes}\n"), "")), "{answer:?}");
    assert_eq!(reload(&files), said(0, "taken up: no changes\n", ""));
    stop(process).await;
}

#[tokio::test]
async fn a_file_that_is_refused_is_an_error() {
    let files = Files::new();
    let (process, log) = start(&files).await;
    let path = files.path("xmpp-a");
    fs::write(&path, "config xmpp 'xmpp'\n\toption enable 'x\n").unwrap();
    let (code, stdout, stderr) = reload(&files);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with(&format!("xmppd: {path}:2:")) && stderr.lines().count() == 1, "{stderr}");
    log.wait(0, &[&path, "keeping the current settings"], LIMIT).await;
    stop(process).await;
}

/// A section that is refused does not make the reload fail.
#[tokio::test]
async fn problems_are_listed_behind_the_changes() {
    let files = Files::new();
    let (process, _log) = start(&files).await;
    let path = files.path("xmpp-a");
    let connection = Section::anonymous("connection").option("username", "a").option("domain", "a.test");
    fs::write(&path, uci::text([&Section::general(&[]), &connection.option("interval", "ten")])).unwrap();
    fs::remove_file(files.path("cwmp-a")).unwrap();
    let (code, stdout, stderr) = reload(&files);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<_> = stdout.lines().collect();
    let [changes, error, warning] = lines[..] else { panic!("{stdout}") };
    assert!(changes.starts_with("taken up: "), "{stdout}");
    assert!(error.starts_with(&format!("error: {path}:")) && error.contains("interval"), "{stdout}");
    assert!(warning.starts_with(&format!("warning: {}: ", files.path("cwmp-a"))), "{stdout}");
    stop(process).await;
}
