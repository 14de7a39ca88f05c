//! The command line, the environment variables, and the program's messages.

mod check;
mod client;
mod reload;
mod service_manager;

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::harness::fleet::{accepted, refused};
use crate::harness::log::Log;
use crate::harness::process::{self, Process};
use crate::harness::program;
use crate::harness::{LIMIT, Prosody, Section, Server, Settings, uci, until};

/// The program, without the environment of the test.
fn xmppd() -> Command {
    let mut command = process::command(program::xmppd());
    for variable in ["XMPPD_CONFIG", "XMPPD_CWMP_CONFIG", "XMPPD_SOCKET", "XMPPD_RESOLV_CONF", "XMPPD_HOSTS"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself. Returns its exit status and outputs.
fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = xmppd().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("an exit status"), text(stdout), text(stderr))
}

/// Starts a daemon with these arguments and environment. Its log is in this directory.
fn daemon(command: &mut Command, directory: &Path) -> (Process, Log) {
    let (log, end) = Log::create(directory.join(format!("log-{:08x}", rand::random::<u32>())));
    (Process::start("xmppd", command.stdout(Stdio::null()).stderr(end)), log)
}

async fn stop(mut process: Process) {
    let status = process.end(Signal::TERM, LIMIT).await;
    assert_eq!(status.code(), Some(0));
}

/// Files whose contents show which of them a daemon has read.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for name in ["a", "b"] {
            std::fs::write(files.path(&format!("xmpp-{name}")), "").unwrap();
            std::fs::write(files.path(&format!("cwmp-{name}")), uci::text([&Section::cpe("u", "p")])).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// Fails unless the daemon has read these two files and listens on this socket.
