//! What a process uses, from /proc.

use std::fs::{self, DirEntry};
use std::ops::Sub;
use std::time::Duration;

use rustix::process::Pid;

use crate::harness::proc;

/// Ticks in a second, in which the kernel gives the time of children.
const TICKS: u64 = 100;

/// CPU time.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// The process itself; its threads that have ended do not count.
    pub own: Duration,
    /// Its children that have ended and were waited for.
    pub children: Duration,
}

impl Cpu {
    /// What a process has used so far.
    pub fn of(pid: Pid) -> Self {
        // cutime and cstime.
        let ticks: u64 = [16, 17].into_iter().map(|field| proc::stat_field(pid, field)).sum();
        let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).expect("the process runs");
        // A thread may have just ended.
        let nanoseconds = |task: DirEntry| {
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            schedstat.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
        };
        let own = tasks.map(|task| nanoseconds(task.unwrap())).sum();
        Self { own: Duration::from_nanos(own), children: Duration::from_millis(ticks * 1000 / TICKS) }
    }

    /// Milliseconds of both.
    pub fn total_ms(&self) -> f64 {
        (self.own + self.children).as_secs_f64() * 1000.0
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { own: self.own.saturating_sub(earlier.own), children: self.children.saturating_sub(earlier.children) }
    }
}

/// Waits for this time. Returns how often a minute the main thread of a process has gone to sleep meanwhile: each of these was
/// a wake-up. xmppd's other threads end when they have had nothing to do for 10 s.
pub async fn wakeups(pid: Pid, time: Duration) -> f64 {
    let sleeps = || proc::number(&proc::read(pid, "status"), "voluntary_ctxt_switches");
    let before = sleeps();
    tokio::time::sleep(time).await;
    (sleeps() - before) as f64 * 60.0 / time.as_secs_f64()
}

/// A field of `smaps_rollup`, such as `Pss`, in KiB.
pub fn memory(pid: Pid, name: &str) -> u64 {
    proc::number(&proc::read(pid, "smaps_rollup"), name)
}

/// The anonymous memory that is resident, in KiB.
pub fn anonymous(pid: Pid) -> u64 {
    proc::number(&proc::read(pid, "status"), "RssAnon")
}
