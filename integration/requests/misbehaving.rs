//! A misbehaving `notify_command`: the request still gets one answer, nothing is left of the command, and the next
//! request works.

use std::path::Path;

use super::assert_notified;
use crate::harness::notify_command::write_executable;
use crate::harness::proc::{descriptors, is_running, kill, wait_descriptors, wait_group_gone, wait_no_children};
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request};
use crate::harness::{CPE1, CPE2, Fixture, LIMIT, NotifyCommand, until};

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Yes,
    /// Unavailable, with this text in the log.
    No(&'static str),
}
use Comes::{No, Yes};

/// Time limit for commands that end, however slow the machine is.
const LONG: u32 = 10_000;
/// Time limit for commands that do not end; also for those that end, in between, on a machine that the former keep busy.
const SHORT: u32 = 3000;
const KILLED: Comes = No("did not end within 3000 ms and was killed");

/// What the command does before it ends. Processes that may outlive it write their process ids to `$state/left`.
const ENDS: [(&str, &str, Comes); 10] = [
    ("is slow", "sleep 0.3", Yes),
    ("prints 10 MB", "head -c 10000000 /dev/zero", Yes),
    ("prints 10 MB of errors", "head -c 10000000 /dev/zero >&2", Yes),
    ("prints what is no text", r"printf '\377\000\033[2J\n%s\r' x", Yes),
    ("closes its output and ends", "exec >&- 2>&-; sleep 0.2", Yes),
    ("says no", "exit 1", No("ended with exit status 1")),
    ("is killed", "kill -KILL $$", No("was ended by signal 9")),
    ("crashes", "ulimit -c 0; kill -SEGV $$", No("was ended by signal 11")),
    ("leaves a child with its output open", "sleep 1000 & echo $! > $state/left; exit 0", Yes),
    ("leaves a daemon", "setsid sleep 1000 & echo $! > $state/left; exit 0", Yes),
];

/// What the command does without ending.
const HANGS: [(&str, &str, Comes); 10] = [
    ("hangs", "exec sleep 1000", KILLED),
    ("hangs with a child", "sleep 1000 & sleep 1000", KILLED),
    ("ignores signals", "trap '' TERM INT HUP QUIT PIPE; while :; do sleep 1000; done", KILLED),
    ("is stopped", "kill -STOP $$", KILLED),
    ("spins", "while :; do :; done", KILLED),
    ("prints without end", "exec cat /dev/zero", KILLED),
    ("closes its output and runs on", "exec >&- 2>&-; sleep 1000", KILLED),
    ("has a hundred children", "n=0; while [ $n -lt 100 ]; do sleep 1000 & n=$((n+1)); done; wait", KILLED),
    ("forks on and on", "for n in 1 2 3; do (while :; do (sleep 1000 &); sleep 0.02; done) & done; wait", KILLED),
    // It has left the process group, so xmppd cannot kill it.
    ("starts a daemon and hangs", "setsid sleep 1000 & echo $! > $state/left; sleep 1000", KILLED),
];

/// Starts a fixture with this command, or ubus. Also returns the number of descriptors that an idle xmppd has open.
async fn start(limit: u32, command: Option<&Path>) -> (Fixture, usize) {
    let mut fixture = Fixture::with(|settings| {
        settings.set("notify_timeout_ms", limit);
        settings.set("connreq_limit", 0);
        if let Some(command) = command {
            settings.set("notify", "command");
            settings.set("notify_command", command.display());
        }
    })
    .await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    let pid = fixture.daemon.pid();
    wait_no_children(pid, "at first").await;
    // The status request must be over.
    let mut last = 0;
    let open = until("quiet", LIMIT, || {
        let now = descriptors(pid).len();
        (std::mem::replace(&mut last, now) == now).then_some(now)
    });
    let open = open.await;
    (fixture, open)
}

/// Sends a request, checks its outcome and that nothing is left, then sends another after `mend` has repaired the
/// command.
async fn once(fixture: &mut Fixture, open: usize, what: &str, comes: Comes, mend: impl FnOnce(&Fixture)) {
    let mark = fixture.daemon.log().mark();
    let answer = fixture.ask_once(&good_request(CPE1)).await;
    match comes {
        Yes => assert_result(&answer),
        No(words) => {
            assert_unavailable(&answer);
            fixture.daemon.log().wait(mark, &["NOTICE", "acs@a.test/r", words], LIMIT).await;
        }
    }
    let pid = fixture.daemon.pid();
    wait_no_children(pid, what).await;
    wait_descriptors(pid, open, what).await;
    mend(fixture);
    assert_result(&fixture.ask_once(&good_request(CPE2)).await);
    wait_no_children(pid, what).await;
    wait_descriptors(pid, open, what).await;
}

#[tokio::test]
async fn a_command_that_ends_gives_one_answer_and_leaves_nothing_behind() {
    each_leaves_nothing_behind(LONG, &ENDS).await;
}

#[tokio::test]
async fn a_command_that_hangs_gives_one_answer_and_leaves_nothing_behind() {
    each_leaves_nothing_behind(SHORT, &HANGS).await;
}

