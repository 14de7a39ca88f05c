mod properties;

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::model::Password;
use crate::cwmp::lockout::{LOCKED, MAX_FAILURES};

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);

/// All inputs of a decision. A new case grants [`request`].
struct Case {
    general: General,
    configured: Option<Credentials>,
    history: History,
    under_way: bool,
    start: Instant,
}

impl Case {
    fn new() -> Self {
        Self {
            general: General {
                enable: true,
                accepts_requests: BTreeSet::from([ONE]),
                allowed: vec![Jid::new("acs@a.test").unwrap()],
                limit: 2,
                period: Duration::from_secs(60),
                ..General::default()
            },
            configured: Some(Credentials { username: secret("u"), password: secret("p") }),
            history: History::default(),
            under_way: false,
            start: Instant::now(),
        }
    }

    fn decide_at(&mut self, request: &Request, milliseconds: u64) -> Result<(), Refusal> {
        let now = self.start + Duration::from_millis(milliseconds);
        decide(&self.general, self.configured.as_ref(), &mut self.history, request, self.under_way, now)
    }

    fn decide(&mut self, request: &Request) -> Result<(), Refusal> {
        self.decide_at(request, 0)
    }
}

fn secret(text: &str) -> Password {
    Password::from(text.to_owned())
}

fn given(username: &str, password: &str) -> GivenCredentials {
    GivenCredentials { username: username.to_owned(), password: secret(password) }
}

fn request() -> Request {
    Request {
        connection: ONE,
        account: BareJid::new("cpe@b.test").unwrap(),
        from: Some("acs@a.test/r".to_owned()),
        credentials: Some(given("u", "p")),
    }
}

fn wrong() -> Request {
    Request { credentials: Some(given("u", "x")), ..request() }
}

const LIMIT: Result<(), Refusal> = Err(Refusal::Limit);
const WRONG: Result<(), Refusal> = Err(Refusal::WrongCredentials);
/// By a lock-out that begins now.
const LOCKED_OUT: Result<(), Refusal> = Err(Refusal::LockedOut { left: LOCKED });

#[test]
fn a_valid_request_is_granted() {
    assert_eq!(Case::new().decide(&request()), Ok(()));
}

/// Each rule alone, and together with every rule below it: the first one decides.
#[test]
fn the_first_rule_that_applies_decides() {
    type Break = fn(&mut Case, &mut Request);
    let rows: [(Refusal, Break); 6] = [
        (Refusal::NotAccepting, |_, request| request.connection = TWO),
        (Refusal::UnlistedSender, |_, request| request.from = Some("stranger@a.test/r".to_owned())),
        (Refusal::LockedOut { left: LOCKED }, |case, _| {
            for sender in ["acs@a.test", "stranger@a.test"] {
                for _ in 0..MAX_FAILURES {
                    case.history.lockout.record_failure(&BareJid::new(sender).unwrap(), case.start);
                }
            }
        }),
        (Refusal::Malformed, |_, request| request.credentials = None),
        (Refusal::WrongCredentials, |_, request| {
            if request.credentials.is_some() {
                request.credentials = Some(given("u", "wrong"));
            }
        }),
        (Refusal::Limit, |case, _| case.history.notified.extend([case.start, case.start])),
    ];
    for (n, (expected, break_rule)) in rows.iter().enumerate() {
        let (mut case, mut alone) = (Case::new(), request());
        break_rule(&mut case, &mut alone);
        assert_eq!(case.decide(&alone), Err(*expected), "alone");
        let (mut case, mut all) = (Case::new(), request());
        for (_, break_rule) in &rows[n..] {
            break_rule(&mut case, &mut all);
        }
        assert_eq!(case.decide(&all), Err(*expected), "with every rule below it");
    }
}

#[test]
fn an_early_refusal_leaves_the_history_unchanged() {
    let mut case = Case::new();
    for _ in 0..2 * MAX_FAILURES {
        assert_eq!(case.decide(&Request { connection: TWO, ..wrong() }), Err(Refusal::NotAccepting));
        let stranger = Request { from: Some("x@a.test/r".to_owned()), ..wrong() };
        assert_eq!(case.decide(&stranger), Err(Refusal::UnlistedSender));
        let malformed = Request { credentials: None, ..request() };
        assert_eq!(case.decide(&malformed), Err(Refusal::Malformed));
    }
    assert_eq!(case.decide(&request()), Ok(()));
    assert_eq!(case.decide(&request()), Ok(()), "refused requests do not count against the limit");
}

