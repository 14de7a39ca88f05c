//! A `notify_command` that does what it should not: one answer all the same, nothing of it is left, and the next request
//! works.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::assert_told;
use crate::harness::proc::{descriptors, is_running, kill, wait_childless, wait_descriptors, wait_group_gone};
use crate::harness::stanzas::{assert_result, assert_unavailable, good_request, id};
use crate::harness::{CPE1, CPE2, CommandProgram, LIMIT, Scene, until};

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Yes,
    /// With these words in the log.
    No(&'static str),
}
use Comes::{No, Yes};

/// How long the command may take where it comes to its end, however slow the machine is.
const LONG: u32 = 10_000;
/// And where it does not.
const SHORT: u32 = 1500;
const KILLED: Comes = No("did not end within 1500 ms and was killed");

/// What the command does before it ends; processes that are meant to outlive it write their numbers to `$state/left`.
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

/// What it does and does not end.
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
    // It has left the process group: nobody knows it.
    ("starts a daemon and hangs", "setsid sleep 1000 & echo $! > $state/left; sleep 1000", KILLED),
];

/// A scene, and how many descriptors xmppd has open when nothing is going on. The CWMP client is told by this command, or
/// on ubus.
async fn start(limit: u32, command: Option<&Path>) -> (Scene, usize) {
    let mut scene = Scene::with(|settings| {
        settings.set("notify_timeout_ms", limit);
        settings.set("connreq_limit", 0);
        if let Some(command) = command {
            settings.set("notify", "command");
            settings.set("notify_command", command.display());
        }
    })
    .await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    let pid = scene.daemon.pid();
    wait_childless(pid, "at first").await;
    // What is asked of the control socket has to be over.
    let mut last = 0;
    let open = until("quiet", LIMIT, || {
        let now = descriptors(pid).len();
        (std::mem::replace(&mut last, now) == now).then_some(now)
    });
    let open = open.await;
    (scene, open)
}

/// Asks once, looks at what came and at what is left, and asks again when `mend` has set things right.
async fn once(scene: &mut Scene, open: usize, what: &str, comes: Comes, mend: impl FnOnce(&Scene)) {
    let mark = scene.daemon.log().mark();
    let answer = scene.ask_once(&good_request(CPE1)).await;
    match comes {
        Yes => assert_result(&answer),
        No(words) => {
            assert_unavailable(&answer);
            scene.daemon.log().wait(mark, &["NOTICE", "acs@a.test/r", words], LIMIT).await;
        }
    }
    let pid = scene.daemon.pid();
    wait_childless(pid, what).await;
    wait_descriptors(pid, open, what).await;
    mend(scene);
    assert_result(&scene.ask_once(&good_request(CPE2)).await);
    wait_childless(pid, what).await;
    wait_descriptors(pid, open, what).await;
}

#[tokio::test]
async fn a_command_that_ends_somehow_is_answered_once_and_leaves_nothing_behind() {
    each_leaves_nothing_behind(LONG, &ENDS).await;
}

#[tokio::test]
async fn a_command_that_hangs_somehow_is_answered_once_and_leaves_nothing_behind() {
    each_leaves_nothing_behind(SHORT, &HANGS).await;
}

async fn each_leaves_nothing_behind(limit: u32, cases: &[(&str, &str, Comes)]) {
    let directory = tempfile::tempdir().unwrap();
    let program = CommandProgram::new(directory.path());
    let (mut scene, open) = start(limit, Some(&program.path())).await;
    for &(what, does, comes) in cases {
        let note = program.file("leader");
        program.does(&format!("echo $$ > $state/leader\n{does}"));
        once(&mut scene, open, what, comes, |_| program.behave()).await;
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
    scene.assert_both_same().await;
    let longest = scene.daemon.log().lines().iter().map(String::len).max();
    assert!(longest < Some(5000), "{longest:?} bytes in one line of the log");
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_unavailable_until_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let program = CommandProgram::new(directory.path());
    let (mut scene, open) = start(LONG, Some(&program.path())).await;
    program.executable(false);
    once(&mut scene, open, "not executable", No("tell' cannot be run"), |_| program.executable(true)).await;
    let aside = program.file("aside");
    std::fs::rename(program.path(), &aside).unwrap();
    once(&mut scene, open, "missing", No("tell' cannot be run"), |_| std::fs::rename(&aside, program.path()).unwrap())
        .await;
    assert_eq!(program.calls(), 3);
    scene.assert_both_same().await;
}

/// No shell is asked for help: neither to find a program nor to run what says not by whom it is to be run.
#[tokio::test]
async fn a_command_is_found_as_the_system_finds_it() {
    let (mut scene, open) = start(LONG, None).await;
    let bin = scene.daemon.directory().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let put = |name: &str, text: &str| {
        std::fs::write(bin.join(name), text).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let said = scene.daemon.directory().join("said");
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
        // As xmppd's working directory has it.
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
        let mark = scene.daemon.log().mark();
        scene
            .edit_rules(|settings| {
                settings.set("notify", "command");
                settings.set("notify_command", command);
            })
            .await;
        let answer = scene.ask_once(&good_request(CPE1)).await;
        match comes {
            Yes => assert_result(&answer),
            No(words) => {
                assert_unavailable(&answer);
                scene.daemon.log().wait(mark, &["NOTICE", words], LIMIT).await;
            }
        }
        assert_eq!(std::fs::read_to_string(&said).unwrap_or_default(), expected, "{command}");
        wait_childless(scene.daemon.pid(), command).await;
        wait_descriptors(scene.daemon.pid(), open, command).await;
    }
    scene.edit_rules(|settings| settings.set("notify", "ubus")).await;
    assert_result(&scene.ask_once(&good_request(CPE1)).await);
    scene.assert_both_same().await;
}

#[tokio::test]
async fn five_hundred_requests_while_one_is_under_way_share_its_call() {
    for (status, accepted) in [(0, true), (1, false)] {
        let (mut scene, open) = start(LONG, None).await;
        scene.daemon.ubus().fail_with(status);
        scene.daemon.ubus().hold();
        let first = good_request(CPE1);
        scene.acs.send(&first).await;
        scene.daemon.ubus().wait_calls(2, LIMIT).await;
        let more: Vec<String> = (0..500).map(|n| good_request(if n % 2 == 0 { CPE1 } else { CPE2 })).collect();
        scene.acs.send(&more.concat()).await;
        // All have been read, and none is answered.
        for to in [CPE1, CPE2] {
            assert_eq!(scene.uninvited(to).await, [""; 0]);
        }
        scene.daemon.ubus().release();
        let mut awaited: std::collections::BTreeSet<String> = more.iter().chain([&first]).map(|iq| id(iq)).collect();
        while !awaited.is_empty() {
            let answer = scene.acs.expect("<iq ").await;
            if accepted {
                assert_result(&answer);
            } else {
                assert_unavailable(&answer);
            }
            assert!(awaited.remove(&id(&answer)), "uninvited, or twice: {answer}");
        }
        for to in [CPE1, CPE2] {
            assert_eq!(scene.uninvited(to).await, [""; 0]);
        }
        assert_told(&scene, 2);
        wait_childless(scene.daemon.pid(), "after 500").await;
        wait_descriptors(scene.daemon.pid(), open, "after 500").await;
        scene.daemon.ubus().behave();
        assert_result(&scene.ask_once(&good_request(CPE1)).await);
        assert_told(&scene, 3);
    }
}

fn number(file: &Path) -> i32 {
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}
