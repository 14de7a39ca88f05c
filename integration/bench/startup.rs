//! From the start of the process until the server sees its presence, and what it uses when it is idle.

use std::time::Duration;

use super::figures::{Figures, Goal, ms};
use super::lab::{CANDIDATES, Candidate, Lab};
use super::usage;

/// Measures both in turn.
pub async fn measure(lab: &Lab, figures: &mut Figures) {
    for _ in 0..lab.repetitions(10, 1) {
        for candidate in CANDIDATES {
            let peer = lab.launch(candidate);
            let time = lab.online(&peer).await;
            figures.add("process start to presence", "ms", Goal::Ratio(0.33), candidate, ms(time));
            lab.end(peer).await;
        }
    }
    for candidate in CANDIDATES {
        idle(lab, figures, candidate).await;
    }
}

async fn idle(lab: &Lab, figures: &mut Figures, candidate: Candidate) {
    let peer = lab.launch(candidate);
    lab.online(&peer).await;
    lab.settle().await;
    let memory = |name| usage::memory(peer.pid(), name) as f64;
    figures.add("PSS, idle", "KiB", Goal::Ratio(0.80), candidate, memory("Pss"));
    figures.add("RSS, idle", "KiB", Goal::None, candidate, memory("Rss"));
    figures.add("private dirty, idle", "KiB", Goal::AtMost(500.0), candidate, memory("Private_Dirty"));
    let time = Duration::from_secs(lab.repetitions(60, 1) as u64);
    let wakeups = usage::wakeups(peer.pid(), time).await;
    figures.add("wake-ups, idle", "a minute", Goal::None, candidate, wakeups);
    lab.end(peer).await;
}
