//! `xmppd check`.

use std::path::Path;

use super::{Files, daemon, output, stop, xmppd};
use crate::harness::{LIMIT, Setup, UciFile, until};

/// Invalid contents, each with whether `check` fails on it (false: a warning only).
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

/// Returns the warnings and errors that the daemon logs for a file when it starts.
async fn logged(file: &Path, text: &[u8]) -> Vec<String> {
    let setup = Setup::empty();
    let mut command = xmppd();
    command.args(["--config", &file.display().to_string()]);
    command.args(["--cwmp-config", &setup.cwmp.path().display().to_string()]);
    let socket = setup.directory().join("s");
    command.args(["--socket", &socket.display().to_string()]);
    let (process, log) = daemon(&mut command, setup.directory());
    // The files are read before the socket is opened.
    until("the control socket", LIMIT, || socket.exists().then_some(())).await;
    stop(process).await;
    let name = file.display().to_string();
    let about = |line: &String| line.contains(&format!(" {name}:"));
    let mut lines = Vec::new();
    for line in log.lines().into_iter().filter(about) {
        if let Some(warning) = line.strip_prefix("xmppd: WARNING ") {
            lines.push(format!("warning: {warning}"));
        } else if let Some(error) = line.strip_prefix("xmppd: ERROR ") {
            let consequences = ["; this section is refused", "; keeping the current settings"];
            let error = consequences.iter().find_map(|consequence| error.strip_suffix(consequence));
            lines.push(format!("error: {}", error.unwrap_or_else(|| panic!("without consequence: {line}"))));
        }
    }
    assert!(log.since(0, &["top-secret"]).is_empty(), "a password in the log for {:?}", String::from_utf8_lossy(text));
    lines
}

/// The lines about problems, without the places in the file and without advice, which is not logged.
fn problems(stdout: &str) -> Vec<&str> {
    stdout.lines().filter(|line| line.starts_with("error: ") || line.starts_with("warning: ")).collect()
}

#[tokio::test]
async fn check_reports_what_the_daemon_logs() {
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
            assert_eq!(problems(&stdout), logged, "{text}");
        }
        assert_eq!(stdout.contains("error: "), refused, "{text}: {stdout}");
    }
    // A file that is not text.
    std::fs::write(&file, b"config xmpp '\xff\xfe'\n\toption enable '\xff'\n").unwrap();
    let (code, stdout, _) = output(&["check", &file.display().to_string()]);
    assert_eq!(code, 1, "{stdout}");
    assert_eq!(problems(&stdout), logged(&file, b"").await);
}

#[test]
fn without_an_argument_the_file_of_the_daemon_is_checked() {
    let files = Files::new();
    let checked = xmppd().env("XMPPD_CONFIG", files.path("xmpp-a")).arg("check").output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert!(String::from_utf8_lossy(&checked.stdout).contains(&files.path("xmpp-a")), "{checked:?}");
    let missing = xmppd().env("XMPPD_CONFIG", files.path("missing")).arg("check").output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains(&files.path("missing")), "{missing:?}");
}

#[tokio::test]
async fn check_reports_a_path_that_is_not_a_file_as_the_daemon_does() {
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
