//! The command line, the environment, and what they say to a person.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::harness::fleet::{accepted, jid, refused};
use crate::harness::log::Log;
use crate::harness::process::{self, Process};
use crate::harness::program;
use crate::harness::{Fleet, LIMIT, Prosody, Section, Setup, UciFile, uci, until};

/// The program without anything of this test's own environment.
fn xmppd() -> Command {
    let mut command = process::command(program::xmppd());
    for variable in ["XMPPD_CONFIG", "XMPPD_CWMP_CONFIG", "XMPPD_SOCKET", "XMPPD_RESOLV_CONF", "XMPPD_HOSTS"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs what ends by itself; gives its exit status and its outputs.
fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = xmppd().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("an exit status"), text(stdout), text(stderr))
}

/// A daemon with arguments and an environment of the test's choice; its log, in a file of this directory.
fn daemon(command: &mut Command, directory: &Path) -> (Process, Log) {
    let (log, end) = Log::create(directory.join(format!("log-{:08x}", rand::random::<u32>())));
    (Process::start("xmppd", command.stdout(Stdio::null()).stderr(end)), log)
}

async fn stop(mut process: Process) {
    let (status, _) = process.end(Signal::TERM, LIMIT).await;
    assert_eq!(status.code(), Some(0));
}

/// A directory with files by which it shows which ones a daemon reads.
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

/// It has read these two files and listens there.
async fn uses(log: &Log, files: &Files, xmpp: &str, cwmp: &str, socket: &str) {
    log.wait(0, &["starts with", &files.path(xmpp)], LIMIT).await;
    log.wait(0, &[&files.path(cwmp), "credentials taken over"], LIMIT).await;
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
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "no connections\n", ""));
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
    // The same variable for who asks.
    let asked = xmppd().arg("status").env("XMPPD_SOCKET", files.path("a.sock")).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    stop(process).await;
}

#[tokio::test]
async fn the_command_line_wins_over_the_environment() {
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

/// Nothing but the socket is given, lest the test leave one behind in the system's own place.
#[tokio::test]
async fn without_arguments_the_files_are_where_a_gateway_has_them() {
    let files = Files::new();
    let (process, log) = daemon(xmppd().args(["--socket", &files.path("a.sock")]), files.0.path());
    log.wait(0, &["xmppd: INFO", "starts with /etc/config/xmpp"], LIMIT).await;
    log.wait(0, &["/etc/config/cwmp: "], LIMIT).await;
    stop(process).await;
    let (code, help, _) = output(&["run", "--help"]);
    assert_eq!(code, 0);
    for default in ["/etc/config/xmpp", "/etc/config/cwmp", "/var/run/xmppd/xmppd.sock"] {
        assert!(help.contains(&format!("[default: {default}]")), "{help}");
    }
}

#[tokio::test]
async fn an_empty_path_is_an_error_that_names_where_it_comes_from() {
    let (code, _, stderr) = output(&["--config", ""]);
    assert_ne!(code, 0);
    assert!(stderr.contains("--config"), "{stderr}");
    let asked = xmppd().env("XMPPD_SOCKET", "").arg("status").output().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&asked.stderr), "xmppd: XMPPD_SOCKET is empty: expected a path\n");
}

/// What is no socket is not removed to make room for one, and the socket of another xmppd is left to it.
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
    // Now one that goes without a word.
    let mut first = first;
    first.end(Signal::KILL, LIMIT).await;
    assert_eq!(status(), 1);
    let (third, log) = start("a.sock");
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    until("an answer", LIMIT, || (status() == 0).then_some(())).await;
    // Its socket is taken away, and the place by a fourth: the third leaves that one alone when it ends.
    std::fs::remove_file(files.path("a.sock")).unwrap();
    let (fourth, log) = start("a.sock");
    uses(&log, &files, "xmpp-a", "cwmp-a", "a.sock").await;
    until("an answer", LIMIT, || (status() == 0).then_some(())).await;
    stop(third).await;
    assert_eq!(status(), 0, "the fourth one is still to be asked");
    stop(fourth).await;
    assert!(!Path::new(&files.path("a.sock")).exists());
}

