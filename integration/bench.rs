//! The benchmark: xmppd beside a CPE's client in C on libstrophe, with a real Prosody. `make bench` runs it.
//!
//! Both are measured in turn, in several rounds. The environment:
//!
//! - `BENCH_CLIENT`: the C client's program.
//! - `BENCH_XMPPD`: another xmppd in place of the one that is shipped.
//! - `BENCH_ROUNDS`: the number of rounds, by default 5.
//! - `BENCH_SHORT`: few repetitions, with the xmppd of the tests: shows that the benchmark runs; the figures mean nothing.
//! - `BENCH_ONLY`: the parts to run: flash, startup, latency, connreq, memory, logins, edits.
//! - `BENCH_OUT`: the directory of the results, by default `target/bench`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a tool for developers, in which a failed step ends the run"
)]

mod harness;

/// The parts of the benchmark.
mod bench {
    pub mod bus;
    pub mod connreq_tool;
    pub mod edits;
    pub mod figures;
    pub mod flash;
    pub mod fleet;
    pub mod lab;
    pub mod latency;
    pub mod plot;
    pub mod report;
    pub mod startup;
    pub mod usage;
}

use bench::figures::Figures;
use bench::lab::Lab;
use bench::{connreq_tool, edits, flash, fleet, latency, report, startup};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let wanted = |part| only.is_empty() || only.split(' ').any(|word| word == part);
    let lab = Lab::start().await;
    let mut figures = Figures::default();
    if wanted("flash") {
        flash::measure(&lab, &mut figures);
    }
    for round in 1..=lab.rounds {
        eprintln!("round {round} of {}", lab.rounds);
        if wanted("startup") {
            startup::measure(&lab, &mut figures).await;
        }
        if wanted("latency") {
            latency::measure(&lab, &mut figures).await;
        }
        if wanted("connreq") {
            connreq_tool::measure(&lab, &mut figures).await;
        }
        if wanted("memory") {
            fleet::memory(&lab, &mut figures).await;
        }
    }
    if wanted("logins") {
        fleet::logins(&lab, &mut figures).await;
    }
    if wanted("edits") {
        edits::measure(&lab, &mut figures).await;
    }
    report::write(&lab, &figures);
}
