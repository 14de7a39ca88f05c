//! With real programs, in real time: what is tested is the system's part.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// Long enough for a busy machine; what ends by itself is not waited for so long.
const LONG: Duration = Duration::from_secs(60);

fn run_async<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test)
}

/// A shell script in a directory of its own, and the files that it writes there.
struct Script {
    directory: TempDir,
}

impl Script {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // What the test asks for first: which process it is.
        let text = format!("cd {}\necho $$ > self.new; mv self.new self\n{text}\n", directory.path().display());
        fs::write(directory.path().join("script"), text).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Run by the shell, so that nothing that another test has forked holds the file open for writing.
    fn command(&self) -> Vec<String> {
        vec!["/bin/sh".to_owned(), self.path("script").display().to_string()]
    }

    fn run(&self, limit: Duration) -> Result<(), NotifyError> {
        run_async(run(&self.command(), &context(), limit))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }
}

fn context() -> NotifyContext {
    NotifyContext { connection: "7".to_owned(), alias: "cpe 7".to_owned(), from: "acs@a.test/\u{fc}$(r)".to_owned() }
}

/// Whether there is a process of this number that runs.
fn is_running(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie whose parent is somebody else is gone, as far as we are concerned.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether there is any trace of it.
fn is_there(pid: &str) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn outcome(result: Result<(), NotifyError>) -> String {
    match result {
        Err(NotifyError::Failed { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn exit_status_0_is_yes() {
    let script = Script::new("exit 0");
    assert_eq!(script.run(LONG), Ok(()));
    assert!(!is_there(&script.read("self")), "a zombie is left");
}

#[test]
fn any_other_end_is_no() {
    for (text, expected) in [
        ("exit 1", "ended with exit status 1"),
        ("exit 255", "ended with exit status 255"),
        ("kill -9 $$", "was ended by signal 9"),
        ("kill -TERM $$", "was ended by signal 15"),
        ("no-such-program-at-all", "ended with exit status 127"),
    ] {
        let script = Script::new(text);
        assert_eq!(outcome(script.run(LONG)), expected, "{text}");
        assert!(!is_there(&script.read("self")), "{text}: a zombie is left");
    }
}

#[test]
fn a_program_that_is_not_there_or_no_program_is_said_to_be_that() {
    let script = Script::new("exit 0");
    let file = script.path("script");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    for program in [
        "/no/such/program".to_owned(),
        "no-such-program-in-path".to_owned(),
        file.display().to_string(),
        script.directory.path().display().to_string(),
        String::new(),
    ] {
        let result = run_async(run(std::slice::from_ref(&program), &context(), LONG));
        assert!(matches!(&result, Err(NotifyError::NotRun { program: named, .. }) if *named == program), "{result:?}");
    }
    let nothing = run_async(run(&[], &context(), LONG));
    assert!(matches!(nothing, Err(NotifyError::NotRun { .. })), "{nothing:?}");
}

#[test]
fn the_program_knows_for_whom_and_no_shell_is_involved() {
    let script = Script::new("echo \"$XMPPD_CONNECTION|$XMPPD_ALIAS|$XMPPD_FROM\" > out; printf '%s\\n' \"$@\" >> out");
    let mut words = script.command();
    words.extend(["a b".to_owned(), "$HOME".to_owned(), "*".to_owned(), String::new(), "`x`;&".to_owned()]);
    assert_eq!(run_async(run(&words, &context(), LONG)), Ok(()));
    assert_eq!(script.read("out"), "7|cpe 7|acs@a.test/\u{fc}$(r)\na b\n$HOME\n*\n\n`x`;&");
}

#[test]
fn there_is_nothing_to_read_on_its_standard_input() {
    assert_eq!(Script::new("cat > out; test ! -s out").run(LONG), Ok(()));
}

#[test]
fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    for text in [
        "sleep 1000 & echo $! > child; sleep 1000",
        "trap '' TERM INT HUP; sleep 1000 & echo $! > child; while :; do sleep 1000; done",
        "(trap '' TERM; sleep 1000; sleep 1000) & echo $! > child; exec sleep 1000",
        "(sleep 1000 & echo $! > child; wait) & wait",
    ] {
        let script = Script::new(text);
        let limit = Duration::from_secs(1);
        let start = Instant::now();
        let result = script.run(limit);
        assert_eq!(result, Err(NotifyError::Timeout { program: "/bin/sh".to_owned(), limit }), "{text}");
        assert!(start.elapsed() >= limit && start.elapsed() < limit + Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(!is_there(&script.read("self")), "{text}: a zombie is left");
        let child = script.read("child");
        eventually("what it started runs on", || !is_running(&child));
    }
}

/// Its answer is its exit status, whoever it leaves behind with its output open.
#[test]
fn a_program_that_leaves_a_child_behind_has_ended() {
    let script = Script::new("sleep 1000 & echo $! > child; exit 0");
    let start = Instant::now();
    assert_eq!(script.run(LONG), Ok(()));
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    // A daemon that it starts is meant to live.
    let child = script.read("child");
    assert!(is_running(&child));
    let child = Pid::from_raw(child.parse().unwrap()).unwrap();
    rustix::process::kill_process(child, Signal::KILL).unwrap();
}

#[test]
fn any_amount_of_output_is_read_and_dropped() {
    for text in [
        "head -c 10000000 /dev/zero",
        "head -c 10000000 /dev/zero >&2",
        "head -c 5000000 /dev/zero >&2; head -c 5000000 /dev/zero",
        "exec >&- 2>&-; exit 0",
    ] {
        assert_eq!(Script::new(text).run(LONG), Ok(()), "{text}");
    }
}

#[test]
fn endless_output_does_not_stop_the_clock() {
    let limit = Duration::from_millis(300);
    let start = Instant::now();
    let result = Script::new("exec cat /dev/zero").run(limit);
    assert!(matches!(result, Err(NotifyError::Timeout { .. })), "{result:?}");
    assert!(start.elapsed() < limit + Duration::from_secs(10), "{:?}", start.elapsed());
}

/// The notifier is stopped, or crashes: its program goes with it.
#[test]
fn who_is_no_longer_waited_for_is_ended() {
    let script = Script::new("sleep 1000 & echo $! > child.new; mv child.new child; sleep 1000");
    run_async(async {
        let (command, context) = (script.command(), context());
        let mut running = Box::pin(run(&command, &context, LONG));
        let start = Instant::now();
        while !script.path("child").exists() {
            assert!(start.elapsed() < LONG, "it does not start");
            assert!(tokio::time::timeout(Duration::from_millis(5), &mut running).await.is_err(), "it has ended");
        }
        drop(running);
        let child = script.read("child");
        eventually("what it started runs on", || !is_running(&child));
        let program = script.read("self");
        let start = Instant::now();
        while is_there(&program) {
            assert!(start.elapsed() < LONG, "a zombie is left");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
