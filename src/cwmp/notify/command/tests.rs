//! Runs real programs, in real time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// A limit that is not reached, even on a busy machine.
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
        // Writes its process id, for the test.
        let text = format!("cd {}\necho $$ > self.new; mv self.new self\n{text}\n", directory.path().display());
        fs::write(directory.path().join("script"), text).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Run by the shell: a process that another test has just forked may hold the file open for writing, and prevent
    /// its execution.
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

/// Whether the process exists and is not a zombie.
fn is_running(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether the process exists, possibly as a zombie.
fn exists(pid: &str) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the runtime, which must be the one that started the process, has reaped it.
async fn reaped(pid: &str) {
    let start = Instant::now();
    while exists(pid) {
        assert!(start.elapsed() < LONG, "a zombie is left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn outcome(result: Result<(), NotifyError>) -> String {
    match result {
        Err(NotifyError::Failed { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn exit_status_0_is_success() {
    let script = Script::new("exit 0");
    assert_eq!(script.run(LONG), Ok(()));
    assert!(!exists(&script.read("self")), "a zombie is left");
}

#[test]
fn any_other_exit_is_a_failure() {
    for (text, expected) in [
        ("exit 1", "ended with exit status 1"),
        ("exit 255", "ended with exit status 255"),
        ("kill -9 $$", "was ended by signal 9"),
        ("kill -TERM $$", "was ended by signal 15"),
        ("no-such-program-at-all", "ended with exit status 127"),
    ] {
        let script = Script::new(text);
        assert_eq!(outcome(script.run(LONG)), expected, "{text}");
        assert!(!exists(&script.read("self")), "{text}: a zombie is left");
    }
}

#[test]
fn a_program_that_cannot_be_run_is_reported() {
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
fn the_program_gets_the_context_and_its_arguments_unchanged() {
    let script = Script::new("echo \"$XMPPD_CONNECTION|$XMPPD_ALIAS|$XMPPD_FROM\" > out; printf '%s\\n' \"$@\" >> out");
    let mut words = script.command();
    words.extend(["a b".to_owned(), "$HOME".to_owned(), "*".to_owned(), String::new(), "`x`;&".to_owned()]);
    assert_eq!(run_async(run(&words, &context(), LONG)), Ok(()));
    assert_eq!(script.read("out"), "7|cpe 7|acs@a.test/\u{fc}$(r)\na b\n$HOME\n*\n\n`x`;&");
}

#[test]
fn the_standard_input_is_empty() {
    assert_eq!(Script::new("cat > out; test ! -s out").run(LONG), Ok(()));
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    for text in [
        "sleep 1000 & echo $! > child; sleep 1000",
        "trap '' TERM INT HUP; sleep 1000 & echo $! > child; while :; do sleep 1000; done",
        "(trap '' TERM; sleep 1000; sleep 1000) & echo $! > child; exec sleep 1000",
        "(sleep 1000 & echo $! > child; wait) & wait",
    ] {
        // On a busy machine a second may be over before the script has started its child.
        let mut limits = [1, 5, 30].map(Duration::from_secs).into_iter();
        let has_child = limits.any(|limit| run_async(is_killed_with_its_child(text, limit)));
        assert!(has_child, "{text}: it starts no child within 30 s");
    }
}

/// Runs a script that hangs; fails unless it is killed with its child. Returns false if it had not started that.
async fn is_killed_with_its_child(text: &str, limit: Duration) -> bool {
    let script = Script::new(text);
    let start = Instant::now();
    let result = run(&script.command(), &context(), limit).await;
    let elapsed = start.elapsed();
    assert_eq!(result, Err(NotifyError::Timeout { program: "/bin/sh".to_owned(), limit }), "{text}");
    assert!(elapsed >= limit && elapsed < limit + Duration::from_secs(10), "{text}: {elapsed:?}");
    let child = fs::read_to_string(script.path("child")).unwrap_or_default();
    let child = child.trim();
    if child.is_empty() {
        return false;
    }
    let program = script.read("self");
    // Only one that does not die soon is left to the runtime.
    assert!(!exists(&program) || elapsed >= limit + REAP_LIMIT, "{text}: a zombie is left");
    reaped(&program).await;
    eventually("its child is still running", || !is_running(child));
    true
}

#[test]
fn a_program_that_leaves_a_child_running_has_ended() {
    let script = Script::new("sleep 1000 & echo $! > child; exit 0");
    let start = Instant::now();
    assert_eq!(script.run(LONG), Ok(()));
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
    // The program may have started a daemon.
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
fn endless_output_does_not_prevent_the_timeout() {
    let limit = Duration::from_millis(300);
    let start = Instant::now();
    let result = Script::new("exec cat /dev/zero").run(limit);
    assert!(matches!(result, Err(NotifyError::Timeout { .. })), "{result:?}");
    assert!(start.elapsed() < limit + Duration::from_secs(10), "{:?}", start.elapsed());
}

/// As when the notifier stops or crashes.
#[test]
fn the_program_is_killed_when_the_future_is_dropped() {
    let script = Script::new("sleep 1000 & echo $! > child.new; mv child.new child; sleep 1000");
    run_async(async {
        let (command, context) = (script.command(), context());
        let mut running = Box::pin(run(&command, &context, LONG));
        let start = Instant::now();
        while !script.path("child").exists() {
            assert!(start.elapsed() < LONG, "the program does not start");
            assert!(
                tokio::time::timeout(Duration::from_millis(5), &mut running).await.is_err(),
                "the program has ended"
            );
        }
        drop(running);
        let child = script.read("child");
        eventually("its child is still running", || !is_running(&child));
        reaped(&script.read("self")).await;
    });
}
