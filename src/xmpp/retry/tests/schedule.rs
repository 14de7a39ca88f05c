//! Whole schedules, as a connection goes through them: their bounds, and that all of a window is used evenly.

use super::*;

/// TR-181's own defaults.
const DEFAULTS: Retry =
    Retry { attempts: 16, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30_720) };

/// So many devices go through each schedule.
const DEVICES: u64 = 4000;

/// What follows each failed attempt of all devices, by attempt; `last` says of each attempt whether it is the last of its
/// pass.
fn schedules(settings: Retry, last: &[bool]) -> Vec<Vec<NextTry>> {
    let mut all = vec![Vec::new(); last.len()];
    for device in 0..DEVICES {
        let (mut policy, rng) = (RetryPolicy::new(settings), &mut StdRng::seed_from_u64(device));
        for (attempt, &last) in last.iter().enumerate() {
            all[attempt].push(policy.attempt_failed(last, Duration::ZERO, rng));
        }
    }
    all
}

/// Fails unless these begin new passes whose waits fill this window evenly: chi square over 20 equal parts. With 19 degrees
/// of freedom one even draw in a hundred thousand is above 58; draws that crowd anywhere are far above it.
fn fill_evenly(all: &[NextTry], least: f64, most: f64, what: &str) {
    const PARTS: usize = 20;
    let mut parts = [0_u32; PARTS];
    for next in all {
        let NextTry::Pass(wait) = next else { panic!("{what}: {next:?} is no new pass") };
        let wait = wait.as_secs_f64();
        assert!((least..=most).contains(&wait), "{what}: {wait} is not within {least}..{most}");
        let share = (wait - least) / (most - least);
        let part = (0..PARTS - 1).find(|&part| share < f64::from(u8::try_from(part + 1).unwrap()) / 20.0);
        parts[part.unwrap_or(PARTS - 1)] += 1;
    }
    let expected = f64::from(u32::try_from(all.len()).unwrap()) / 20.0;
    let chi_square: f64 = parts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    assert!(chi_square < 58.0, "{what}: {parts:?} is not even (chi square {chi_square:.1})");
}

/// One server: the waits grow to `retry_max_interval` and stay there, beyond the 16 passes of `attempt` too.
#[test]
fn the_default_schedule() {
    let windows = [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0, 15_360.0, 30_720.0];
    for (n, all) in schedules(DEFAULTS, &[true; 32]).iter().enumerate() {
        fill_evenly(all, 0.0, windows[n.min(9)], &format!("wait {n}"));
    }
}

/// `attempt 0`: one wait after each pass, from half of the window to all of it.
#[test]
fn the_schedule_that_is_left_to_us() {
    let all = schedules(Retry { attempts: 0, ..DEFAULTS }, &[false, true].repeat(14));
    for (pass, pair) in all.chunks(2).enumerate() {
        assert!(pair[0].iter().all(|next| *next == NextTry::Server(Duration::ZERO)), "pass {pass}");
        let most = f64::from(1_u16 << pass).min(300.0);
        fill_evenly(&pair[1], most / 2.0, most, &format!("pass {pass}"));
    }
}

/// Three servers: each pass attempts all three at once, and its wait depends on the number of the pass alone.
#[test]
fn several_servers_share_the_wait_of_their_pass() {
    for attempts in [1, 4, 16] {
        let all = schedules(Retry { attempts, ..DEFAULTS }, &[false, false, true].repeat(6));
        for (pass, of_pass) in all.chunks(3).enumerate() {
            let at_once = of_pass[..2].iter().flatten().all(|next| *next == NextTry::Server(Duration::ZERO));
            assert!(at_once, "pass {pass}");
            fill_evenly(&of_pass[2], 0.0, f64::from(60_u16 << pass), &format!("attempt {attempts}, pass {pass}"));
        }
    }
}

/// A policy that is changed in the middle goes on from where it is.
#[test]
fn a_changed_policy_keeps_its_count() {
    let mut all = Vec::new();
    for device in 0..DEVICES {
        let (mut policy, rng) = (RetryPolicy::new(DEFAULTS), &mut StdRng::seed_from_u64(device));
        for _ in 0..3 {
            policy.attempt_failed(true, Duration::ZERO, rng);
        }
        policy.update(Retry { initial: Duration::from_secs(1), multiplier: 10_000, ..DEFAULTS });
        assert_eq!(policy.pass(), 4);
        all.push(policy.attempt_failed(true, Duration::ZERO, rng));
    }
    fill_evenly(&all, 0.0, 1000.0, "the fourth wait of the new policy");
}

/// A network that has come back: from nothing to a first retry wait, whatever was counted.
#[test]
fn a_shortened_wait() {
    let policy = after_failed_passes(DEFAULTS, 12);
    let rng = &mut rng();
    let all: Vec<NextTry> = (0..DEVICES).map(|_| NextTry::Pass(policy.shorten_wait(rng))).collect();
    fill_evenly(&all, 0.0, 60.0, "the wait");
}
