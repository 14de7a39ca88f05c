//! Simulates how a fleet comes back after the failure of a site, with xmppd's own retry policy in virtual time.
//!
//! `cargo run --example fleet [SVG]` simulates a million CPEs, prints a table, and draws the logins into the file.
//! docs/fleet.md has both, and what they mean. The tests simulate smaller fleets.

mod picture;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use xmppd::config::model::Retry;
use xmppd::xmpp::retry::RetryPolicy;

/// Number of CPEs.
const FLEET: u64 = 1_000_000;
/// Duration of the outage without a second site, seconds.
const OUTAGE: u64 = 30 * 60;

/// A failure, in which all streams are lost in the same second.
#[derive(Debug, Clone, Copy)]
struct Failure {
    /// Seconds until a server is there again; 0 if another site takes over.
    outage: u64,
    /// Logins per second that the servers accept. The attempts beyond fail.
    capacity: u64,
}

/// What the fleet does, by second since the failure.
#[derive(Debug, Default)]
struct Timeline {
    failed: Vec<u64>,
    logins: Vec<u64>,
}

impl Timeline {
    /// The largest number of attempts in one second, from this second on.
    fn busiest(&self, from: u64) -> u64 {
        let at = |seconds: &[u64], second: usize| seconds.get(second).copied().unwrap_or(0);
        let all = self.failed.len().max(self.logins.len());
        let from = usize::try_from(from).unwrap_or(all);
        (from..all).map(|second| at(&self.failed, second) + at(&self.logins, second)).max().unwrap_or(0)
    }

    /// Seconds since the failure until this share of the fleet was online, in percent.
    fn back(&self, percent: u64) -> u64 {
        let all: u64 = self.logins.iter().sum();
        let mut online = 0;
        let later = self.logins.iter().take_while(|logins| {
            online += *logins;
            online * 100 < all * percent
        });
        later.count() as u64
    }
}

/// TR-181's default schedule, with this `attempt`.
fn default_schedule(attempts: u32) -> Retry {
    Retry { attempts, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30720) }
}

/// What docs/fleet.md recommends: the first wait spreads the fleet over the time that its logins take, and the longest one
/// is four times as long.
fn recommended(fleet: u64, capacity: u64) -> Retry {
    let initial = Duration::from_secs(fleet.div_ceil(capacity).max(60));
    Retry { attempts: 16, initial, multiplier: 2000, max: initial * 4 }
}

/// Simulates a fleet; each CPE attempts each site once in a pass.
fn simulate(fleet: u64, settings: Retry, failure: Failure) -> Timeline {
    let rng = &mut StdRng::seed_from_u64(fleet);
    let mut timeline = Timeline::default();
    let mut waiting: BTreeMap<u64, Vec<RetryPolicy>> = BTreeMap::new();
    for _ in 0..fleet {
        let mut policy = RetryPolicy::new(settings);
        let wait = policy.stream_lost(Duration::ZERO, rng).wait();
        waiting.entry(wait.as_secs()).or_default().push(policy);
    }
    while let Some((now, mut arrivals)) = waiting.pop_first() {
        let accepted = if now < failure.outage { 0 } else { failure.capacity };
        let logins = arrivals.len().min(usize::try_from(accepted).unwrap_or(usize::MAX));
        count(&mut timeline.logins, now, logins);
        count(&mut timeline.failed, now, arrivals.len() - logins);
        for mut policy in arrivals.drain(logins..) {
            let wait = policy.attempt_failed(true, Duration::ZERO, rng).wait();
            waiting.entry(now + wait.as_secs().max(1)).or_default().push(policy);
        }
    }
    timeline
}

fn count(seconds: &mut Vec<u64>, at: u64, number: usize) {
    let second = usize::try_from(at).unwrap_or(usize::MAX);
    if seconds.len() <= second {
        seconds.resize(second + 1, 0);
    }
    seconds[second] += number as u64;
}

/// `1 h 04 min`, `12 min`, `40 s`
fn time(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

fn main() -> ExitCode {
    let mut panels = Vec::new();
    println!(
        "| failure | logins/s | settings | most attempts in 1 s | failed attempts | 50 % back | 99 % back | all back |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (what, outage) in [("another site takes over", 0), ("30 min without a server", OUTAGE)] {
        for capacity in [500, 2000, 5000] {
            let schedules = [
                ("default", default_schedule(16)),
                ("`attempt` 0", default_schedule(0)),
                ("recommended", recommended(FLEET, capacity)),
            ];
            for (settings, schedule) in schedules {
                let timeline = simulate(FLEET, schedule, Failure { outage, capacity });
                println!(
                    "| {what} | {capacity} | {settings} | {} | {} | {} | {} | {} |",
                    timeline.busiest(outage),
                    timeline.failed.iter().skip(usize::try_from(outage).unwrap_or(0)).sum::<u64>(),
                    time(timeline.back(50)),
                    time(timeline.back(99)),
                    time(timeline.logins.len() as u64),
                );
                if capacity == 2000 {
                    panels.push((format!("{what}; {}", settings.replace('`', "")), timeline));
                }
            }
        }
    }
    let Some(file) = std::env::args_os().nth(1) else { return ExitCode::SUCCESS };
    if let Err(error) = std::fs::write(&file, picture::draw(&panels, 3 * 3600)) {
        eprintln!("{}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u64 = 1000;

    /// As many logins as there are attempts.
    const UNLIMITED: u64 = u64::MAX;

    #[test]
    fn logins_after_an_outage_are_spread_out() {
        for attempts in [0, 1, 16] {
            let timeline = simulate(SMALL, default_schedule(attempts), Failure { outage: OUTAGE, capacity: UNLIMITED });
            assert_eq!(timeline.logins.iter().sum::<u64>(), SMALL, "all log in");
            let most = timeline.busiest(OUTAGE);
            assert!(most <= SMALL / 50, "attempt {attempts}: {most} of {SMALL} log in within one second");
        }
    }

    #[test]
    fn the_first_attempts_after_the_loss_are_spread_out() {
        for attempts in [1, 16] {
            let timeline = simulate(SMALL, default_schedule(attempts), Failure { outage: OUTAGE, capacity: UNLIMITED });
            let most = timeline.busiest(0);
            assert!(most <= SMALL / 20, "attempt {attempts}: {most} of {SMALL} try within one second");
        }
    }

    #[test]
    fn no_more_than_the_capacity_log_in() {
        let timeline = simulate(SMALL, default_schedule(16), Failure { outage: 0, capacity: 2 });
        assert_eq!(timeline.logins.iter().sum::<u64>(), SMALL);
        assert_eq!(timeline.logins.iter().max(), Some(&2));
        assert!(timeline.back(50) < timeline.back(99));
    }

    /// 100 s are the least that 1,000 logins take.
    #[test]
    fn with_the_recommended_settings_few_attempts_fail_and_all_come_back_soon() {
        let failure = Failure { outage: 0, capacity: 10 };
        let default = simulate(SMALL, default_schedule(16), failure);
        let recommended = simulate(SMALL, recommended(SMALL, failure.capacity), failure);
        let failed = |timeline: &Timeline| timeline.failed.iter().sum::<u64>();
        assert!(failed(&recommended) * 2 < failed(&default), "{} and {}", failed(&recommended), failed(&default));
        assert!(recommended.back(99) <= 300, "{} s", recommended.back(99));
    }

    #[test]
    fn times_are_shown_in_their_largest_units() {
        assert_eq!([59, 60, 3599, 3600, 7500].map(time), ["59 s", "1 min", "59 min", "1 h 00 min", "2 h 05 min"]);
    }
}
