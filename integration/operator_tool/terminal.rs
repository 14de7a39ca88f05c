//! On a terminal, which `script` (util-linux) provides: passwords are asked for, and a progress bar is shown.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};

use rustix::process::Signal;

use crate::harness::connreq::login;
use crate::harness::process::{self, Process};
use crate::harness::program;
use crate::harness::prosody::PASSWORD;
use crate::harness::{LIMIT, Prosody, Server, until};

/// `connreq` on a terminal of its own.
struct Terminal {
    process: Process,
    keyboard: ChildStdin,
    screen: PathBuf,
}

impl Terminal {
    /// Starts it, followed by these shell commands.
    fn start(prosody: &Prosody, directory: &Path, more: &str, passwords: bool) -> Self {
        prosody.account("acs@a.test");
        let words = login(prosody);
        let line = format!("{} {} {more}", program::connreq(), words.join(" "));
        let screen = directory.join("screen");
        let end = std::fs::File::create(&screen).unwrap();
        let mut command = process::command("script");
        command.args(["--quiet", "--return", "--command", &format!("stty cols 80; {line}"), "/dev/null"]);
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        for (variable, value) in [("CONNREQ_PASSWORD", PASSWORD), ("CONNREQ_SECRET", "cpe-secret")] {
            if passwords {
                command.env(variable, value);
            } else {
                command.env_remove(variable);
            }
        }
        command.stdin(Stdio::piped()).stdout(end.try_clone().unwrap()).stderr(end);
        let mut process = Process::start("script", &mut command);
        let keyboard = process.child().stdin.take().unwrap();
        Self { process, keyboard, screen }
    }

    async fn shows(&self, words: &str) {
        until(&format!("{words:?} on the screen"), LIMIT, || self.text().contains(words).then_some(())).await;
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.screen).unwrap()).into_owned()
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    async fn status(&mut self) -> Option<i32> {
        self.process.wait(LIMIT).await.code()
    }
}

#[tokio::test]
async fn passwords_are_asked_for_without_echo() {
    let prosody = Prosody::start(&["a.test"]).await;
    let mut cpe = prosody.raw_client("cpe@a.test/wan").await;
    let directory = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&prosody, directory.path(), "cpe@a.test/wan", false);
    terminal.shows("Password of acs@a.test: ").await;
    terminal.types(&format!("{PASSWORD}\n"));
    terminal.shows("Connection request password of \"cpe-user\": ").await;
    terminal.types("typed secret\n");
    let request = cpe.accept().await;
    assert!(request.contains("<password>typed secret</password>"), "{request}");
    assert_eq!(terminal.status().await, Some(0), "{}", terminal.text());
    let screen = terminal.text();
    assert!(screen.contains("cpe@a.test/wan  accepted in "), "{screen}");
    assert!(!screen.contains(PASSWORD) && !screen.contains("typed secret"), "{screen}");
}

/// `stty` prints afterwards whether echo is on.
#[tokio::test]
async fn an_interrupted_question_restores_the_terminal() {
    let prosody = Prosody::start(&["a.test"]).await;
    let directory = tempfile::tempdir().unwrap();
    let more = "cpe@a.test/wan; echo status $?; stty -a; exit 7";
    let mut terminal = Terminal::start(&prosody, directory.path(), &format!("{more} # "), false);
    terminal.shows("Password of acs@a.test: ").await;
    let shell = terminal.process.pid();
    let tool = until("connreq", LIMIT, || child_named(shell.as_raw_nonzero().get(), "connreq")).await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(tool).unwrap(), Signal::INT).unwrap();
    assert_eq!(terminal.status().await, Some(7), "{}", terminal.text());
    let screen = terminal.text();
    assert!(screen.contains("connreq: stopped") && screen.contains("status 5"), "{screen}");
    assert!(screen.contains(" echo ") && !screen.contains("-echo "), "{screen}");
}

#[tokio::test]
async fn a_progress_bar_is_shown_for_many_cpes_on_a_terminal() {
    let prosody = Prosody::start(&["a.test"]).await;
    let directory = tempfile::tempdir().unwrap();
    let jids = (1..=10).fold(String::new(), |mut text, number| {
        let _ = write!(text, "gone{number}@a.test/wan ");
        text
    });
    let path = |name: &str| directory.path().join(name).display().to_string();
    for (more, bar) in [
        (format!("{jids} --json > {}", path("out")), true),
        (jids.clone(), true),
        ("gone1@a.test/wan gone2@a.test/wan".to_owned(), false),
        (format!("{jids} --quiet"), false),
        (format!("{jids} 2> {}", path("err")), false),
    ] {
        let mut terminal = Terminal::start(&prosody, directory.path(), &more, true);
        assert_eq!(terminal.status().await, Some(1), "{}", terminal.text());
        let screen = terminal.text();
        assert_eq!(screen.contains("] 1/10, 1 refused"), bar, "{more}: {screen}");
        // The bar is removed before a line is written.
        assert!(!screen.lines().any(|line| line.contains("refusedgone")), "{more}: {screen}");
    }
    let written = std::fs::read_to_string(path("out")).unwrap();
    assert_eq!(written.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(), 11);
    assert_eq!(std::fs::read_to_string(path("err")).unwrap(), "");
}

/// Returns the child process with this name.
fn child_named(parent: i32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find_map(|pid: i32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if comm.trim_end() == name { Some(pid) } else { child_named(pid, name) }
    })
}
