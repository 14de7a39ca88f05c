//! What a process does, counted in its system calls and in the lines of its log: whether it is busy without a cause.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::log::Log;

/// How long is counted.
const WHILE: Duration = Duration::from_secs(1);

/// What may happen where nothing is to be done: a keepalive, a log line of it. (15 calls were seen.) A busy loop does more
/// within milliseconds.
const IDLE: Bound = Bound { calls: 100, lines: 4 };

/// What an attempt may take, from the lookup to its failure or to going online. (70 calls were seen.)
const ATTEMPT: Bound = Bound { calls: 150, lines: 6 };

struct Bound {
    calls: usize,
    lines: usize,
}

/// The system calls of a process and of its children, in a file that `strace` writes while they run.
#[derive(Debug, Clone)]
pub struct Trace {
    path: PathBuf,
}

impl Trace {
    /// A trace in this file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The words before the command that is to be traced. The command keeps its process id; it is `strace` that becomes
    /// its grandchild.
    pub fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-o"].map(OsString::from).into();
        words.extend([self.path.clone().into_os_string(), "--".into()]);
        words
    }

    /// The calls so far, each as `PID NAME(ARGUMENTS`.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read(&self.path).unwrap_or_default();
        // The second half of a call that another thread's came in between of, signals, exits.
        let call = |line: &&str| line.contains('(') && ["<... ", "+++ ", "--- "].iter().all(|no| !line.contains(no));
        String::from_utf8_lossy(&text).lines().filter(call).map(str::to_owned).collect()
    }
}

/// What was done within a second.
#[derive(Debug)]
pub struct Work {
    calls: Vec<String>,
    lines: Vec<String>,
}

impl Work {
    /// Watches for a second. Whoever asks the process something meanwhile adds to it.
    pub async fn watch(trace: &Trace, log: &Log) -> Self {
        let (calls, lines) = (trace.calls().len(), log.mark());
        tokio::time::sleep(WHILE).await;
        Self { calls: trace.calls().split_off(calls), lines: log.lines().split_off(lines) }
    }

    /// What is too much of it for an xmppd that made so many attempts to connect as its log says, and else had nothing to
    /// do.
    pub fn excess(&self) -> Option<String> {
        // Those that begin and those that fail: of a lookup that fails nothing else is said. One may have begun before.
        let attempts = self.lines.iter().filter(|line| line.contains(": attempt ")).count() + 1;
        let bound =
            Bound { calls: IDLE.calls + attempts * ATTEMPT.calls, lines: IDLE.lines + attempts * ATTEMPT.lines };
        let too_much = self.calls.len() > bound.calls || self.lines.len() > bound.lines;
        too_much.then(|| {
            format!(
                "busy: {} system calls (at most {}), {} lines of log (at most {}): {:?}",
                self.calls.len(),
                bound.calls,
                self.lines.len(),
                bound.lines,
                self.by_name()
            )
        })
    }

    /// How many calls there were of each name.
    fn by_name(&self) -> BTreeMap<&str, usize> {
        let mut names = BTreeMap::new();
        for call in &self.calls {
            let name = call.split_once('(').map_or("", |(head, _)| head).rsplit(' ').next().unwrap_or_default();
            *names.entry(name).or_default() += 1;
        }
        names
    }
}
