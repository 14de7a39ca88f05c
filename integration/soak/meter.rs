//! Measures the resources of a process, from /proc.

use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::level::{FEWEST, Sample, not_level};
use crate::harness::{Daemon, proc};

/// Maximum time for a process to release what it has just used: a closed socket, a killed program.
const SETTLE: Duration = Duration::from_secs(3);
/// The same at the end: an idle thread ends after 10 s.
const SETTLE_LAST: Duration = Duration::from_secs(20);

/// Repeated measurements of a process.
pub struct Meter {
    pid: Pid,
    samples: Vec<Sample>,
}

impl Meter {
    /// Creates a meter without measurements.
    pub fn of(pid: Pid) -> Self {
        Self { pid, samples: Vec::new() }
    }

    /// Measures an idle process, after waiting a limited time for resources to be released.
    pub async fn measure(&mut self) -> Sample {
        let fewest = self.fewest_descriptors();
        self.settle(SETTLE, |now| now.children == 0 && now.descriptors <= fewest).await
    }

    /// Measures an idle daemon, including its allocated bytes.
    pub async fn measure_daemon(&mut self, daemon: &Daemon) -> Sample {
        self.measure().await;
        let allocated = daemon.allocated().await;
        let last = self.samples.last_mut().expect("it was just measured");
        last.allocated = allocated;
        *last
    }

    /// Measures a last time, when idle threads have ended. Fails unless all resources are level, and describes them.
    pub async fn verdict(&mut self) -> String {
        let fewest = self.fewest_descriptors();
        let threads = self.samples[..self.samples.len() / 3].iter().map(|sample| sample.threads).max();
        let settled = |now: &Sample| now.children == 0 && now.descriptors <= fewest && Some(now.threads) <= threads;
        let allocated = self.samples.last().and_then(|sample| sample.allocated);
        let last = self.settle(SETTLE_LAST, settled).await;
        if let Some(sample) = self.samples.last_mut() {
            sample.allocated = allocated;
        }
        let wrong = not_level(&self.samples);
        assert!(wrong.is_empty(), "{wrong:?} in {:#?}", self.samples);
        format!("level: {} after the warm-up, {last} at the end", self.samples[self.samples.len() / 3])
    }

    fn fewest_descriptors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.descriptors).min().unwrap_or(u64::MAX)
    }

    async fn settle(&mut self, limit: Duration, settled: impl Fn(&Sample) -> bool) -> Sample {
        let start = Instant::now();
        let mut sample = read(self.pid);
        while !settled(&sample) && start.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(50)).await;
            sample = read(self.pid);
        }
        self.samples.push(sample);
        sample
    }
}

/// Reads the present values.
fn read(pid: Pid) -> Sample {
    let status = proc::read(pid, "status");
    Sample {
        rss: proc::number(&status, "VmRSS"),
        anon: proc::number(&status, "RssAnon"),
        descriptors: proc::descriptors(pid).len() as u64,
        threads: proc::number(&status, "Threads"),
        children: proc::children(pid).len() as u64,
        allocated: None,
    }
}

/// The meter detects leaks of a real process: memory, a descriptor, a zombie.
#[tokio::test]
async fn leaks_of_a_real_process_are_found() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;

    use crate::harness::process::{self, Process};

    for (leak, caught) in [
        (":", ""),
        ("hold=$hold$(printf '%0300000d' 0)", "RssAnon grows"),
        ("exec {new}< /dev/null", "descriptors at the end"),
        // A single child, which stays, long after the warm-up.
        ("[ -n \"$gone\" ] || { gone=1; sleep 1000 & }", "children at the end"),
    ] {
        let late = if caught.starts_with("children") { "[ $n -lt 12 ] || " } else { "" };
        let script = format!("n=0; while read -r _; do n=$((n + 1)); {late}{leak}; echo done; done");
        let mut command = process::command("bash");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = Process::start("bash", &mut command);
        let (mut to, from) = (shell.child().stdin.take().unwrap(), shell.child().stdout.take().unwrap());
        let mut answers = BufReader::new(from).lines();
        let mut meter = Meter::of(shell.pid());
        for _ in 0..2 * FEWEST {
            to.write_all(b"go on\n").unwrap();
            assert_eq!(answers.next().unwrap().unwrap(), "done");
            meter.samples.push(read(shell.pid()));
        }
        // Kill the group before the shell's input ends: while the shell exists, its group id is valid.
        drop(shell);
        let wrong = not_level(&meter.samples);
        if caught.is_empty() {
            assert_eq!(wrong, [""; 0], "{:?}", meter.samples);
        } else {
            assert!(wrong.iter().any(|wrong| wrong.contains(caught)), "{leak}: {wrong:?} in {:?}", meter.samples);
        }
    }
}
