//! A fleet whose server is away: when do its devices come back?
//!
//! Simulates many retry policies in virtual time. All streams are lost in the same second, the server is away for half an
//! hour, and then every attempt succeeds. Prints a histogram of the logins after the server's return, and of the attempts
//! in the whole time: `cargo run --example fleet`. Its tests hold the numbers to a bound.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use xmppd::config::model::Retry;
use xmppd::xmpp::retry::RetryPolicy;

/// Devices.
const FLEET: u64 = 1000;
/// How long the server is away, seconds.
const AWAY: u64 = 30 * 60;

/// What the fleet does, second by second from the loss of the streams on.
#[derive(Debug, Default)]
struct Timeline {
    /// Attempts that fail, by second.
    attempts: Vec<u64>,
    /// Logins, by second.
    logins: Vec<u64>,
}

/// TR-181's default schedule, with this `attempt`.
fn schedule(attempts: u32) -> Retry {
    Retry { attempts, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30720) }
}

/// Simulates the fleet; each device has one server.
fn simulate(settings: Retry) -> Timeline {
    let mut timeline = Timeline::default();
    for device in 0..FLEET {
        let rng = &mut StdRng::seed_from_u64(device);
        let mut policy = RetryPolicy::new(settings);
        let mut now = policy.stream_lost(Duration::ZERO, rng).wait();
        while now < Duration::from_secs(AWAY) {
            count(&mut timeline.attempts, now);
            now += policy.attempt_failed(true, Duration::ZERO, rng).wait();
        }
        count(&mut timeline.logins, now);
    }
    timeline
}

fn count(seconds: &mut Vec<u64>, at: Duration) {
    let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
    if seconds.len() <= second {
        seconds.resize(second + 1, 0);
    }
    seconds[second] += 1;
}

/// The most that happens in one second.
fn busiest(seconds: &[u64]) -> u64 {
    seconds.iter().copied().max().unwrap_or(0)
}

fn print(title: &str, seconds: &[u64], from: u64, bucket: u64) {
    println!("{title}; at most {} in one second", busiest(seconds));
    let step = usize::try_from(bucket).unwrap_or(1);
    let skip = usize::try_from(from).unwrap_or(0);
    let buckets: Vec<u64> =
        seconds.iter().skip(skip).copied().collect::<Vec<_>>().chunks(step).map(|chunk| chunk.iter().sum()).collect();
    let largest = busiest(&buckets).max(1);
    let all: u64 = buckets.iter().sum();
    let mut shown = 0;
    for (n, sum) in buckets.iter().enumerate() {
        // The last of a hundred is a long thin line.
        if shown * 100 >= all * 98 {
            println!("     later {:>5}", all - shown);
            break;
        }
        shown += sum;
        let bar = "#".repeat(usize::try_from(sum * 60 / largest).unwrap_or(0));
        println!("  {:>6} s {sum:>5} {bar}", from + bucket * n as u64);
    }
    println!();
}

fn main() {
    for (title, attempts) in [("TR-181's default schedule (attempt 16)", 16), ("attempt 0", 0)] {
        let timeline = simulate(schedule(attempts));
        println!("{title}: {FLEET} devices, server away for {AWAY} s\n");
        print("Failed attempts", &timeline.attempts, 0, 60);
        let bucket = if attempts == 0 { 15 } else { 240 };
        print("Logins", &timeline.logins, AWAY, bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
