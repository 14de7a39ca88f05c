//! A fleet whose server is away: when do its devices come back?
//!
//! Simulates many retry policies in virtual time. All streams are lost in the same second, the server is away for half an
//! hour, and then every attempt succeeds. Prints a histogram of the logins after the server's return, and of the attempts
//! in the whole time: `cargo run --example fleet`.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use xmppd::config::model::Retry;
use xmppd::xmpp::retry::Policy;

/// Devices.
pub(crate) const FLEET: u64 = 1000;
/// How long the server is away, seconds.
pub(crate) const AWAY: u64 = 30 * 60;

/// What the fleet does, second by second from the loss of the streams on.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// Attempts that fail, by second.
    pub(crate) attempts: Vec<u64>,
    /// Logins, by second.
    pub(crate) logins: Vec<u64>,
}

/// TR-181's default schedule, with so many attempts per address.
pub(crate) fn schedule(attempts: u32) -> Retry {
    Retry { attempts, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30720) }
}

/// Simulates the fleet; each device has one server with one address.
pub(crate) fn simulate(settings: Retry) -> Timeline {
    let mut timeline = Timeline::default();
    for device in 0..FLEET {
        let rng = &mut StdRng::seed_from_u64(device);
        let mut policy = Policy::new(settings);
        let mut now = policy.lost(Duration::from_secs(3600), Duration::ZERO, rng).wait();
        while now < Duration::from_secs(AWAY) {
            count(&mut timeline.attempts, now);
            now += policy.failed(true, Duration::ZERO, rng).wait();
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
pub(crate) fn busiest(seconds: &[u64]) -> u64 {
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
