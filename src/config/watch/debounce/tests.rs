use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Debounce, MAX_DEFERRED, MAX_EMPTY, RETRY, SETTLED};
use crate::config::watch::file_event::ConfigFile::{Cwmp, Xmpp};
use crate::config::watch::file_event::FileEvent::{Changed, Created, Writing};
use crate::file::Contents;

const MODIFIED: SystemTime = SystemTime::UNIX_EPOCH;

fn contents(text: &str) -> Contents {
    Contents { text: Zeroizing::new(text.into()), mode: 0o600, modified: MODIFIED }
}

fn at(start: Instant) -> impl Fn(u64) -> Instant {
    move |ms| start + Duration::from_millis(ms)
}

#[test]
fn a_change_is_read_once_50_ms_after_the_last() {
    let at = at(Instant::now());
    let mut debounce = Debounce::default();
    assert_eq!((debounce.due(), debounce.take_due(at(0))), (None, None));
    debounce.record(Xmpp, Changed, at(0));
    debounce.record(Xmpp, Changed, at(40));
    assert_eq!((debounce.due(), debounce.take_due(at(89))), (Some(at(90)), None));
    assert_eq!((debounce.take_due(at(90)), debounce.take_due(at(90))), (Some(Xmpp), None));
    assert_eq!(debounce.due(), None);
}

#[test]
fn the_cwmp_file_is_read_first() {
    let at = at(Instant::now());
    let mut debounce = Debounce::default();
    debounce.record(Xmpp, Changed, at(0));
    debounce.record(Cwmp, Changed, at(10));
    assert_eq!((debounce.take_due(at(60)), debounce.take_due(at(60))), (Some(Cwmp), Some(Xmpp)));
}

#[test]
fn a_file_is_not_read_while_it_is_being_written() {
    let at = at(Instant::now());
    let mut debounce = Debounce::default();
    debounce.record(Xmpp, Writing, at(0));
    assert_eq!(debounce.due(), None, "its closing will be reported");
    debounce.record(Xmpp, Changed, at(10));
    debounce.record(Xmpp, Writing, at(900));
    assert_eq!(debounce.due(), Some(at(1900)), "stalled");
    debounce.request(Xmpp, at(950));
    assert_eq!(debounce.due(), Some(at(1900)), "a request does not bring it forward");
    debounce.record(Xmpp, Changed, at(1000));
    assert_eq!(debounce.take_due(at(1000)), Some(Xmpp), "closed more than 500 ms after the first change");
    debounce.record(Cwmp, Created, at(2000));
    assert_eq!(debounce.due(), Some(at(3000)));
}

#[test]
fn a_file_is_read_500_ms_after_the_first_change_although_changes_go_on() {
    let at = at(Instant::now());
    let mut debounce = Debounce::default();
    (0..=490).step_by(10).for_each(|ms| debounce.record(Xmpp, Changed, at(ms)));
    assert_eq!(debounce.due(), Some(at(500)));
}

#[test]
fn a_file_is_settled_50_ms_after_its_modification() {
    let at = at(Instant::now());
    for (age, expected) in [(0, false), (49, false), (50, true)] {
        let clock = MODIFIED + Duration::from_millis(age);
        assert_eq!(Debounce::default().accepts(Xmpp, &contents("#"), at(0), clock), expected, "{age}");
    }
    let future = MODIFIED - Duration::from_millis(1);
    assert!(Debounce::default().accepts(Xmpp, &contents("#"), at(0), future));
}

/// The number of times in a row that a file with this text is deferred. Checks that it is due again each time.
fn deferred(debounce: &mut Debounce, text: &str, now: Instant, clock: SystemTime) -> u32 {
    let mut times = 0;
    while !debounce.accepts(Xmpp, &contents(text), now, clock) {
        times += 1;
        debounce.record(Xmpp, Changed, now);
        assert_eq!(debounce.due(), Some(now + SETTLED), "a change does not bring it forward");
        assert_eq!(debounce.take_due(now + SETTLED), Some(Xmpp));
    }
    assert_eq!(debounce.due(), None);
    times
}

#[test]
fn a_file_that_has_not_settled_is_deferred_for_a_limited_time() {
    let now = Instant::now();
    let old = MODIFIED + Duration::from_secs(86_400);
    let mut debounce = Debounce::default();
    assert_eq!(deferred(&mut debounce, "#", now, old), 0);
    assert_eq!(deferred(&mut debounce, "#", now, MODIFIED), MAX_DEFERRED);
    assert_eq!(deferred(&mut debounce, "", now, old), MAX_EMPTY);
    assert_eq!(deferred(&mut debounce, "", now, MODIFIED), MAX_DEFERRED);
    // An empty file is deferred for the full time even after modified ones.
    for _ in 0..MAX_DEFERRED {
        assert!(!debounce.accepts(Xmpp, &contents("#"), now, MODIFIED));
    }
    assert_eq!(deferred(&mut debounce, "", now, old), MAX_EMPTY);
}

#[test]
fn the_first_file_at_boot_is_accepted_even_if_it_has_not_settled() {
    let now = Instant::now();
    let mut debounce = Debounce::default();
    debounce.request_any(Xmpp, now);
    assert_eq!(debounce.take_due(now), Some(Xmpp));
    assert!(debounce.accepts(Xmpp, &contents(""), now, MODIFIED));
    debounce.request(Xmpp, now);
    assert_eq!(debounce.take_due(now), Some(Xmpp));
    assert!(!debounce.accepts(Xmpp, &contents(""), now, MODIFIED), "only the first one");
    debounce.request(Xmpp, now);
    assert_eq!(debounce.due(), Some(now + SETTLED), "a request does not bring it forward");
}

#[test]
fn a_file_is_read_again_after_a_transient_error() {
    let now = Instant::now();
    let mut debounce = Debounce::default();
    debounce.failed(Xmpp, false, now);
    assert_eq!(debounce.due(), None);
    debounce.failed(Xmpp, true, now);
    assert_eq!(debounce.due(), Some(now + RETRY));
    debounce.request(Xmpp, now);
    assert_eq!(debounce.due(), Some(now), "a request brings it forward");
}