/// Files with something wrong, and for each whether it is more than a warning.
const BAD: [(&str, bool); 12] = [
    ("", false),
    ("# nothing\n", false),
    ("config wine 'cellar'\n", false),
    ("config xmpp 'xmpp'\n\toption enable 1\n\toption colour red\n\toption id 7\n", false),
    ("config xmpp 'xmpp'\n\toption enable 1\n\toption loglevel LOUD\n", true),
    ("config xmpp 'xmpp'\n\tlist allowed_jid 'a@b@c'\n\tlist allowed_jid 'ok@b'\n\toption connreq_period 0\n", true),
    ("config xmpp 'xmpp'\n\toption enable 'maybe'\n\nconfig xmpp 'again'\n", true),
    ("config connection\n\toption enable 1\n\toption domain a.test\n\toption password 'top-secret'\n", true),
    (
        "config connection\n\toption con_inst 1\n\toption enable 0\n\toption username u\n\toption domain a.test\n\
         \toption interval ten\n\toption password 'top-secret'\n\n\
         config connection\n\toption con_inst 1\n\toption username v\n\toption domain a.test\n",
        true,
    ),
    ("config connection_server\n\toption con_id 9\n\toption enable 1\n\toption server_address x\n", true),
    ("config xmpp 'xmpp\n\toption enable 1\n", true),
    ("config xmpp 'xmpp'\n\toption password 'top-secret\n", true),
];

/// What the daemon logs of a file when it starts: its warnings and errors, as `check` words them.
async fn logged(file: &Path, text: &[u8]) -> Vec<String> {
    let setup = Setup::empty();
    let mut command = xmppd();
    command.args(["--config", &file.display().to_string()]);
    command.args(["--cwmp-config", &setup.cwmp.path().display().to_string()]);
    let socket = setup.directory().join("s");
    command.args(["--socket", &socket.display().to_string()]);
    let (process, log) = daemon(&mut command, setup.directory());
    // Its files are read before it listens.
    until("the control socket", LIMIT, || socket.exists().then_some(())).await;
    stop(process).await;
    let name = file.display().to_string();
    let about = |line: &String| line.contains(&format!(" {name}:"));
    let mut lines = Vec::new();
    for line in log.lines().into_iter().filter(about) {
        if let Some(warning) = line.strip_prefix("xmppd: WARNING ") {
            lines.push(format!("warning: {warning}"));
        } else if let Some(error) = line.strip_prefix("xmppd: ERROR ") {
            let consequences = ["; this section is refused", "; what runs goes on unchanged"];
            let error = consequences.iter().find_map(|consequence| error.strip_suffix(consequence));
            lines.push(format!("error: {}", error.unwrap_or_else(|| panic!("without consequence: {line}"))));
        }
    }
    assert!(log.since(0, &["top-secret"]).is_empty(), "a password in the log for {:?}", String::from_utf8_lossy(text));
    lines
}

#[tokio::test]
async fn check_says_what_the_daemon_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("xmpp");
    for (text, refused) in BAD {
        UciFile::at(file.clone()).write_in_place(text);
        let (code, stdout, stderr) = output(&["check", &file.display().to_string()]);
        assert_eq!((code, stderr.as_str()), (i32::from(refused), ""), "{text}: {stdout}");
        assert!(!stdout.contains("top-secret"), "a password in {stdout}");
        let logged = logged(&file, text.as_bytes()).await;
        if logged.is_empty() {
            assert_eq!(stdout, format!("{}: no problems\n", file.display()), "{text}");
        } else {
            let checked: Vec<&str> = stdout.lines().collect();
            assert_eq!(checked, logged, "{text}");
        }
        assert_eq!(stdout.contains("error: "), refused, "{text}: {stdout}");
    }
    // One that can't be read as text at all.
    std::fs::write(&file, b"config xmpp '\xff\xfe'\n\toption enable '\xff'\n").unwrap();
    let (code, stdout, _) = output(&["check", &file.display().to_string()]);
    assert_eq!(code, 1, "{stdout}");
    assert_eq!(stdout.lines().collect::<Vec<_>>(), logged(&file, b"").await);
}

#[tokio::test]
async fn check_of_what_is_no_file_says_what_the_daemon_says() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    for (file, why) in [
        (missing.as_path(), "there is no such file"),
        (directory.path(), "a directory, not a file"),
        (Path::new("/dev/null"), "a special file, not a file"),
    ] {
        let (code, stdout, stderr) = output(&["check", &file.display().to_string()]);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert_eq!(stderr, format!("xmppd: {}: {why}\n", file.display()));
        assert_eq!(logged(file, b"").await, [format!("error: {}: {why}", file.display())]);
    }
}