#[test]
fn credentials_are_compared_byte_by_byte() {
    let cases = [
        ("u", "p", true),
        ("u", "P", false),
        ("U", "p", false),
        ("u", "pp", false),
        ("u", "", false),
        ("", "p", false),
        ("", "", false),
        ("p", "u", false),
        ("u ", "p", false),
        ("u", "p\0", false),
        ("up", "", false),
    ];
    for (username, password, right) in cases {
        let decision = Case::new().decide(&Request { credentials: Some(given(username, password)), ..request() });
        assert_eq!(decision, if right { Ok(()) } else { WRONG }, "{username:?} {password:?}");
    }
    let mut case = Case::new();
    case.configured = Some(Credentials { username: secret("\u{fc}"), password: secret("p\u{20ac}") });
    assert_eq!(case.decide(&Request { credentials: Some(given("\u{fc}", "p\u{20ac}")), ..request() }), Ok(()));
    assert_eq!(case.decide(&Request { credentials: Some(given("u\u{308}", "p\u{20ac}")), ..request() }), WRONG);
}

#[test]
fn without_configured_credentials_every_request_is_refused() {
    let mut case = Case::new();
    case.configured = None;
    for credentials in [given("u", "p"), given("", "")] {
        let request = Request { credentials: Some(credentials), ..request() };
        assert_eq!(case.decide(&request), Err(Refusal::NoCredentials));
    }
    for (username, password) in [("", ""), ("u", ""), ("", "p")] {
        let mut case = Case::new();
        case.configured = Some(Credentials { username: secret(username), password: secret(password) });
        let same = Request { credentials: Some(given(username, password)), ..request() };
        assert_eq!(case.decide(&same), WRONG, "{username:?} {password:?}");
    }
}

#[test]
fn the_sender_is_the_one_stamped_by_the_server() {
    let account = "cpe@b.test";
    let unlisted = Err(Refusal::UnlistedSender);
    let (no_sender, invalid) = (Err(Refusal::UnlistedAccount), Err(Refusal::InvalidSender));
    let cases: [(&[&str], _, _); 15] = [
        (&["acs@a.test"], Some("acs@a.test/r"), Ok(())),
        (&["acs@a.test"], Some("acs@a.test"), Ok(())),
        (&["acs@a.test"], Some("acs@a.test.evil.test/r"), unlisted),
        (&["acs@a.test/r"], Some("acs@a.test/r2"), unlisted),
        (&["a.test"], Some("acs@a.test/r"), unlisted),
        (&[], Some("anyone@anywhere.test/r"), Ok(())),
        // Without `from`: the account's own server, in the account's name.
        (&[], None, no_sender),
        (&["acs@a.test"], None, no_sender),
        (&["b.test"], None, no_sender),
        (&["cpe@b.test/r"], None, no_sender),
        (&["cpe@b.test"], None, Ok(())),
        // An invalid JID is never allowed.
        (&[], Some(""), invalid),
        (&[], Some("@a.test"), invalid),
        (&[], Some("acs@a.test/"), invalid),
        (&["acs@a.test"], Some("acs@a.test/r\u{0}"), invalid),
    ];
    for (allowed, from, expected) in cases {
        let mut case = Case::new();
        case.general.allowed = allowed.iter().map(|jid| Jid::new(jid).unwrap()).collect();
        let request = Request { account: BareJid::new(account).unwrap(), from: from.map(str::to_owned), ..request() };
        assert_eq!(case.decide(&request), expected, "{allowed:?} and {from:?}");
    }
}

#[test]
fn the_fifth_failure_locks_the_sender_out_for_exactly_60_s() {
    let mut case = Case::new();
    case.general.limit = 0;
    for n in 0..MAX_FAILURES as u64 {
        assert_eq!(case.decide_at(&wrong(), n), WRONG);
    }
    let locked_at = MAX_FAILURES as u64 - 1;
    let end = locked_at + u64::try_from(LOCKED.as_millis()).unwrap();
    assert_eq!(case.decide_at(&request(), locked_at), LOCKED_OUT, "credentials are not checked during a lock-out");
    let last = Err(Refusal::LockedOut { left: Duration::from_millis(1) });
    assert_eq!(case.decide_at(&Request { credentials: None, ..request() }, end - 1), last);
    let elsewhere = Request { from: Some("acs@a.test/other".to_owned()), ..request() };
    assert_eq!(case.decide_at(&elsewhere, end - 1), last, "all resources of an account are one sender");
    assert_eq!(case.decide_at(&wrong(), end - 1), last, "a failure does not extend the lock-out");
    assert_eq!(case.decide_at(&request(), end), Ok(()));
    // The count starts again at zero.
    for n in 0..MAX_FAILURES as u64 - 1 {
        assert_eq!(case.decide_at(&wrong(), end + n), WRONG);
    }
    assert_eq!(case.decide_at(&request(), end + 10), Ok(()));
}

/// Failures at 0 s and four times later: the fifth locks out only if it comes less than 60 s after the first.
#[test]
fn a_failure_counts_for_exactly_60_s() {
    for (fifth, expected) in [(59_999, LOCKED_OUT), (60_000, Ok(()))] {
        let mut case = Case::new();
        for at in [0, 57_000, 58_000, 59_000, fifth] {
            assert_eq!(case.decide_at(&wrong(), at), WRONG);
        }
        assert_eq!(case.decide_at(&request(), fifth), expected, "the fifth at {fifth} ms");
    }
}

