//! No second sees more than a small share of a fleet's logins: the simulation of `examples/fleet.rs`, held to a number.
#![allow(clippy::missing_docs_in_private_items, reason = "a test needs no documentation")]

#[allow(dead_code, reason = "the example prints what the test counts")]
#[path = "../examples/fleet.rs"]
mod fleet;

use fleet::{FLEET, busiest, schedule, simulate};

/// 2 % of the fleet within one second: 20 logins of 1000.
const LARGEST_SHARE: f64 = 0.02;

fn share(seconds: &[u64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a thousand at most")]
    let share = busiest(seconds) as f64 / FLEET as f64;
    share
}

#[test]
fn after_an_outage_of_half_an_hour_the_fleet_comes_back_spread_out() {
    for attempts in [0, 1, 16] {
        let timeline = simulate(schedule(attempts));
        assert_eq!(timeline.logins.iter().sum::<u64>(), FLEET, "all come back");
        let logins = share(&timeline.logins);
        assert!(logins <= LARGEST_SHARE, "attempt {attempts}: {logins} of the fleet logs in within one second");
    }
}

/// The loss itself is what happens to all in the same second: the first attempts are spread over the first minute.
#[test]
fn the_first_attempts_after_the_loss_are_spread_out_too() {
    for attempts in [1, 16] {
        let attempts_made = simulate(schedule(attempts)).attempts;
        let share = share(&attempts_made);
        assert!(share <= 0.05, "attempt {attempts}: {share} of the fleet tries within one second");
    }
}
