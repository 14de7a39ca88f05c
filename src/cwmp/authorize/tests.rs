use std::time::Duration;

use super::*;
use crate::config::model::Password;
use crate::cwmp::lockout::{LOCKED, TRIES};

pub(super) const ONE: ConnectionId = ConnectionId(1);
pub(super) const TWO: ConnectionId = ConnectionId(2);

/// Everything that a decision is made from; as it is made, it is granted.
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
fn a_request_with_nothing_wrong_is_granted() {
    assert_eq!(Case::new().decide(&request()), Decision::Grant);
}

/// Each row of the table of `connection-requests`, with everything below it wrong as well: the first one decides.
#[test]
fn the_first_rule_that_applies_decides() {
    type Spoil = fn(&mut Case, &mut Request);
    let rows: [(Refusal, Spoil); 6] = [
        (Refusal::Disabled, |_, request| request.connection = TWO),
        (Refusal::Sender, |_, request| request.from = Some("stranger@a.test/r".to_owned())),
        (Refusal::Locked, |case, _| {
            for sender in ["acs@a.test", "stranger@a.test"] {
                for _ in 0..TRIES {
                    case.history.lockout.wrong(&BareJid::new(sender).unwrap(), case.start);
                }
            }
        }),
        (Refusal::Malformed, |_, request| request.credentials = None),
        (Refusal::Credentials, |_, request| {
            if request.credentials.is_some() {
                request.credentials = Some(given("u", "wrong"));
            }
        }),
        (Refusal::Limit, |case, _| case.history.told.extend([case.start, case.start])),
    ];
    for (n, (expected, spoil)) in rows.iter().enumerate() {
        let (mut case, mut alone) = (Case::new(), request());
        spoil(&mut case, &mut alone);
        assert_eq!(case.decide(&alone), Decision::Refuse(*expected), "alone");
        let (mut case, mut all) = (Case::new(), request());
        for (_, spoil) in &rows[n..] {
            spoil(&mut case, &mut all);
        }
        assert_eq!(case.decide(&all), Decision::Refuse(*expected), "with all that follows");
    }
}

#[test]
fn a_request_that_is_refused_early_leaves_no_trace() {
    let mut case = Case::new();
    for _ in 0..2 * TRIES {
        assert_eq!(case.decide(&Request { connection: TWO, ..wrong() }), Decision::Refuse(Refusal::Disabled));
        let stranger = Request { from: Some("x@a.test/r".to_owned()), ..wrong() };
        assert_eq!(case.decide(&stranger), Decision::Refuse(Refusal::Sender));
        let malformed = Request { credentials: None, ..request() };
        assert_eq!(case.decide(&malformed), Decision::Refuse(Refusal::Malformed));
    }
    assert_eq!(case.decide(&request()), Decision::Grant);
    assert_eq!(case.decide(&request()), Decision::Grant, "what was refused costs nothing of the limit");
}

