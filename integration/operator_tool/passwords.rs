//! Where passwords come from. (From the terminal: [`super::terminal`].)

use std::os::unix::fs::PermissionsExt;

use crate::harness::connreq::{connreq, said};
use crate::harness::prosody::PASSWORD;
use crate::harness::{LIMIT, Prosody};

#[tokio::test]
async fn files_come_before_the_environment_and_one_that_others_may_read_is_warned_of() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.wire("cpe@a.test/wan").await;
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
    let (said, request) = tokio::join!(said(&mut command), cpe.accept());
    assert_eq!(said.code, 0, "{said:?}");
    let warning = format!("connreq: warning: {secret}: others may read this password (mode 644): chmod 600\n");
    assert_eq!(said.stderr, warning);
    assert!(request.contains("<username>cpe-user</username><password>s&lt;3cret</password>"), "{request}");
}

/// In a session of its own it has no terminal to ask on.
#[tokio::test]
async fn without_any_password_and_terminal_it_says_what_to_do() {
    let prosody = Prosody::start(&["a.test"]).await;
    for (missing, option) in [("CONNREQ_PASSWORD", "--password-file"), ("CONNREQ_SECRET", "--connreq-secret-file")] {
        let mut command = crate::harness::process::command("setsid");
        command.args(["--wait", crate::harness::program::connreq()]).args(crate::harness::connreq::login(&prosody));
        command.arg("cpe@a.test/wan").env("CONNREQ_PASSWORD", "x").env("CONNREQ_SECRET", "x").env_remove(missing);
        let said = crate::harness::connreq::start(command.stdin(std::process::Stdio::null())).end(LIMIT).await;
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{said:?}");
        let words = format!("there is no terminal to ask on: give {option}, or {missing} in the environment");
        assert!(said.stderr.contains(&words), "{said:?}");
    }
}
