//! What a process holds, from /proc.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::level::{FEWEST, Sample, not_level};
use crate::harness::Daemon;

/// How long a process may take to let go of what it has just used: a closed socket, a program that was killed.
const SETTLE: Duration = Duration::from_secs(3);
/// How long it may take at the end: a thread ends when it has been idle for 10 s.
const SETTLE_LAST: Duration = Duration::from_secs(20);

/// One process, measured again and again.
pub struct Meter {
    pid: Pid,
    samples: Vec<Sample>,
}

impl Meter {
    /// Of this process; nothing is measured yet.
    pub fn of(pid: Pid) -> Self {
        Self { pid, samples: Vec::new() }
    }

    /// Measures a process that is idle. Waits a limited time for what it has not released yet.
    pub async fn measure(&mut self) -> Sample {
        let fewest = self.fewest_descriptors();
        self.settle(SETTLE, |now| now.children == 0 && now.descriptors <= fewest).await
    }

    /// Measures an idle daemon, with what it has allocated.
    pub async fn measure_daemon(&mut self, daemon: &Daemon) -> Sample {
        self.measure().await;
        let allocated = daemon.allocated().await;
        let last = self.samples.last_mut().expect("it was just measured");
        last.allocated = allocated;
        *last
    }

    /// Measures a last time, when idle threads have ended; fails unless everything kept its level, and says what that is.
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

/// What it holds at this moment.
fn read(pid: Pid) -> Sample {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let status = fs::read_to_string(format!("{process}/status")).expect("the process runs");
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no {name}: {status}"))
    };
    Sample {
        rss: number("VmRSS"),
        anon: number("RssAnon"),
        descriptors: fs::read_dir(format!("{process}/fd")).expect("its descriptors").count() as u64,
        threads: number("Threads"),
        children: children(pid),
        allocated: None,
    }
}

/// Processes whose parent it is, those included that it has not waited for.
fn children(pid: Pid) -> u64 {
    let parent = pid.as_raw_nonzero().to_string();
    let is_child = |entry: &fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in brackets, may hold anything; state and parent follow it.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&parent))
    };
    fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).filter(is_child).count() as u64
}

/// The meter sees a real process leak: memory, a descriptor, a zombie.
#[tokio::test]
async fn a_process_that_leaks_is_caught() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;

    use crate::harness::process::{self, Process};

    for (leak, caught) in [
        (":", ""),
        ("hold=$hold$(printf '%0300000d' 0)", "RssAnon grows"),
        ("exec {new}< /dev/null", "descriptors at the end"),
        // One child, which stays, long after the warm-up.
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
        // Before its input ends, and with it the shell: as long as it is there, its group is known.
        drop(shell);
        let wrong = not_level(&meter.samples);
        if caught.is_empty() {
            assert_eq!(wrong, [""; 0], "{:?}", meter.samples);
        } else {
            assert!(wrong.iter().any(|wrong| wrong.contains(caught)), "{leak}: {wrong:?} in {:?}", meter.samples);
        }
    }
}
