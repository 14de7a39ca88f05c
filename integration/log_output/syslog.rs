//! `--log syslog`, with a strict receiver and with busybox's syslogd.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::harness::daemon::{Daemon, Setup};
#[cfg(servers)]
use crate::harness::program::project;
use crate::harness::{LIMIT, until};

/// A receiver of RFC 3164's local form.
struct Receiver(UnixDatagram);

/// A message, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    severity: u8,
    pid: u32,
    text: String,
}

impl Receiver {
    /// At this path, in place of an earlier one.
    fn bind(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// The next message, if there is one.
    fn receive(&self) -> Option<Message> {
        let mut buffer = [0; 8192];
        match self.0.recv(&mut buffer) {
            Ok(length) => Some(parse(std::str::from_utf8(&buffer[..length]).unwrap())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with this text. Returns it and those before it.
    async fn wait(&self, text: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        until(&format!("a message with {text:?}"), LIMIT, || {
            while let Some(message) = self.receive() {
                let is_it = message.text.contains(text);
                messages.push(message);
                if is_it {
                    return Some(());
                }
            }
            None
        })
        .await;
        messages
    }
}

/// Takes a message apart: `<PRI>Mmm dd hh:mm:ss xmppd[pid]: text`, with the facility `daemon`. Fails if anything differs.
fn parse(message: &str) -> Message {
    assert!(message.len() <= 1024, "{} bytes: {message}", message.len());
    assert!(!message.chars().any(char::is_control), "{message:?}");
    let (priority, rest) = message.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect(message);
    let number: u8 = priority.parse().expect(message);
    assert!(priority == number.to_string() && number / 8 == 3, "{message}");
    let (time, rest) = rest.split_at(16);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    assert!(months.contains(&&time[..3]), "{message}");
    let shape: String = time[3..].chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    assert!([" 00 00:00:00 ", "  0 00:00:00 "].contains(&shape.as_str()), "{message}");
    let (tag, text) = rest.split_once(": ").expect(message);
    let pid = tag.strip_prefix("xmppd[").and_then(|tag| tag.strip_suffix(']')).expect(message);
    Message { severity: number % 8, pid: pid.parse().expect(message), text: text.to_owned() }
}

/// A daemon that logs to a socket in its directory; and the path of that.
fn setup() -> (Setup, PathBuf) {
    let setup = Setup::empty();
    let path = setup.directory().join("syslog");
    setup.cwmp.write_in_place("config cpe 'cpe'\n\toption userid 'u'\n\toption passwd 'p'\n");
    setup.xmpp.write_in_place("");
    (setup.arg("--log").arg("syslog").env("XMPPD_SYSLOG_SOCKET", &path), path)
}

/// A daemon that logs to this receiver.
fn receiver_and_daemon() -> (Receiver, Daemon) {
    let (setup, path) = setup();
    (Receiver::bind(&path), setup.start())
}

/// Edits the file so that each of these unknown options is logged.
fn edit(daemon: &Daemon, options: &[&str]) {
    let options: String = options.iter().flat_map(|option| ["\toption ", option, " '1'\n"]).collect();
    daemon.xmpp().write_in_place(&format!("config xmpp 'xmpp'\n{options}"));
}

#[tokio::test]
async fn each_line_is_a_message_with_its_severity() {
    let (receiver, mut daemon) = receiver_and_daemon();
    let pid = daemon.pid().as_raw_pid().unsigned_abs();
    let started = receiver.wait("started: config=").await;
    edit(&daemon, &["unknown_option"]);
    let warned = receiver.wait("unknown_option").await;
    daemon.xmpp().write_in_place("config 'xmpp\n");
    let refused = receiver.wait("keeping the current settings").await;
    assert!(daemon.stop().await.success());
    let stopped = receiver.wait("stopped").await;
    for (messages, severity) in [(started, 5), (warned, 4), (refused, 3), (stopped, 5)] {
        assert_eq!(messages.last().unwrap().severity, severity, "{messages:?}");
        assert!(messages.iter().all(|message| message.pid == pid), "{messages:?}");
    }
    assert_eq!(daemon.log().lines(), [""; 0], "standard error");
}

/// The daemon is started before the syslog daemon, which is then restarted while lines are logged.
#[tokio::test]
async fn lines_go_to_standard_error_while_there_is_no_syslog_daemon() {
    let (setup, path) = setup();
    let mut daemon = setup.start();
    let missing = ["xmppd: WARNING syslog: ", "No such file", "logging to standard error until it is there"];
    daemon.wait_for_log(&missing, LIMIT).await;
    daemon.wait_for_log(&["xmppd: NOTICE", "started: config="], LIMIT).await;
    daemon.wait_for_log(&["credentials applied"], LIMIT).await;

    let first = Receiver::bind(&path);
    edit(&daemon, &["first_option"]);
    let messages = first.wait("first_option").await;
    assert!(messages[0].text.contains("syslog: it is back; "), "{messages:?}");
    assert_eq!(messages[0].severity, 5);

    // Killed: its socket stays, without a reader.
    let mark = daemon.log().mark();
    drop(first);
    edit(&daemon, &["second_option"]);
    daemon.log().wait(mark, &["Connection refused"], LIMIT).await;
    daemon.log().wait(mark, &["xmppd: WARNING", "second_option"], LIMIT).await;

    let second = Receiver::bind(&path);
    let mark = daemon.log().mark();
    edit(&daemon, &["third_option"]);
    second.wait("third_option").await;
    assert!(daemon.stop().await.success());
    second.wait("stopped").await;
    assert_eq!(daemon.log().since(mark, &["third_option"]), [""; 0]);
}

/// Its queue fills up; the daemon goes on, and tells how many lines are missing.
#[tokio::test]
async fn a_syslog_daemon_that_does_not_read_blocks_nothing() {
    let (receiver, mut daemon) = receiver_and_daemon();
    receiver.wait("credentials applied").await;
    // More than any `net.unix.max_dgram_qlen` in use.
    let options: Vec<String> = (0..2000).map(|n| format!("option_{n}_")).collect();
    edit(&daemon, &options.iter().map(String::as_str).collect::<Vec<_>>());
    // It answers, once it has read the file.
    let answer = daemon.ask("reload").await;
    assert!(!answer.starts_with("error: "), "{answer}");
    let count = std::iter::from_fn(|| receiver.receive()).count();
    assert!(count < 2000, "nothing was dropped");
    edit(&daemon, &["the_last"]);
    let messages = receiver.wait("the_last").await;
    let dropped =
        messages.iter().find(|message| message.text.starts_with("dropped ")).expect("a line about the dropped ones");
    assert!(dropped.severity == 4 && dropped.text.ends_with("the reader is too slow"), "{dropped:?}");
    assert!(daemon.end(Signal::TERM).await.success());
}

/// The list of system calls is derived from a run that logs to standard error.
#[cfg(servers)]
#[tokio::test]
async fn no_system_call_is_made_that_the_jail_of_openwrt_forbids() {
    let (setup, path) = setup();
    let receiver = Receiver::bind(&path);
    let mut daemon = setup.traced().start();
    receiver.wait("credentials applied").await;
    assert!(daemon.stop().await.success());
    let calls = daemon.trace().calls();
    let list = std::fs::read_to_string(project().join("config/openwrt/seccomp/xmppd.json")).unwrap();
    let name = |call: &String| call.split_once('(').unwrap().0.rsplit(' ').next().unwrap().to_owned();
    let forbidden = calls.iter().map(name).filter(|name| name != "execve" && !list.contains(&format!("\"{name}\"")));
    assert_eq!(forbidden.collect::<Vec<_>>(), [""; 0]);
    assert!(calls.iter().any(|call| call.contains(" write(") && call.contains("xmppd[")), "{calls:#?}");
}

mod namespaces {
    use std::process::Stdio;

    use super::*;
    use crate::harness::process::{self, Process};

    /// busybox's syslogd, in a mount namespace whose `/dev/log` leads to `socket`. It writes to `file`.
    async fn syslogd(directory: &Path, socket: &Path, file: &Path) -> Process {
        let script = "set -e; dev=$1/dev; mkdir -p $dev; mount -t tmpfs none $dev; touch $dev/null
            mount --bind /dev/null $dev/null; ln -s $2 $dev/log; mount --rbind $dev /dev
            exec busybox syslogd -n -O $3";
        let mut command = process::command("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args([directory, socket, file]);
        let process = Process::start("syslogd", command.stdin(Stdio::null()));
        let connects = || UnixDatagram::unbound().unwrap().connect(socket).ok();
        until("syslogd", LIMIT, connects).await;
        process
    }

    fn lines(file: &Path) -> Vec<String> {
        std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    async fn wait(file: &Path, words: &[&str]) -> String {
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        until(&format!("{words:?} from syslogd"), LIMIT, || lines(file).into_iter().find(fits)).await
    }

    #[tokio::test]
    async fn busybox_syslogd_gets_the_lines_also_after_its_restart() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: a mount namespace needs root");
            return;
        }
        let (setup, socket) = setup();
        let directory = setup.directory().to_owned();
        let file = directory.join("messages");
        let mut first = syslogd(&directory, &socket, &file).await;
        let mut daemon = setup.start();
        wait(&file, &["daemon.notice xmppd[", "]: xmppd ", " started: config="]).await;
        edit(&daemon, &["first_option"]);
        wait(&file, &[&format!("daemon.warn xmppd[{}]: ", daemon.pid().as_raw_pid()), "first_option"]).await;

        first.end(Signal::TERM, LIMIT).await;
        edit(&daemon, &["second_option"]);
        daemon.wait_for_log(&["WARNING", "second_option"], LIMIT).await;
        let _second = syslogd(&directory, &socket, &file).await;
        edit(&daemon, &["third_option"]);
        wait(&file, &["daemon.warn xmppd[", "third_option"]).await;
        wait(&file, &["daemon.notice xmppd[", "syslog: it is back; "]).await;
        assert!(daemon.stop().await.success());
        wait(&file, &["daemon.notice xmppd[", "]: stopped"]).await;
    }
}
