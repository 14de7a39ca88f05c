//! Whole schedules, as a connection goes through them: their bounds, and that all of a window is used evenly.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// TR-181's own defaults.
const DEFAULTS: Retry =
    Retry { attempts: 16, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30_720) };

/// So many devices go through each schedule.
const DEVICES: u64 = 4000;

/// The waits of all devices, step by step; `last` says of each step whether it is the list's last address that fails.
fn waits(settings: Retry, steps: &[bool]) -> Vec<Vec<Next>> {
    let mut all = vec![Vec::new(); steps.len()];
    for device in 0..DEVICES {
        let (mut policy, rng) = (Policy::new(settings), &mut StdRng::seed_from_u64(device));
        for (step, &last) in steps.iter().enumerate() {
            let next = policy.failed(last, Duration::ZERO, rng);
            if matches!(next, Next::NewRound(_)) {
                policy.resolved();
            }
            all[step].push(next);
        }
    }
    all
}

/// Fails unless the waits fill this window, and evenly: chi square over 20 equal parts. With 19 degrees of freedom one
/// even draw in a hundred thousand is above 58; draws that crowd anywhere are far above it.
fn fill_evenly(step: &[Next], least: u64, most: u64, what: &str) {
    const PARTS: usize = 20;
    let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
    let mut parts = [0_u32; PARTS];
    for next in step {
        let wait = next.wait();
        assert!((least..=most).contains(&wait), "{what}: {wait:?} is not within {least:?}..{most:?}");
        let share = (wait.as_secs_f64() - least.as_secs_f64()) / (most.as_secs_f64() - least.as_secs_f64());
        let part = (0..PARTS - 1).find(|&part| share < f64::from(u8::try_from(part + 1).unwrap()) / 20.0);
        parts[part.unwrap_or(PARTS - 1)] += 1;
    }
    let expected = f64::from(u32::try_from(step.len()).unwrap()) / 20.0;
    let chi_square: f64 = parts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    assert!(chi_square < 58.0, "{what}: {parts:?} is not even (chi square {chi_square:.1})");
}

/// One address: its 16 attempts, and those of the next round.
#[test]
fn the_default_schedule() {
    let steps = waits(DEFAULTS, &[true; 32]);
    let windows = [60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 30_720];
    for (n, step) in steps.iter().enumerate() {
        let is_last = n % 16 == 15;
        assert!(step.iter().all(|next| matches!(next, Next::NewRound(_)) == is_last), "step {n}");
        // The list is used up: the wait before the next round is as long as it gets.
        let most = windows[(n % 16).min(9)];
        fill_evenly(step, 0, most, &format!("wait {n}"));
    }
}

/// `attempt 0`: two addresses, one wait for each round, from half of the window to all of it.
#[test]
fn the_schedule_that_is_left_to_us() {
    let steps = waits(Retry { attempts: 0, ..DEFAULTS }, &[false, true].repeat(14));
    for (round, pair) in steps.chunks(2).enumerate() {
        assert!(pair[0].iter().all(|next| *next == Next::NextAddress(Duration::ZERO)), "round {round}");
        let most = (1_u64 << round).min(300);
        let step: Vec<Next> = pair[1].iter().map(|next| double(*next)).collect();
        fill_evenly(&step, most, 2 * most, &format!("round {round}, doubled"));
    }
}

/// Whole seconds for the bounds, also where half of the window is half a second.
fn double(next: Next) -> Next {
    let Next::NewRound(wait) = next else { panic!("{next:?} ends no round") };
    Next::NewRound(wait * 2)
}

/// Three servers with two addresses each, and four attempts: each address begins with a first retry wait, of its own.
#[test]
fn several_servers_with_several_addresses_count_per_address() {
    let settings = Retry { attempts: 4, ..DEFAULTS };
    let round: Vec<bool> = (0..24).map(|attempt| attempt >= 20).collect();
    let steps = waits(settings, &round.repeat(2));
    for (n, step) in steps.iter().enumerate() {
        let (attempt, address, round) = (n % 4, n / 4 % 6, n / 24);
        let what = format!("attempt {attempt} at address {address} of round {round}");
        match (attempt, address) {
            (0..3, _) => {
                assert!(step.iter().all(|next| matches!(next, Next::Again(_))), "{what}");
                fill_evenly(step, 0, 60 << attempt, &what);
            }
            (_, 0..5) => assert!(step.iter().all(|next| *next == Next::NextAddress(Duration::ZERO)), "{what}"),
            _ => {
                assert!(step.iter().all(|next| matches!(next, Next::NewRound(_))), "{what}");
                // What was counted before is not forgotten with the list.
                fill_evenly(step, 0, 60 << (3 + 4 * round), &what);
            }
        }
    }
}

/// A policy that is changed in the middle goes on from where it is.
#[test]
fn a_changed_policy_keeps_its_count() {
    let mut all = Vec::new();
    for device in 0..DEVICES {
        let (mut policy, rng) = (Policy::new(DEFAULTS), &mut StdRng::seed_from_u64(device));
        for _ in 0..3 {
            policy.failed(true, Duration::ZERO, rng);
        }
        policy.update(Retry { initial: Duration::from_secs(1), multiplier: 10_000, ..DEFAULTS });
        assert_eq!(policy.attempt(), 4);
        all.push(policy.failed(true, Duration::ZERO, rng));
        // Fewer attempts than were made already: no more at this address.
        policy.update(Retry { attempts: 2, ..DEFAULTS });
        assert!(matches!(policy.failed(false, Duration::ZERO, rng), Next::NextAddress(_)));
    }
    fill_evenly(&all, 0, 1000, "the fourth wait of the new policy");
}

/// A network that has come back: from nothing to a first retry wait, whatever was counted.
#[test]
fn a_wait_that_is_cut_short() {
    let mut policy = Policy::new(DEFAULTS);
    let rng = &mut StdRng::seed_from_u64(7);
    for _ in 0..12 {
        policy.failed(true, Duration::ZERO, rng);
    }
    let all: Vec<Next> = (0..DEVICES).map(|_| Next::Again(policy.hurry(rng))).collect();
    fill_evenly(&all, 0, 60, "the wait");
}