async fn each_leaves_nothing_behind(limit: u32, cases: &[(&str, &str, Comes)]) {
    let directory = tempfile::tempdir().unwrap();
    let program = NotifyCommand::new(directory.path());
    let (mut fixture, open) = start(limit, Some(&program.path())).await;
    for &(what, does, comes) in cases {
        let note = program.file("leader");
        program.on_call(&format!("echo $$ > $state/leader\n{does}"));
        once(&mut fixture, open, what, comes, |_| program.succeed()).await;
        let left = program.file("left");
        if left.exists() {
            let pid = number(&left);
            assert!(is_running(pid), "{what}: a daemon is meant to live");
            kill(pid);
            std::fs::remove_file(left).unwrap();
        }
        wait_group_gone(number(&note), what).await;
    }
    assert_eq!(program.calls(), 1 + 2 * cases.len());
    fixture.assert_same_streams().await;
    fixture.daemon.log().assert_short_lines(5000);
}

#[tokio::test]
async fn a_command_that_cannot_be_run_makes_requests_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let program = NotifyCommand::new(directory.path());
    let (mut fixture, open) = start(LONG, Some(&program.path())).await;
    program.executable(false);
    once(&mut fixture, open, "not executable", No("notify' cannot be run"), |_| program.executable(true)).await;
    let aside = program.file("aside");
    std::fs::rename(program.path(), &aside).unwrap();
    once(&mut fixture, open, "missing", No("notify' cannot be run"), |_| {
        std::fs::rename(&aside, program.path()).unwrap();
    })
    .await;
    assert_eq!(program.calls(), 3);
    fixture.assert_same_streams().await;
}

/// No shell is involved, neither to find the program nor to run a script without an interpreter line.
#[tokio::test]
async fn a_command_is_looked_up_in_path_without_a_shell() {
    let (mut fixture, open) = start(LONG, None).await;
    let bin = fixture.daemon.directory().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let put = |name: &str, text: &str| write_executable(&bin.join(name), text);
    let said = fixture.daemon.directory().join("said");
    put(
        "tell",
        &format!("#!/bin/sh\nprintf '%s|' \"$@\" \"$XMPPD_FROM\" \"$XMPPD_CONNECTION\" > '{}'\n", said.display()),
    );
    put("no-interpreter", &format!("echo called > '{}'\n", said.display()));
    put("another-interpreter", "#!/no/such/interpreter\n");
    put("killed", "#!/bin/sh\nkill -TERM $$\n");
    put("empty", "");
    let cases = [
        ("tell one 'two words'", Yes, "one|two words|acs@a.test/r|1|"),
        // Relative to xmppd's working directory.
        ("bin/tell relative", Yes, "relative|acs@a.test/r|1|"),
        ("./bin/../bin/tell", Yes, "acs@a.test/r|1|"),
        ("no-interpreter", No("'no-interpreter' cannot be run"), ""),
        ("empty", No("'empty' cannot be run"), ""),
        ("another-interpreter", No("'another-interpreter' cannot be run"), ""),
        ("no-such-program", No("'no-such-program' cannot be run"), ""),
        ("bin", No("'bin' cannot be run"), ""),
        ("tell;tell", No("'tell;tell' cannot be run"), ""),
        ("killed", No("was ended by signal 15"), ""),
    ];
    for (command, comes, expected) in cases {
        let _ = std::fs::remove_file(&said);
        let mark = fixture.daemon.log().mark();
        fixture
            .edit_rules(|settings| {
                settings.set("notify", "command");
                settings.set("notify_command", command);
            })
            .await;
        let answer = fixture.ask_once(&good_request(CPE1)).await;
        match comes {
            Yes => assert_result(&answer),
            No(words) => {
                assert_unavailable(&answer);
                fixture.daemon.log().wait(mark, &["NOTICE", words], LIMIT).await;
            }
        }
        assert_eq!(std::fs::read_to_string(&said).unwrap_or_default(), expected, "{command}");
        wait_no_children(fixture.daemon.pid(), command).await;
        wait_descriptors(fixture.daemon.pid(), open, command).await;
    }
    fixture.edit_rules(|settings| settings.set("notify", "ubus")).await;
    assert_result(&fixture.ask_once(&good_request(CPE1)).await);
    fixture.assert_same_streams().await;
}

#[tokio::test]
async fn five_hundred_concurrent_requests_share_one_call() {
    for (status, accepted) in [(0, true), (1, false)] {
        let (mut fixture, open) = start(LONG, None).await;
        fixture.daemon.ubus().fail_with(status);
        fixture.daemon.ubus().hold();
        let first = good_request(CPE1);
        fixture.acs.send(&first).await;
        fixture.daemon.ubus().wait_calls(2, LIMIT).await;
        let mut requests: Vec<String> = (0..500).map(|n| good_request(if n % 2 == 0 { CPE1 } else { CPE2 })).collect();
        fixture.acs.send(&requests.concat()).await;
        // All have been read, and none is answered.
        for to in [CPE1, CPE2] {
            assert_eq!(fixture.unsolicited(to).await, [""; 0]);
        }
        fixture.daemon.ubus().release();
        requests.push(first);
        for answer in fixture.acs.answers(&requests).await {
            if accepted {
                assert_result(&answer);
            } else {
                assert_unavailable(&answer);
            }
        }
        for to in [CPE1, CPE2] {
            assert_eq!(fixture.unsolicited(to).await, [""; 0]);
        }
        assert_notified(&fixture, 2);
        wait_no_children(fixture.daemon.pid(), "after 500").await;
        wait_descriptors(fixture.daemon.pid(), open, "after 500").await;
        fixture.daemon.ubus().behave();
        assert_result(&fixture.ask_once(&good_request(CPE1)).await);
        assert_notified(&fixture, 3);
    }
}

fn number(file: &Path) -> i32 {
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}
