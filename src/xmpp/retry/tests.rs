mod schedule;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn settings(attempts: u32) -> Retry {
    Retry { attempts, initial: Duration::from_secs(60), multiplier: 2000, max: Duration::from_secs(30720) }
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// A policy after this many failed passes.
fn after_failed_passes(settings: Retry, passes: u32) -> RetryPolicy {
    let mut policy = RetryPolicy::new(settings);
    for _ in 0..passes {
        assert!(matches!(policy.attempt_failed(true, Duration::ZERO, &mut rng()), NextTry::Pass(_)));
    }
    policy
}

/// The longest of many waits, which is close to their window.
fn longest(mut next: impl FnMut(&mut StdRng) -> Duration) -> Duration {
    let rng = &mut rng();
    (0..2000).map(|_| next(rng)).max().unwrap_or_default()
}

fn about(actual: Duration, window: u64) {
    let window = Duration::from_secs(window);
    assert!(actual <= window && actual > window.mul_f64(0.98), "{actual:?} for a window of {window:?}");
}

#[test]
fn the_window_is_the_one_of_tr_181() {
    let settings = settings(16);
    let seconds: Vec<u64> = (1..=12).map(|n| window(&settings, n).as_secs()).collect();
    assert_eq!(seconds, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 30720, 30720]);
    assert_eq!(window(&settings, u32::MAX), settings.max);
}

#[test]
fn a_multiplier_of_one_keeps_the_window() {
    let settings = Retry { multiplier: 1000, ..settings(16) };
    assert_eq!(window(&settings, 1), window(&settings, 1000));
}

#[test]
fn a_pass_goes_through_the_whole_list_without_a_wait() {
    for attempts in [0, 1, 16] {
        let mut policy = RetryPolicy::new(settings(attempts));
        let rng = &mut rng();
        for pass in 1..=3 {
            for _ in 0..100 {
                assert_eq!(policy.pass(), pass);
                assert_eq!(policy.attempt_failed(false, Duration::ZERO, rng), NextTry::Server(Duration::ZERO));
            }
            assert!(matches!(policy.attempt_failed(true, Duration::ZERO, rng), NextTry::Pass(_)));
        }
    }
}

/// The number of servers and `attempt` do not matter.
#[test]
fn waits_grow_with_each_failed_pass() {
    for attempts in [1, 16] {
        let mut policy = RetryPolicy::new(settings(attempts));
        for window in [60, 120, 240] {
            policy.attempt_failed(false, Duration::ZERO, &mut rng());
            about(longest(|rng| policy.clone().attempt_failed(true, Duration::ZERO, rng).wait()), window);
            policy.attempt_failed(true, Duration::ZERO, &mut rng());
        }
    }
}

#[test]
fn attempt_0_waits_from_1_s_to_300_s() {
    let mut policy = RetryPolicy::new(settings(0));
    let rng = &mut rng();
    for pass in 1..=40_u32 {
        let NextTry::Pass(wait) = policy.attempt_failed(true, Duration::ZERO, rng) else { panic!("no new pass") };
        let all = Duration::from_secs(1 << (pass - 1).min(20)).min(OWN_LONGEST);
        assert!(wait >= all / 2 && wait <= all, "pass {pass}: {wait:?} of {all:?}");
    }
}

#[test]
fn a_lost_long_stream_is_followed_by_a_first_retry_wait() {
    for attempts in [0, 16] {
        let mut policy = after_failed_passes(settings(attempts), 5);
        policy.settle(Duration::from_secs(60));
        about(longest(|rng| policy.clone().stream_lost(Duration::ZERO, rng).wait()), 60);
        // That was the first retry; a failed pass comes before the second one.
        policy.stream_lost(Duration::ZERO, &mut rng());
        let second = if attempts == 0 { 1 } else { 120 };
        about(longest(|rng| policy.clone().attempt_failed(true, Duration::ZERO, rng).wait()), second);
    }
}

#[test]
fn a_short_stream_does_not_reset_the_count() {
    let mut policy = after_failed_passes(settings(16), 2);
    for window in [240, 480] {
        assert!(!policy.settle(Duration::from_secs(59)));
        about(longest(|rng| policy.clone().stream_lost(Duration::ZERO, rng).wait()), window);
        policy.stream_lost(Duration::ZERO, &mut rng());
    }
    assert_eq!(policy.pass(), 3);
}

#[test]
fn a_long_stream_resets_the_count() {
    let mut policy = after_failed_passes(settings(16), 5);
    assert!(policy.settle(Duration::from_secs(60)));
    assert_eq!(policy.pass(), 1);
    about(longest(|rng| policy.clone().attempt_failed(true, Duration::ZERO, rng).wait()), 60);
}

/// Arithmetic on the largest settings must not panic.
#[test]
fn the_largest_settings_are_only_long_waits() {
    let max = Duration::from_secs(u64::from(u32::MAX));
    let settings = Retry { attempts: u32::MAX, initial: Duration::from_secs(65_535), multiplier: u16::MAX, max };
    let mut policy = RetryPolicy::new(settings);
    let rng = &mut rng();
    for _ in 0..1000 {
        let wait = policy.attempt_failed(true, Duration::ZERO, rng).wait();
        assert!(wait <= max);
        assert!(tokio::time::Instant::now().checked_add(wait).is_some());
    }
    policy.stream_lost(policy.floor_after_conflict(), rng);
    assert!(policy.shorten_wait(rng) <= Duration::from_secs(65_535));
    (policy.failed_passes, policy.lost_streams) = (u32::MAX, u32::MAX);
    assert!(policy.attempt_failed(true, Duration::ZERO, rng).wait() <= max);
    assert!(policy.stream_lost(Duration::ZERO, rng).wait() <= max);
    assert_eq!(policy.pass(), u32::MAX);
}

#[test]
fn a_floor_holds_for_every_kind_of_wait() {
    let floor = Duration::from_secs(100_000);
    for attempts in [0, 2] {
        let mut policy = RetryPolicy::new(settings(attempts));
        let rng = &mut rng();
        assert_eq!(policy.attempt_failed(false, floor, rng), NextTry::Server(floor));
        assert_eq!(policy.attempt_failed(true, floor, rng), NextTry::Pass(floor));
        assert_eq!(policy.stream_lost(floor, rng), NextTry::Pass(floor));
    }
}

/// Half of `initial_retry_interval`; half of `retry_max_interval`, at most 300 s.
#[test]
fn refused_logins_and_conflicts_have_floors() {
    let floors = |max| {
        let policy = RetryPolicy::new(Retry { max: Duration::from_secs(max), ..settings(16) });
        (policy.floor_after_refusal().as_secs(), policy.floor_after_conflict().as_secs())
    };
    assert_eq!(floors(40), (30, 20));
    assert_eq!(floors(30_720), (30, 300));
}
