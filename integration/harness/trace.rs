//! Detects a busy process, by its system calls and log lines.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::log::Log;

/// Duration of a measurement.
const DURATION: Duration = Duration::from_secs(1);

/// Limit for an idle process: a keepalive and its log line. (15 calls were seen.) A busy loop exceeds it within
/// milliseconds.
const IDLE: Bound = Bound { calls: 100, lines: 4 };

/// Limit for an attempt to connect, from the lookup until it fails or is online. (70 calls were seen.)
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
    /// Uses this file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The arguments before the command to trace. The command keeps its process id: `strace` runs as its grandchild.
    pub fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-o"].map(OsString::from).into();
        words.extend([self.path.clone().into_os_string(), "--".into()]);
        words
    }

    /// The calls so far, each as `PID NAME(ARGUMENTS`.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read(&self.path).unwrap_or_default();
        // Without resumed calls, signals and exits.
        let call = |line: &&str| line.contains('(') && ["<... ", "+++ ", "--- "].iter().all(|no| !line.contains(no));
        String::from_utf8_lossy(&text).lines().filter(call).map(str::to_owned).collect()
    }
}

/// What a process did within [`DURATION`].
#[derive(Debug)]
pub struct Activity {
    calls: Vec<String>,
    lines: Vec<String>,
}

impl Activity {
    /// Measures. Requests to the process meanwhile count.
    pub async fn watch(trace: &Trace, log: &Log) -> Self {
        let (calls, lines) = (trace.calls().len(), log.mark());
        tokio::time::sleep(DURATION).await;
        Self { calls: trace.calls().split_off(calls), lines: log.lines().split_off(lines) }
    }

    /// Describes the excess over the limit of an xmppd that only made the attempts to connect in its log.
    pub fn excess(&self) -> Option<String> {
        // Lines of attempts that begin or fail; a failed lookup logs only the latter. One more may have begun before.
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

    /// Counts the calls by name.
    fn by_name(&self) -> BTreeMap<&str, usize> {
        let mut names = BTreeMap::new();
        for call in &self.calls {
            let name = call.split_once('(').map_or("", |(head, _)| head).rsplit(' ').next().unwrap_or_default();
            *names.entry(name).or_default() += 1;
        }
        names
    }
}
