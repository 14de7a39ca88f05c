//! Connection requests: how long an answer takes, and what answering costs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::figures::{Figures, Goal, ms, percentile};
use super::lab::{CANDIDATES, CPE, Candidate, LIMIT, Lab, Peer};
use super::usage::Cpu;
use crate::harness::raw_client::attribute;
use crate::harness::stanzas::{assert_result, good_request, id};
use crate::harness::{ACS, RawClient, Server};

/// Time between two single requests.
const PAUSE: Duration = Duration::from_millis(20);

/// Requests under way at once.
const UNDER_WAY: usize = 32;

/// Measures both in turn.
pub async fn measure(lab: &Lab, figures: &mut Figures) {
    let mut acs = lab.prosody.raw_client(ACS).await;
    for candidate in CANDIDATES {
        let peer = lab.launch(candidate);
        lab.online(&peer).await;
        // Caches are warm then, as in a daemon that has run for a while.
        sequence(&mut acs, lab.repetitions(50, 2), Duration::ZERO).await;
        single(lab, figures, candidate, &mut acs).await;
        one_after_the_other(lab, figures, candidate, &mut acs, &peer).await;
        many(lab, figures, candidate, &mut acs, &peer).await;
        lab.end(peer).await;
    }
    acs.close().await;
}

async fn single(lab: &Lab, figures: &mut Figures, candidate: Candidate, acs: &mut RawClient) {
    let times = sequence(acs, lab.repetitions(300, 3), PAUSE).await;
    figures.add("single request, p50", "ms", Goal::Ratio(0.6), candidate, percentile(&times, 0.5).unwrap());
    figures.add("single request, p99", "ms", Goal::Ratio(0.6), candidate, percentile(&times, 0.99).unwrap());
    let shares = (0..=100_u32).map(|share| f64::from(share) / 100.0);
    let points = shares.map(|share| (percentile(&times, share).unwrap(), share * 100.0));
    figures.plot("single-requests", &format!("{candidate:?}"), points);
}

async fn one_after_the_other(lab: &Lab, figures: &mut Figures, candidate: Candidate, acs: &mut RawClient, peer: &Peer) {
    let count = lab.repetitions(1000, 20);
    let before = Cpu::of(peer.pid());
    let times = sequence(acs, count, Duration::ZERO).await;
    let used = Cpu::of(peer.pid()) - before;
    figures.add("1,000 requests in turn, p50", "ms", Goal::Ratio(0.6), candidate, percentile(&times, 0.5).unwrap());
    figures.add("1,000 requests in turn, p99", "ms", Goal::Ratio(0.6), candidate, percentile(&times, 0.99).unwrap());
    let thousands = count as f64 / 1000.0;
    figures.add("CPU per 1,000 requests in turn", "ms", Goal::Ratio(0.35), candidate, used.total_ms() / thousands);
    figures.add("of which its own", "ms", Goal::None, candidate, ms(used.own) / thousands);
}

async fn many(lab: &Lab, figures: &mut Figures, candidate: Candidate, acs: &mut RawClient, peer: &Peer) {
    let count = lab.repetitions(3000, 64);
    let before = Cpu::of(peer.pid());
    let start = Instant::now();
    let mut pending = HashSet::new();
    let mut sent = 0;
    while sent < count || !pending.is_empty() {
        let mut text = String::new();
        while sent < count && pending.len() < UNDER_WAY {
            let request = good_request(CPE);
            assert!(pending.insert(id(&request)));
            text.push_str(&request);
            sent += 1;
        }
        if !text.is_empty() {
            acs.send(&text).await;
        }
        let answer = acs.next(LIMIT).await.expect("an answer");
        assert_result(&answer);
        assert!(pending.remove(&attribute(&answer, "id")), "{answer}");
    }
    let used = Cpu::of(peer.pid()) - before;
    figures.add("3,000 requests, 32 under way", "ms", Goal::Ratio(0.25), candidate, ms(start.elapsed()));
    figures.add("CPU of these", "ms", Goal::None, candidate, used.total_ms());
}

/// Sends requests, each after the answer to the one before and this pause. Returns the milliseconds that each took.
async fn sequence(acs: &mut RawClient, count: usize, pause: Duration) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let request = good_request(CPE);
        let start = Instant::now();
        let answer = acs.ask(&request).await;
        times.push(ms(start.elapsed()));
        assert_result(&answer);
    }
    times
}
