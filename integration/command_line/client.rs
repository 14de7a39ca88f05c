//! `xmppd status`, `xmppd tr181` and `xmppd reconnect`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Files, output, xmppd};
use crate::harness::fleet::jid;
use crate::harness::program;
use crate::harness::status::parse;
use crate::harness::{Endpoint, LIMIT, Prosody, Settings, until};

#[tokio::test]
async fn a_client_without_a_daemon_reports_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("xmppd.sock").display().to_string();
    for command in ["status", "tr181", "reload", "reconnect"] {
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

/// Something else listens on the socket: it never answers, or answers with an error.
#[tokio::test]
async fn a_client_reports_a_peer_that_is_not_xmppd() {
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
    // Now only the kernel accepts connections.
    let socket = directory.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (code, stdout, stderr) = output(&["status", "--socket", &socket.display().to_string()]);
    let expected = format!("xmppd: {}: no answer within 5 s\n", socket.display());
    assert_eq!((code, stdout.as_str(), stderr), (1, "", expected));
}

/// A closed pipe is not an error; a full disk is.
#[tokio::test]
async fn a_write_error_is_reported_but_not_a_closed_pipe() {
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
async fn status_and_reconnect_are_answered() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, _) = Settings::fleet(2, &[1], &prosody).start(&prosody).await;
    daemon.wait_for_value(2, "status", "Enabled").await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let socket = daemon.socket().display().to_string();
    let (code, stdout, stderr) = output(&["status", "--socket", &socket]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let expected = |id: u32, requests: &str| {
        let begin = format!("\n{:18}online for ", format!("{id} cpe-{id}"));
        let end = format!(" s\n{:18}{} at 127.0.0.1:{}, with TLS\n{:18}{requests}\n", "", jid(id), prosody.port(), "");
        (begin, end)
    };
    for (id, requests) in [(1, "requests: none"), (2, "accepts no requests: 'id' of section 'xmpp' does not name it")] {
        let (begin, end) = expected(id, requests);
        assert!(stdout.contains(&begin) && stdout.contains(&end), "{stdout}");
    }
    assert!(
        stdout.starts_with("CONNECTION        STATE\n") && stdout.contains("\nDAEMON\nversion           "),
        "{stdout}"
    );
    let (code, one, _) = output(&["status", "2", "--socket", &socket]);
    assert_eq!(code, 0);
    assert!(one.contains("\n2 cpe-2 ") && !one.contains("\n1 cpe-1 "), "{one}");
    let (code, json, _) = output(&["status", "--json", "2", "--socket", &socket]);
    assert_eq!((code, parse(&json).into_keys().collect::<Vec<_>>()), (0, vec![2]));
    let (code, stdout, stderr) = output(&["status", "7", "--socket", &socket]);
    assert_eq!((code, &*stdout, &*stderr), (1, "", "xmppd: there is no connection 7\n"));
    let (code, stdout, stderr) = output(&["reconnect", "--socket", &socket]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "ok\n", ""));
    let unknown = daemon.ask("dance").await;
    assert_eq!(unknown, "error: 'dance' is no request; expected status, tr181, reload or reconnect\n");
}

#[cfg(servers)]
#[tokio::test]
async fn tr181_prints_what_ubus_answers() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, _) = Settings::fleet(2, &[1], &prosody).start(&prosody).await;
    daemon.wait_for_value(2, "status", "Enabled").await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    for id in [1, 2] {
        // Its own presence, which the server returns, must not be counted between the answers that are compared.
        daemon.wait_for_value(id, "received", "1").await;
    }
    let socket = daemon.socket().display().to_string();
    let asked = |path: &[&str]| output(&[&["tr181", "--socket", &socket], path].concat());
    let (code, all, stderr) = asked(&[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let by_ubus = daemon.ubus().call("xmppd", "tr181", &serde_json::json!({})).unwrap();
    let lines = by_ubus.as_object().unwrap().iter().map(|(path, value)| format!("{path} {}", value.as_str().unwrap()));
    let (mut expected, mut printed): (Vec<String>, Vec<&str>) = (lines.collect(), all.lines().collect());
    expected.sort();
    printed.sort_unstable();
    assert_eq!(printed, expected);
    let status = "Device.XMPP.Connection.2.Status";
    assert_eq!(asked(&[status]), (0, format!("{status} Enabled\n"), String::new()));
    let below = |path: &str| {
        let lines: Vec<&str> = all.split_inclusive('\n').filter(|line| line.starts_with(path)).collect();
        lines.concat()
    };
    for object in ["Device.ManagementServer.", "Device.XMPP.Connection.1.", "Device.XMPP.Connection.1.Stats."] {
        assert_eq!(asked(&[object]), (0, below(object), String::new()));
    }
    for path in ["Device.XMPP.Connection.3.", "Device.XMPP.Connection.1.Stats.Received", "two words"] {
        let error = format!("xmppd: there is no parameter or object '{path}'\n");
        assert_eq!(asked(&[path]), (1, String::new(), error));
    }
}

/// Runs a command on a terminal of its own. Returns what it prints there.
fn on_a_terminal(command: &str) -> String {
    let script = Command::new("script").args(["-qec", command, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    String::from_utf8(script.stdout).unwrap()
}

#[cfg(servers)]
#[tokio::test]
async fn colours_are_for_terminals_and_can_be_switched_off() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (daemon, _) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let command = format!("{} status --socket {}", program::xmppd(), daemon.socket().display());
    let shown = on_a_terminal(&format!("TERM=xterm {command}"));
    assert!(shown.contains("\u{1b}[32monline for "), "{shown:?}");
    for plain in ["TERM=xterm NO_COLOR=1", "TERM=dumb"] {
        let shown = on_a_terminal(&format!("{plain} {command}"));
        assert!(shown.contains("online for ") && !shown.contains('\u{1b}'), "{shown:?}");
    }
}

/// Each status follows the one before, the daemon may be away, and SIGINT ends it.
#[cfg(servers)]
#[tokio::test]
async fn the_status_is_watched_until_an_interrupt() {
    let prosody = Prosody::start(&["a.test"]).await;
    let (mut daemon, _) = Settings::fleet(1, &[1], &prosody).start(&prosody).await;
    daemon.wait_for_value(1, "status", "Enabled").await;
    let directory = tempfile::tempdir().unwrap();
    let shown = directory.path().join("shown");
    let socket = daemon.socket();
    let mut watch = xmppd()
        .args(["status", "--watch", "--socket"])
        .arg(&socket)
        .stdout(std::fs::File::create(&shown).unwrap())
        .spawn()
        .unwrap();
    let text = || std::fs::read_to_string(&shown).unwrap();
    until("two statuses", LIMIT, || (text().matches("online for ").count() > 1).then_some(())).await;
    daemon.stop().await;
    until("word of the daemon's absence", LIMIT, || text().contains("is xmppd running").then_some(())).await;
    assert!(!text().contains('\u{1b}'), "{}", text());
    let pid = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let end = until("the end of the watch", LIMIT, || watch.try_wait().unwrap()).await;
    assert_eq!(end.code(), Some(0));
}