#[tokio::test]
async fn help_and_version() {
    let (code, stdout, stderr) = output(&["--version"]);
    let version = format!("xmppd {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((code, stdout, stderr.as_str()), (0, version, ""));
    for asked in [&["--help"][..], &["-h"], &["help"]] {
        let (code, stdout, stderr) = output(asked);
        assert_eq!((code, stderr.as_str()), (0, ""));
        for word in ["Usage:", "run", "check", "status", "reconnect", "--config", "XMPPD_CONFIG", "Exit status"] {
            assert!(stdout.contains(word), "no {word} in {asked:?}:\n{stdout}");
        }
        let long = stdout.lines().find(|line| line.len() > 120);
        assert_eq!(long, None, "a line that wraps");
    }
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2_and_says_what_is_wrong() {
    for (arguments, word) in [
        (&["--colour"][..], "--colour"),
        (&["fly"], "fly"),
        (&["check"], "<FILE>"),
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

#[tokio::test]
async fn who_asks_without_a_daemon_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("xmppd.sock").display().to_string();
    for command in ["status", "reconnect"] {
        let (code, stdout, stderr) = output(&[command, "--socket", &socket]);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.starts_with(&format!("xmppd: {socket}: ")), "{stderr}");
        assert!(stderr.contains("is xmppd running"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    if !Path::new("/var/run/xmppd/xmppd.sock").exists() {
        let (code, _, stderr) = output(&["status"]);
        assert_eq!(code, 1);
        assert!(stderr.starts_with("xmppd: /var/run/xmppd/xmppd.sock: "), "{stderr}");
    }
}

/// Somebody listens who never answers, or answers with an error.
#[tokio::test]
async fn who_asks_a_stranger_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let answering = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let mut client = listener.accept().unwrap().0;
        BufReader::new(client.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
        client.write_all(b"error: not today\n").unwrap();
    });
    let (code, stdout, stderr) = output(&["status", "--socket", &socket.display().to_string()]);
    answering.join().unwrap();
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "", "xmppd: not today\n"));
    // Now nobody takes them in: the kernel alone.
    let socket = directory.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (code, stdout, stderr) = output(&["status", "--socket", &socket.display().to_string()]);
    let expected = format!("xmppd: {}: no answer within 5 s\n", socket.display());
    assert_eq!((code, stdout.as_str(), stderr), (1, "", expected));
}

/// Whoever reads may have seen enough; a full disk is told.
#[tokio::test]
async fn an_output_that_is_full_is_told_and_a_closed_one_is_not() {
    let files = Files::new();
    let run = |stdout: Stdio| xmppd().args(["check", &files.path("xmpp-a")]).stdout(stdout).output().unwrap();
    let full = run(std::fs::File::create("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1));
    let said = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(said.starts_with("xmppd: standard output: No space left"), "{said}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = run(writer.into());
    assert_eq!((closed.status.code(), closed.stderr.as_slice()), (Some(0), &b""[..]));
}

#[cfg(servers)]
#[tokio::test]
async fn who_asks_the_daemon_is_answered() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, _) = Fleet::new(2, &[1], &prosody).start(&prosody).await;
    daemon.wait_for_value(2, "status", "Enabled").await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let socket = daemon.socket().display().to_string();
    let (code, stdout, stderr) = output(&["status", "--socket", &socket]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let status = crate::harness::status::parse(&stdout);
    assert_eq!(status[&1].get("jid"), Some(&*jid(1)));
    assert_eq!(status[&2].word(), "Enabled");
    let (code, stdout, stderr) = output(&["reconnect", "--socket", &socket]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "ok\n", ""));
    let unknown = daemon.ask("dance").await;
    assert_eq!(unknown, "error: 'dance' is no request; expected status or reconnect\n");
}

#[cfg(servers)]
#[tokio::test]
async fn the_socket_of_ubus_is_taken_from_the_environment_and_the_command_line_wins() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let fleet = Fleet::new(1, &[1], &prosody);
    let daemon = fleet.setup().env("XMPPD_UBUS_SOCKET", "/nonexistent/ubus.sock").start();
    fleet.all_online(&prosody).await;
    accepted(&mut acs, 1).await;
    let calls = daemon.ubus().wait_calls(1, LIMIT).await;
    assert!(calls[0].announces_a_request(), "{calls:?}");
}

#[cfg(servers)]
#[tokio::test]
async fn without_ubus_the_requester_is_told_no_and_the_log_why() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut acs = prosody.requester("acs@a.test/r").await;
    let fleet = Fleet::new(1, &[1], &prosody);
    let setup = fleet.setup();
    setup.ubus.leave_out();
    let daemon = setup.start();
    fleet.all_online(&prosody).await;
    refused(&mut acs, 1, "service-unavailable").await;
    let words = ["NOTICE", "acs@a.test/r", "failed: ubus cannot be reached", "ubus.sock: No such file"];
    daemon.wait_for_log(&words, LIMIT).await;
    assert_eq!(daemon.log().since(0, &["WARN", "ubus: no connection"]).len(), 1);
    // It is there now: the next request does not wait for it to be found.
    daemon.ubus().start_ubusd();
    daemon.ubus().start_client();
    accepted(&mut acs, 1).await;
    daemon.wait_for_log(&["NOTICE", "ubus: connected again"], LIMIT).await;
}
