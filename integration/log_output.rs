//! `--log`: where the log goes, and in which form.

mod syslog;

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetattr;

use crate::harness::log::Log;
use crate::harness::process::{self, Process};
use crate::harness::{LIMIT, program};

/// xmppd with files in this directory, of which there are none.
fn xmppd(directory: &tempfile::TempDir, log: &str) -> Command {
    let path = |name: &str| directory.path().join(name);
    let mut command = process::command(program::xmppd());
    command.env_remove("XMPPD_LOG").env_remove("JOURNAL_STREAM").stdin(Stdio::null()).stdout(Stdio::null());
    command.args(["run", "--log", log]).arg("--config").arg(path("xmpp")).arg("--cwmp-config").arg(path("cwmp"));
    command.arg("--socket").arg(path("xmppd.sock")).arg("--ubus-socket").arg(path("ubus.sock"));
    command
}

/// Starts the command with a file as its standard error, stops it, and returns its log.
async fn run(command: &mut Command, stderr: (Log, File)) -> Vec<String> {
    let (log, end) = stderr;
    let mut process = Process::start("xmppd", command.stderr(end));
    log.wait(0, &["started: config="], LIMIT).await;
    assert!(process.end(Signal::TERM, LIMIT).await.success());
    log.lines()
}

fn file(directory: &tempfile::TempDir) -> (Log, File) {
    Log::create(directory.path().join("log"))
}

/// Value of `JOURNAL_STREAM` for this file.
fn stream(file: &File) -> String {
    let metadata = file.metadata().unwrap();
    format!("{}:{}", metadata.dev(), metadata.ino())
}

#[tokio::test]
async fn lines_for_the_journal_begin_with_their_severity() {
    let directory = tempfile::tempdir().unwrap();
    let stderr = file(&directory);
    let stream = stream(&stderr.1);
    let lines = run(xmppd(&directory, "auto").env("JOURNAL_STREAM", stream), stderr).await;
    let is_prefixed =
        |line: &String| line.starts_with('<') && line.as_bytes()[1].is_ascii_digit() && line.as_bytes()[2] == b'>';
    assert!(lines.iter().all(is_prefixed), "{lines:#?}");
    let severity_of = |text: &str| lines.iter().find(|line| line.contains(text)).map(|line| &line[..3]);
    assert_eq!(severity_of(">xmppd "), Some("<5>"));
    assert_eq!(severity_of("keeping the current settings"), Some("<3>"));
    assert_eq!(severity_of("no connection request can be authorized"), Some("<4>"));
    assert_eq!(lines.last().unwrap(), "<5>stopped");
}

/// A child of a service whose standard error is redirected, and `--log stderr`.
#[tokio::test]
async fn other_files_get_bare_lines() {
    for (log, is_journal) in [("auto", false), ("stderr", true)] {
        let directory = tempfile::tempdir().unwrap();
        let stderr = file(&directory);
        let other = File::create(directory.path().join("other")).unwrap();
        let stream = stream(if is_journal { &stderr.1 } else { &other });
        let lines = run(xmppd(&directory, log).env("JOURNAL_STREAM", stream), stderr).await;
        assert!(lines.iter().all(|line| line.starts_with("xmppd: ")), "{log}: {lines:#?}");
        assert_eq!(lines.last().unwrap(), "xmppd: NOTICE stopped");
    }
}

#[tokio::test]
async fn lines_on_a_terminal_begin_with_the_time() {
    let directory = tempfile::tempdir().unwrap();
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = File::from(
        rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, rustix::fs::Mode::empty()).unwrap(),
    );
    assert!(tcgetattr(&terminal).is_ok());
    let mut process = Process::start("xmppd", xmppd(&directory, "auto").stderr(terminal));
    let mut master = File::from(master);
    let read = tokio::task::spawn_blocking(move || {
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while !text.contains("started: config=") {
            let length = master.read(&mut buffer).unwrap();
            text += std::str::from_utf8(&buffer[..length]).unwrap();
        }
        (text, master)
    });
    let (text, _master) = tokio::time::timeout(LIMIT, read).await.unwrap().unwrap();
    assert!(process.end(Signal::TERM, LIMIT).await.success());
    assert!(!text.contains('\u{1b}'), "{text}");
    let line = text.lines().find(|line| line.contains("started")).unwrap();
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(rest.starts_with("xmppd: NOTICE xmppd "), "{line}");
    let shape: String = time.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "{line}");
}

#[test]
fn an_unknown_output_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = xmppd(&directory, "journal").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(["'journal'", "auto, stderr, syslog"].iter().all(|words| text.contains(words)), "{text}");
    let mut command = process::command(program::xmppd());
    let output = command.env("XMPPD_LOG", "journal").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("XMPPD_LOG") && text.contains("`auto`, `stderr`, `syslog`"), "{text}");
}
