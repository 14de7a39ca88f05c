//! Sources of passwords. (From the terminal: [`super::terminal`].)

use std::os::unix::fs::PermissionsExt;

use crate::harness::connreq::{connreq, run};
use crate::harness::prosody::PASSWORD;
use crate::harness::{LIMIT, Prosody, Server};

#[tokio::test]
async fn a_file_overrides_the_environment_and_open_permissions_cause_a_warning() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let password = file("password", &format!("{PASSWORD}\n"), 0o600);
    let secret = file("secret", "s<3cret\r\n", 0o644);
    let arguments = ["--password-file", &password, "--connreq-secret-file", &secret, "cpe@a.test/wan"];
    let mut command = connreq(&prosody, &arguments);
    command.env("CONNREQ_PASSWORD", "wrong").env("CONNREQ_SECRET", "wrong");
    let (output, request) = tokio::join!(run(&mut command), cpe.accept());
    assert_eq!(output.code, 0, "{output:?}");
    let warning =
        format!("connreq: warning: {secret}: password file is accessible by other users (mode 644), use chmod 600\n");
    assert_eq!(output.stderr, warning);
    assert!(request.contains("<username>cpe-user</username><password>s&lt;3cret</password>"), "{request}");
}

/// Runs the tool in a session of its own, without a terminal.
#[tokio::test]
async fn without_password_and_terminal_the_error_names_the_options() {
    let prosody = Prosody::start(&["a.test"]).await;
    for (missing, option) in [("CONNREQ_PASSWORD", "--password-file"), ("CONNREQ_SECRET", "--connreq-secret-file")] {
        let mut command = crate::harness::process::command("setsid");
        command.args(["--wait", crate::harness::program::connreq()]).args(crate::harness::connreq::login(&prosody));
        command.arg("cpe@a.test/wan").env("CONNREQ_PASSWORD", "x").env("CONNREQ_SECRET", "x").env_remove(missing);
        let output = crate::harness::connreq::start(command.stdin(std::process::Stdio::null())).end(LIMIT).await;
        assert_eq!((output.code, output.stdout.as_str()), (4, ""), "{output:?}");
        let words = format!("no terminal to ask on: use {option}, or set {missing}");
        assert!(output.stderr.contains(&words), "{output:?}");
    }
}