async fn uses(log: &Log, files: &Files, xmpp: &str, cwmp: &str, socket: &str) {
    log.wait(0, &["started: config=", &files.path(xmpp)], LIMIT).await;
    log.wait(0, &[&files.path(cwmp), "credentials applied"], LIMIT).await;
    let socket = files.path(socket);
    until("the control socket", LIMIT, || {
        std::fs::metadata(&socket).ok().filter(|found| found.file_type().is_socket()).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn arguments_name_the_files_with_and_without_run() {
    for run in [&["run"][..], &[]] {
        let files = Files::new();
        let mut command = xmppd();
        command.args(run).args(["--config", &files.path("xmpp-a")]);
        command.args(["--cwmp-config", &files.path("cwmp-a"), "--socket", &files.path("a.sock")]);
        let (process, log) = daemon(&mut command, files.0.path());
        uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
        let (code, stdout, stderr) = output(&["status", "--socket", &files.path("a.sock")]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.contains("the file has no section 'connection'"), "{stdout}");
        stop(process).await;
    }
}

#[tokio::test]
async fn the_environment_names_the_files() {
    let files = Files::new();
    let mut command = xmppd();
    command.env("XMPPD_CONFIG", files.path("xmpp-a")).env("XMPPD_CWMP_CONFIG", files.path("cwmp-a"));
    let (process, log) = daemon(command.env("XMPPD_SOCKET", files.path("a.sock")), files.0.path());
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    // The client uses the same variable.
    let asked = xmppd().arg("status").env("XMPPD_SOCKET", files.path("a.sock")).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    stop(process).await;
}

#[tokio::test]
async fn the_command_line_overrides_the_environment() {
    let files = Files::new();
    let mut command = xmppd();
    command.env("XMPPD_CONFIG", files.path("xmpp-a")).env("XMPPD_CWMP_CONFIG", files.path("cwmp-a"));
    command.env("XMPPD_SOCKET", files.path("a.sock"));
    command.args(["run", "--config", &files.path("xmpp-b"), "--cwmp-config", &files.path("cwmp-b")]);
    let (process, log) = daemon(command.args(["--socket", &files.path("b.sock")]), files.0.path());
    uses(&log, &files, "xmpp-b", "cwmp-b", "b.sock").await;
    assert!(!Path::new(&files.path("a.sock")).exists());
    assert_eq!(log.since(0, &["xmpp-a"]), Vec::<String>::new());
    stop(process).await;
}

/// The socket is given, because the default one would be outside of the test's directory.
#[tokio::test]
async fn the_default_files_are_those_of_openwrt() {
    let files = Files::new();
    let (process, log) = daemon(xmppd().args(["--socket", &files.path("a.sock")]), files.0.path());
    log.wait(0, &["xmppd: NOTICE", "started: config=/etc/config/xmpp"], LIMIT).await;
    log.wait(0, &["/etc/config/cwmp: "], LIMIT).await;
    stop(process).await;
    let (code, help, _) = output(&["run", "--help"]);
    assert_eq!(code, 0);
    for default in ["/etc/config/xmpp", "/etc/config/cwmp", "/var/run/xmppd/xmppd.sock"] {
        assert!(help.contains(&format!("[default: {default}]")), "{help}");
    }
}

#[tokio::test]
async fn an_empty_path_is_an_error_that_names_its_source() {
    let (code, _, stderr) = output(&["--config", ""]);
    assert_ne!(code, 0);
    assert!(stderr.contains("--config"), "{stderr}");
    let asked = xmppd().env("XMPPD_SOCKET", "").arg("status").output().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&asked.stderr), "xmppd: XMPPD_SOCKET is empty: expected a path\n");
}

/// A file that is not a socket is not removed, and neither is the socket of a running xmppd.
#[tokio::test]
async fn only_an_abandoned_socket_is_replaced() {
    let files = Files::new();
    std::fs::write(files.path("precious"), "text").unwrap();
    let start = |socket: &str| {
        let mut command = xmppd();
        command.args(["--config", &files.path("xmpp-a"), "--cwmp-config", &files.path("cwmp-a")]);
        daemon(command.args(["--socket", &files.path(socket)]), files.0.path())
    };
    let (process, log) = start("precious");
    log.wait(0, &["xmppd: WARNING control socket", &files.path("precious")], LIMIT).await;
    stop(process).await;
    assert_eq!(std::fs::read_to_string(files.path("precious")).unwrap(), "text");

    let status = || output(&["status", "--socket", &files.path("a.sock")]).0;
    let (first, log) = start("a.sock");
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    let (second, log) = start("a.sock");
    log.wait(0, &["WARNING", "another xmppd listens there"], LIMIT).await;
    stop(second).await;
    assert_eq!(status(), 0, "the first one is still to be asked");
    // A socket left behind by a killed daemon is replaced.
    let mut first = first;
    first.end(Signal::KILL, LIMIT).await;
    assert_eq!(status(), 1);
    let (third, log) = start("a.sock");
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    until("an answer", LIMIT, || (status() == 0).then_some(())).await;
    // When the third daemon ends, its path belongs to a fourth one, whose socket stays.
    std::fs::remove_file(files.path("a.sock")).unwrap();
    let (fourth, log) = start("a.sock");
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    until("an answer", LIMIT, || (status() == 0).then_some(())).await;
    stop(third).await;
    assert_eq!(status(), 0, "the fourth one is still to be asked");
    stop(fourth).await;
    assert!(!Path::new(&files.path("a.sock")).exists());
}

#[tokio::test]
async fn help_and_version_are_printed() {
    let (code, stdout, stderr) = output(&["--version"]);
    let version = format!("xmppd {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((code, stdout, stderr.as_str()), (0, version, ""));
    for asked in [&["--help"][..], &["-h"], &["help"]] {
        let (code, stdout, stderr) = output(asked);
        assert_eq!((code, stderr.as_str()), (0, ""));
        for word in
            ["Usage:", "run", "check", "status", "reload", "reconnect", "--config", "XMPPD_CONFIG", "Exit status"]
        {
            assert!(stdout.contains(word), "no {word} in {asked:?}:\n{stdout}");
        }
        let long = stdout.lines().find(|line| line.len() > 120);
        assert_eq!(long, None, "a line that wraps");
    }
}

#[tokio::test]
async fn a_command_line_error_exits_with_2_and_names_the_argument() {
    for (arguments, word) in [
        (&["--colour"][..], "--colour"),
        (&["fly"], "fly"),
        (&["check", "a", "b"], "'b'"),
        (&["--config"], "--config"),
        (&["run", "--config", "/a", "--config", "/b"], "--config"),
        (&["status", "--config", "/a"], "--config"),
    ] {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.starts_with("error: ") && stderr.contains(word), "{arguments:?}: {stderr}");
        assert!(stderr.contains("--help"), "{arguments:?}: {stderr}");
    }
}

#[cfg(servers)]
#[tokio::test]
async fn the_ubus_socket_is_taken_from_the_command_line_or_else_the_environment() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    let fleet = Settings::fleet(1, &[1], &prosody);
    let daemon = fleet.setup().env("XMPPD_UBUS_SOCKET", "/nonexistent/ubus.sock").start();
    fleet.all_online(&prosody).await;
    accepted(&mut acs, 1).await;
    let calls = daemon.ubus().wait_calls(1, LIMIT).await;
    assert!(calls[0].announces_a_request(), "{calls:?}");
}

#[cfg(servers)]
#[tokio::test]
async fn without_ubus_requests_are_unavailable_and_the_reason_is_logged() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.acs("acs@a.test/r").await;
    let fleet = Settings::fleet(1, &[1], &prosody);
    let setup = fleet.setup();
    setup.ubus.leave_out();
    let daemon = setup.start();
    fleet.all_online(&prosody).await;
    refused(&mut acs, 1, "service-unavailable").await;
    let words = ["NOTICE", "acs@a.test/r", "failed: ubus cannot be reached", "ubus.sock: No such file"];
    daemon.wait_for_log(&words, LIMIT).await;
    assert_eq!(daemon.log().since(0, &["WARN", "ubus: no connection"]).len(), 1);
    // It exists now: the next request succeeds without delay.
    daemon.ubus().start_ubusd();
    daemon.ubus().start_client();
    accepted(&mut acs, 1).await;
    daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
}