#[test]
fn right_credentials_reset_the_failures() {
    let mut case = Case::new();
    case.general.limit = 0;
    for _ in 0..3 {
        for _ in 0..MAX_FAILURES - 1 {
            assert_eq!(case.decide(&wrong()), WRONG);
        }
        assert_eq!(case.decide(&request()), Ok(()));
    }
    for _ in 0..MAX_FAILURES {
        assert_eq!(case.decide(&wrong()), WRONG);
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
}

#[test]
fn a_lock_out_affects_its_sender_alone() {
    let mut case = Case::new();
    case.general.allowed.clear();
    for _ in 0..MAX_FAILURES {
        assert_eq!(case.decide(&wrong()), WRONG);
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
    assert_eq!(case.decide(&Request { from: Some("other@a.test/r".to_owned()), ..request() }), Ok(()));
}

/// `connreq_limit` notifications within any `connreq_period`: a sliding window that excludes its end.
#[test]
fn the_limit_applies_to_a_sliding_window() {
    let mut case = Case::new();
    for (at, expected) in [
        (0, Ok(())),
        (59_000, Ok(())),
        (59_999, LIMIT),
        (60_000, Ok(())),
        (60_001, LIMIT),
        (118_999, LIMIT),
        (119_000, Ok(())),
        (119_001, LIMIT),
        (120_000, Ok(())),
    ] {
        assert_eq!(case.decide_at(&request(), at), expected, "at {at} ms");
    }
    assert!(case.history.notified.len() <= 2);
}

#[test]
fn a_request_that_shares_a_notification_is_not_counted() {
    let mut case = Case::new();
    assert_eq!(case.decide(&request()), Ok(()));
    case.under_way = true;
    for _ in 0..100 {
        assert_eq!(case.decide(&request()), Ok(()));
    }
    assert_eq!(case.decide(&wrong()), WRONG, "its credentials are checked nevertheless");
    case.under_way = false;
    assert_eq!(case.decide(&request()), Ok(()));
    assert_eq!(case.decide(&request()), LIMIT);
    case.under_way = true;
    assert_eq!(case.decide(&request()), Ok(()), "sharing is possible beyond the limit");
}

#[test]
fn a_limit_of_zero_disables_the_limit_and_records_nothing() {
    let mut case = Case::new();
    case.general.limit = 0;
    for _ in 0..100_000 {
        assert_eq!(case.decide(&request()), Ok(()));
    }
    assert!(case.history.notified.is_empty());
}

#[test]
fn a_lower_limit_applies_at_once() {
    let mut case = Case::new();
    assert_eq!(case.decide(&request()), Ok(()));
    case.general.limit = 1;
    assert_eq!(case.decide_at(&request(), 1), LIMIT);
    case.general.period = Duration::from_secs(1);
    assert_eq!(case.decide_at(&request(), 1000), Ok(()));
}

/// More notifications were sent than the lower limit allows: the latest ones count.
#[test]
fn after_lowering_the_limit_the_latest_notifications_count() {
    let mut case = Case::new();
    case.general.limit = 5;
    for at in [0, 10_000, 20_000, 30_000, 40_000] {
        assert_eq!(case.decide_at(&request(), at), Ok(()));
    }
    case.general.limit = 2;
    assert_eq!(case.decide_at(&request(), 89_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 90_000), Ok(()));
    assert_eq!(case.history.notified.len(), 2);
    case.general.limit = 0;
    assert_eq!(case.decide_at(&request(), 90_000), Ok(()));
}

/// A shorter and then a longer period: notifications older than the shorter one are still known.
#[test]
fn a_changed_period_applies_to_past_notifications() {
    let mut case = Case::new();
    let period = |case: &mut Case, seconds| case.general.period = Duration::from_secs(seconds);
    for at in [0, 1_000] {
        assert_eq!(case.decide_at(&request(), at), Ok(()));
    }
    period(&mut case, 10);
    assert_eq!(case.decide_at(&request(), 9_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 10_000), Ok(()));
    period(&mut case, 86_400);
    assert_eq!(case.decide_at(&request(), 86_400_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 86_401_000), Ok(()));
}

#[test]
fn debug_output_holds_no_secret() {
    let mut case = Case::new();
    case.configured = Some(Credentials { username: secret("somename"), password: secret("hunter2") });
    let request = Request { credentials: Some(given("somename", "hunter2")), ..request() };
    assert_eq!(case.decide(&request), Ok(()));
    let shown = format!("{request:?} {:?} {:?}", case.configured, case.history);
    assert!(!shown.contains("somename") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_log_names_the_rest_of_a_lock_out_in_whole_seconds() {
    for (left, expected) in [(1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
        let refusal = Refusal::LockedOut { left: Duration::from_millis(left) };
        let expected = format!("the sender is locked out for {expected} s more after too many wrong credentials");
        assert_eq!(refusal.to_string(), expected);
    }
}
