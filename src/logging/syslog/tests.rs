use std::fs::remove_file;
use std::io::{PipeReader, PipeWriter, Read as _, pipe};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::logging::form::Form;

/// A log, and what is at the other ends of it.
struct Fixture {
    directory: TempDir,
    log: Syslog<PipeWriter>,
    stderr: PipeReader,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (stderr, writer) = pipe().unwrap();
        let log = Syslog::new(directory.path().join("log"), Output::new(writer, Form::Bare));
        Self { directory, log, stderr }
    }

    /// A syslog daemon, in place of an earlier one.
    fn daemon(&self) -> UnixDatagram {
        let _ = remove_file(self.path());
        let daemon = UnixDatagram::bind(self.path()).unwrap();
        daemon.set_nonblocking(true).unwrap();
        daemon
    }

    /// Ends a daemon, and leaves its socket behind. A process that another test has just forked keeps a copy of the
    /// descriptor until it executes its program; the socket receives until then.
    fn close(&self, daemon: UnixDatagram) {
        // Connected like the log: the kernel frees the path a moment before it closes the socket to those.
        let probe = connect(self.path()).unwrap();
        drop(daemon);
        let start = Instant::now();
        while !probe.send(&[]).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            assert!(start.elapsed() < Duration::from_secs(60), "the socket is still open");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn path(&self) -> &Path {
        &self.log.path
    }

    fn log(&self, text: &str) {
        self.log.log(LogLevel::Info, text);
    }

    /// The lines on standard error.
    fn end(mut self) -> Vec<String> {
        drop(self.log);
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).unwrap();
        drop(self.directory);
        text.lines().map(str::to_owned).collect()
    }
}

/// The messages in the queue of a daemon, without the parts that `form` tests: their severity, and their text.
fn received(daemon: &UnixDatagram) -> Vec<(u8, String)> {
    let mut buffer = [0; 2048];
    let mut messages = Vec::new();
    while let Ok(length) = daemon.recv(&mut buffer) {
        let message = std::str::from_utf8(&buffer[..length]).unwrap();
        let (priority, rest) = message.strip_prefix('<').unwrap().split_once('>').unwrap();
        let text = rest.split_once(&format!(" xmppd[{}]: ", std::process::id())).unwrap().1;
        messages.push((priority.parse::<u8>().unwrap() - 24, text.to_owned()));
    }
    messages
}

fn message(severity: u8, text: &str) -> (u8, String) {
    (severity, text.to_owned())
}

#[test]
fn each_line_is_a_message() {
    let fixture = Fixture::new();
    let daemon = fixture.daemon();
    for severity in [LogLevel::Alert, LogLevel::Critical, LogLevel::Error, LogLevel::Warning] {
        fixture.log.log(severity, "text");
    }
    assert_eq!(received(&daemon), [1, 2, 3, 4].map(|severity| message(severity, "text")));
    assert_eq!(fixture.end(), [""; 0]);
}

#[test]
fn lines_go_to_standard_error_until_the_daemon_is_there() {
    let fixture = Fixture::new();
    let path = fixture.path().display().to_string();
    fixture.log("first");
    fixture.log("second");
    let daemon = fixture.daemon();
    fixture.log("third");
    let back = message(5, "syslog: it is back; 2 log lines went to standard error");
    assert_eq!(received(&daemon), [back, message(6, "third")]);
    let lost = format!(
        "xmppd: WARNING syslog: {path}: No such file or directory (os error 2); logging to standard error until it is there"
    );
    assert_eq!(fixture.end(), [&lost, "xmppd: INFO first", "xmppd: INFO second"]);
}

#[test]
fn a_restarted_daemon_gets_the_next_line() {
    let fixture = Fixture::new();
    let first = fixture.daemon();
    fixture.log("first");
    assert_eq!(received(&first), [message(6, "first")]);
    fixture.close(first);
    let second = fixture.daemon();
    fixture.log("second");
    assert_eq!(received(&second), [message(6, "second")]);
    // Its socket is left behind.
    fixture.close(second);
    fixture.log("third");
    let third = fixture.daemon();
    fixture.log("fourth");
    let back = message(5, "syslog: it is back; 1 log lines went to standard error");
    assert_eq!(received(&third), [back, message(6, "fourth")]);
    let stderr = fixture.end();
    assert!(stderr[0].contains("Connection refused") && stderr[1..] == ["xmppd: INFO third"], "{stderr:?}");
}

#[test]
fn a_daemon_that_does_not_read_costs_lines_and_no_time() {
    let fixture = Fixture::new();
    let daemon = fixture.daemon();
    // More than net.unix.max_dgram_qlen.
    let all = 10_000;
    for n in 0..all {
        fixture.log(&format!("line {n}"));
    }
    let dropped = fixture.log.state.lock().unwrap().dropped;
    assert!((1..all).contains(&dropped), "{dropped}");
    assert_eq!(received(&daemon).len() as u64, all - dropped);
    fixture.log("the last");
    let warning = message(4, &format!("dropped {dropped} log lines: the reader is too slow"));
    assert_eq!(received(&daemon), [warning, message(6, "the last")]);
    // Ended without having read: the lines are told when there is a daemon again.
    for _ in 0..all {
        fixture.log("a line");
    }
    fixture.close(daemon);
    fixture.log("diverted");
    let daemon = fixture.daemon();
    fixture.log("the end");
    let messages = received(&daemon);
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].1.contains("it is back; 1 log lines"), "{messages:?}");
    assert!(messages[1].1.contains("dropped"), "{messages:?}");
    assert_eq!(fixture.end().last().unwrap(), "xmppd: INFO diverted");
}