#[test]
fn the_credentials_are_the_configured_ones_to_the_byte() {
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
fn without_configured_credentials_nothing_is_right() {
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
fn the_sender_is_whom_the_server_names() {
    let account = "cpe@b.test";
    let cases: [(&[&str], Option<&str>, bool); 15] = [
        (&["acs@a.test"], Some("acs@a.test/r"), true),
        (&["acs@a.test"], Some("acs@a.test"), true),
        (&["acs@a.test"], Some("acs@a.test.evil.test/r"), false),
        (&["acs@a.test/r"], Some("acs@a.test/r2"), false),
        (&["a.test"], Some("acs@a.test/r"), false),
        (&[], Some("anyone@anywhere.test/r"), true),
        // No `from`: the account's own server, in the account's name.
        (&[], None, false),
        (&["acs@a.test"], None, false),
        (&["b.test"], None, false),
        (&["cpe@b.test/r"], None, false),
        (&["cpe@b.test"], None, true),
        // What is no JID is nobody, whoever is allowed.
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
fn the_fifth_wrong_try_within_60_s_locks_for_60_s_and_to_the_millisecond() {
    let mut case = Case::new();
    case.general.limit = 0;
    for n in 0..TRIES as u64 {
        assert_eq!(case.decide_at(&wrong(), n), CREDENTIALS);
    }
    let locked_at = TRIES as u64 - 1;
    let end = locked_at + u64::try_from(LOCKED.as_millis()).unwrap();
    assert_eq!(case.decide_at(&request(), locked_at), LOCKED_OUT, "the right credentials are not looked at");
    assert_eq!(case.decide_at(&Request { credentials: None, ..request() }, end - 1), LOCKED_OUT);
    let elsewhere = Request { from: Some("acs@a.test/other".to_owned()), ..request() };
    assert_eq!(case.decide_at(&elsewhere, end - 1), LOCKED_OUT, "another resource is the same sender");
    assert_eq!(case.decide_at(&wrong(), end - 1), LOCKED_OUT, "and does not make it longer");
    assert_eq!(case.decide_at(&request(), end), Decision::Grant);
    // The count begins anew.
    for n in 0..TRIES as u64 - 1 {
        assert_eq!(case.decide_at(&wrong(), end + n), CREDENTIALS);
    }
    assert_eq!(case.decide_at(&request(), end + 10), Decision::Grant);
}

/// At 0 s and four times later: the fifth is counted with the first for as long as that is less than 60 s ago.
#[test]
fn a_wrong_try_counts_for_60_s_and_to_the_millisecond() {
    for (fifth, expected) in [(59_999, LOCKED_OUT), (60_000, Decision::Grant)] {
        let mut case = Case::new();
        for at in [0, 57_000, 58_000, 59_000, fifth] {
            assert_eq!(case.decide_at(&wrong(), at), CREDENTIALS);
        }
        assert_eq!(case.decide_at(&request(), fifth), expected, "the fifth at {fifth} ms");
    }
}

#[test]
fn right_credentials_in_between_begin_the_count_anew() {
    let mut case = Case::new();
    case.general.limit = 0;
    for _ in 0..3 {
        for _ in 0..TRIES - 1 {
            assert_eq!(case.decide(&wrong()), CREDENTIALS);
        }
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    for _ in 0..TRIES {
        assert_eq!(case.decide(&wrong()), CREDENTIALS);
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
}

#[test]
fn one_sender_s_lock_out_is_not_another_s() {
    let mut case = Case::new();
    case.general.allowed.clear();
    for _ in 0..TRIES {
        case.decide(&wrong());
    }
    assert_eq!(case.decide(&request()), LOCKED_OUT);
    assert_eq!(case.decide(&Request { from: Some("other@a.test/r".to_owned()), ..request() }), Decision::Grant);
}

/// `connreq_limit` times within any `connreq_period`: a window that slides, open again at its very end.
#[test]
fn the_limit_holds_for_any_period() {
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
    assert!(case.history.told.len() <= 2);
}

#[test]
fn a_request_that_shares_a_notification_costs_nothing() {
    let mut case = Case::new();
    assert_eq!(case.decide(&request()), Decision::Grant);
    case.under_way = true;
    for _ in 0..100 {
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    assert_eq!(case.decide(&wrong()), CREDENTIALS, "and is checked all the same");
    case.under_way = false;
    assert_eq!(case.decide(&request()), Decision::Grant);
    assert_eq!(case.decide(&request()), LIMIT);
    case.under_way = true;
    assert_eq!(case.decide(&request()), Decision::Grant, "sharing is possible over the limit, too");
}

#[test]
fn a_limit_of_zero_is_none_and_is_not_remembered() {
    let mut case = Case::new();
    case.general.limit = 0;
    for _ in 0..100_000 {
        assert_eq!(case.decide(&request()), Decision::Grant);
    }
    assert!(case.history.told.is_empty());
}

#[test]
fn a_lower_limit_holds_at_once() {
    let mut case = Case::new();
    case.decide(&request());
    case.general.limit = 1;
    assert_eq!(case.decide_at(&request(), 1), LIMIT);
    case.general.period = Duration::from_secs(1);
    assert_eq!(case.decide_at(&request(), 1000), Decision::Grant);
}

/// It was told more often than the lower limit allows: the last times are those that count.
#[test]
fn a_limit_below_what_was_told_already_waits_for_the_last_of_them() {
    let mut case = Case::new();
    case.general.limit = 5;
    for at in [0, 10_000, 20_000, 30_000, 40_000] {
        assert_eq!(case.decide_at(&request(), at), Decision::Grant);
    }
    case.general.limit = 2;
    assert_eq!(case.decide_at(&request(), 89_999), LIMIT);
    assert_eq!(case.decide_at(&request(), 90_000), Decision::Grant);
    assert_eq!(case.history.told.len(), 2);
    case.general.limit = 0;
    assert_eq!(case.decide_at(&request(), 90_000), Decision::Grant);
}

/// In both directions, and at once: what lies further back than the shorter period was not forgotten.
#[test]
fn a_period_that_is_changed_holds_for_what_was_told_before() {
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
fn nothing_secret_is_in_debug_output() {
    let mut case = Case::new();
    case.configured = Some(Credentials { username: secret("whoever"), password: secret("hunter2") });
    let request = Request { credentials: Some(given("whoever", "hunter2")), ..request() };
    case.decide(&request);
    let shown = format!("{request:?} {:?} {:?}", case.configured, case.history);
    assert!(!shown.contains("whoever") && !shown.contains("hunter2"), "{shown}");
}
