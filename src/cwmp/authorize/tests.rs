use std::time::Duration;

use super::*;
use crate::config::model::Password;
use crate::cwmp::lockout::{LOCKED, MAX_FAILURES};

pub(super) const ONE: ConnectionId = ConnectionId(1);
pub(super) const TWO: ConnectionId = ConnectionId(2);

/// All inputs of a decision. A new case grants [`request`].
pub(super) struct Case {
    pub(super) general: General,
    pub(super) configured: Option<Credentials>,
    pub(super) history: History,
    pub(super) under_way: bool,
    pub(super) start: Instant,
}

impl Case {
    pub(super) fn new() -> Self {
        Self {
            general: General {
                enable: true,
                accepting: BTreeSet::from([ONE]),
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

    pub(super) fn decide_at(&mut self, request: &Request, milliseconds: u64) -> Decision {
        let now = self.start + Duration::from_millis(milliseconds);
        decide(&self.general, self.configured.as_ref(), &mut self.history, request, self.under_way, now)
    }

    pub(super) fn decide(&mut self, request: &Request) -> Decision {
        self.decide_at(request, 0)
    }
}

pub(super) fn secret(text: &str) -> Password {
    Password::from(text.to_owned())
}

pub(super) fn given(username: &str, password: &str) -> GivenCredentials {
    GivenCredentials { username: username.to_owned(), password: secret(password) }
}

pub(super) fn request() -> Request {
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

const LIMIT: Decision = Decision::Refuse(Refusal::Limit);
const LOCKED_OUT: Decision = Decision::Refuse(Refusal::Locked);
const CREDENTIALS: Decision = Decision::Refuse(Refusal::Credentials);

#[test]
fn a_valid_request_is_granted() {
    assert_eq!(Case::new().decide(&request()), Decision::Grant);
}

/// Each rule alone, and together with every rule below it: the first one decides.
#[test]
fn the_first_rule_that_applies_decides() {
    type Break = fn(&mut Case, &mut Request);
    let rows: [(Refusal, Break); 6] = [
        (Refusal::Disabled, |_, request| request.connection = TWO),
        (Refusal::Sender, |_, request| request.from = Some("stranger@a.test/r".to_owned())),
        (Refusal::Locked, |case, _| {
            for sender in ["acs@a.test", "stranger@a.test"] {
                for _ in 0..MAX_FAILURES {
                    case.history.lockout.record_failure(&BareJid::new(sender).unwrap(), case.start);
                }
            }
        }),
        (Refusal::Malformed, |_, request| request.credentials = None),
        (Refusal::Credentials, |_, request| {
            if request.credentials.is_some() {
                request.credentials = Some(given("u", "wrong"));
            }
        }),
        (Refusal::Limit, |case, _| case.history.notified.extend([case.start, case.start])),
    ];
    for (n, (expected, break_rule)) in rows.iter().enumerate() {
        let (mut case, mut alone) = (Case::new(), request());
        break_rule(&mut case, &mut alone);
        assert_eq!(case.decide(&alone), Decision::Refuse(*expected), "alone");
        let (mut case, mut all) = (Case::new(), request());
        for (_, break_rule) in &rows[n..] {
            break_rule(&mut case, &mut all);
        }
        assert_eq!(case.decide(&all), Decision::Refuse(*expected), "with every rule below it");
    }
}

#[test]
fn an_early_refusal_leaves_the_history_unchanged() {
    let mut case = Case::new();
    for _ in 0..2 * MAX_FAILURES {
        assert_eq!(case.decide(&Request { connection: TWO, ..wrong() }), Decision::Refuse(Refusal::Disabled));
        let stranger = Request { from: Some("x@a.test/r".to_owned()), ..wrong() };
        assert_eq!(case.decide(&stranger), Decision::Refuse(Refusal::Sender));
        let malformed = Request { credentials: None, ..request() };
        assert_eq!(case.decide(&malformed), Decision::Refuse(Refusal::Malformed));
    }
    assert_eq!(case.decide(&request()), Decision::Grant);
    assert_eq!(case.decide(&request()), Decision::Grant, "refused requests do not count against the limit");
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
        assert_eq!(decision, if right { Decision::Grant } else { CREDENTIALS }, "{username:?} {password:?}");
    }
    let mut case = Case::new();
    case.configured = Some(Credentials { username: secret("\u{fc}"), password: secret("p\u{20ac}") });
    assert_eq!(case.decide(&Request { credentials: Some(given("\u{fc}", "p\u{20ac}")), ..request() }), Decision::Grant);
    assert_eq!(case.decide(&Request { credentials: Some(given("u\u{308}", "p\u{20ac}")), ..request() }), CREDENTIALS);
}

#[test]
fn without_configured_credentials_every_request_is_refused() {
    let mut case = Case::new();
    case.configured = None;
    for credentials in [given("u", "p"), given("", "")] {
        assert_eq!(case.decide(&Request { credentials: Some(credentials), ..request() }), CREDENTIALS);
    }
    for (username, password) in [("", ""), ("u", ""), ("", "p")] {
        let mut case = Case::new();
        case.configured = Some(Credentials { username: secret(username), password: secret(password) });
        let same = Request { credentials: Some(given(username, password)), ..request() };
        assert_eq!(case.decide(&same), CREDENTIALS, "{username:?} {password:?}");
    }
}

#[test]
fn the_sender_is_the_one_stamped_by_the_server() {
    let account = "cpe@b.test";
    let cases: [(&[&str], Option<&str>, bool); 15] = [
        (&["acs@a.test"], Some("acs@a.test/r"), true),
        (&["acs@a.test"], Some("acs@a.test"), true),
        (&["acs@a.test"], Some("acs@a.test.evil.test/r"), false),
        (&["acs@a.test/r"], Some("acs@a.test/r2"), false),
        (&["a.test"], Some("acs@a.test/r"), false),
        (&[], Some("anyone@anywhere.test/r"), true),
        // Without `from`: the account's own server, in the account's name.
        (&[], None, false),
        (&["acs@a.test"], None, false),
        (&["b.test"], None, false),
        (&["cpe@b.test/r"], None, false),
        (&["cpe@b.test"], None, true),
        // An invalid JID is never allowed.
        (&[], Some(""), false),
        (&[], Some("@a.test"), false),
        (&[], Some("acs@a.test/"), false),
        (&["acs@a.test"], Some("acs@a.test/r\u{0}"), false),
    ];
    for (allowed, from, expected) in cases {
        let mut case = Case::new();
        case.general.allowed = allowed.iter().map(|jid| Jid::new(jid).unwrap()).collect();
        let request = Request { account: BareJid::new(account).unwrap(), from: from.map(str::to_owned), ..request() };
        let expected = if expected { Decision::Grant } else { Decision::Refuse(Refusal::Sender) };
        assert_eq!(case.decide(&request), expected, "{allowed:?} and {from:?}");
    }
}

#[test]
fn the_fifth_failure_locks_the_sender_out_for_exactly_60_s() {
    let mut case = Case::new();
    case.general.limit = 0;
    for n in 0..MAX_FAILURES as u64 {
        assert_eq!(case.decide_at(&wrong(), n), CREDENTIALS);
    }
    let locked_at = MAX_FAILURES as u64 - 1;
    let end = locked_at + u64::try_from(LOCKED.as_millis()).unwrap();
    assert_eq!(case.decide_at(&request(), locked_at), LOCKED_OUT, "credentials are not checked during a lock-out");
    assert_eq!(case.decide_at(&Request { credentials: None, ..request() }, end - 1), LOCKED_OUT);
    let elsewhere = Request { from: Some("acs@a.test/other".to_owned()), ..request() };
    assert_eq!(case.decide_at(&elsewhere, end - 1), LOCKED_OUT, "all resources of an account are one sender");
    assert_eq!(case.decide_at(&wrong(), end - 1), LOCKED_OUT, "a failure does not extend the lock-out");
    assert_eq!(case.decide_at(&request(), end), Decision::Grant);
    // The count starts again at zero.
    for n in 0..MAX_FAILURES as u64 - 1 {
        assert_eq!(case.decide_at(&wrong(), end + n), CREDENTIALS);
    }
    assert_eq!(case.decide_at(&request(), end + 10), Decision::Grant);
}

/// Failures at 0 s and four times later: the fifth locks out only if it comes less than 60 s after the first.
#[test]
fn a_failure_counts_for_exactly_60_s() {
    for (fifth, expected) in [(59_999, LOCKED_OUT), (60_000, Decision::Grant)] {
        let mut case = Case::new();
        for at in [0, 57_000, 58_000, 59_000, fifth] {
            assert_eq!(case.decide_at(&wrong(), at), CREDENTIALS);
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
            assert_eq!(case.decide(&wrong()), CREDENTIALS);
        }
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    for _ in 0..MAX_FAILURES {
        assert_eq!(case.decide(&wrong()), CREDENTIALS);
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
}

#[test]
fn a_lock_out_affects_its_sender_alone() {
    let mut case = Case::new();
    case.general.allowed.clear();
    for _ in 0..MAX_FAILURES {
        case.decide(&wrong());
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
    assert_eq!(case.decide(&Request { from: Some("other@a.test/r".to_owned()), ..request() }), Decision::Grant);
}

/// `connreq_limit` notifications within any `connreq_period`: a sliding window that excludes its end.
#[test]
fn the_limit_applies_to_a_sliding_window() {
    let mut case = Case::new();
    for (at, expected) in [
        (0, Decision::Grant),
        (59_000, Decision::Grant),
        (59_999, LIMIT),
        (60_000, Decision::Grant),
        (60_001, LIMIT),
        (118_999, LIMIT),
        (119_000, Decision::Grant),
        (119_001, LIMIT),
        (120_000, Decision::Grant),
    ] {
        assert_eq!(case.decide_at(&request(), at), expected, "at {at} ms");
    }
    assert!(case.history.notified.len() <= 2);
}

#[test]
fn a_request_that_shares_a_notification_is_not_counted() {
    let mut case = Case::new();
    assert_eq!(case.decide(&request()), Decision::Grant);
    case.under_way = true;
    for _ in 0..100 {
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    assert_eq!(case.decide(&wrong()), CREDENTIALS, "its credentials are checked nevertheless");
    case.under_way = false;
    assert_eq!(case.decide(&request()), Decision::Grant);
    assert_eq!(case.decide(&request()), LIMIT);
    case.under_way = true;
    assert_eq!(case.decide(&request()), Decision::Grant, "sharing is possible beyond the limit");
}

#[test]
fn a_limit_of_zero_disables_the_limit_and_records_nothing() {
    let mut case = Case::new();
    case.general.limit = 0;
    for _ in 0..100_000 {
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    assert!(case.history.notified.is_empty());
}

#[test]
fn a_lower_limit_applies_at_once() {
    let mut case = Case::new();
    case.decide(&request());
    case.general.limit = 1;
    assert_eq!(case.decide_at(&request(), 1), LIMIT);
    case.general.period = Duration::from_secs(1);
    assert_eq!(case.decide_at(&request(), 1000), Decision::Grant);
}

/// More notifications were sent than the lower limit allows: the latest ones count.
#[test]
fn after_lowering_the_limit_the_latest_notifications_count() {
    let mut case = Case::new();
    case.general.limit = 5;
    for at in [0, 10_000, 20_000, 30_000, 40_000] {
        assert_eq!(case.decide_at(&request(), at), Decision::Grant);
    }
    case.general.limit = 2;
    assert_eq!(case.decide_at(&request(), 89_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 90_000), Decision::Grant);
    assert_eq!(case.history.notified.len(), 2);
    case.general.limit = 0;
    assert_eq!(case.decide_at(&request(), 90_000), Decision::Grant);
}

/// A shorter and then a longer period: notifications older than the shorter one are still known.
#[test]
fn a_changed_period_applies_to_past_notifications() {
    let mut case = Case::new();
    let period = |case: &mut Case, seconds| case.general.period = Duration::from_secs(seconds);
    case.decide_at(&request(), 0);
    case.decide_at(&request(), 1_000);
    period(&mut case, 10);
    assert_eq!(case.decide_at(&request(), 9_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 10_000), Decision::Grant);
    period(&mut case, 86_400);
    assert_eq!(case.decide_at(&request(), 86_400_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 86_401_000), Decision::Grant);
}

#[test]
fn debug_output_holds_no_secret() {
    let mut case = Case::new();
    case.configured = Some(Credentials { username: secret("whoever"), password: secret("hunter2") });
    let request = Request { credentials: Some(given("whoever", "hunter2")), ..request() };
    case.decide(&request);
    let shown = format!("{request:?} {:?} {:?}", case.configured, case.history);
    assert!(!shown.contains("whoever") && !shown.contains("hunter2"), "{shown}");
}
