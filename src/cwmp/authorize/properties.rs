//! The order of the rules whatever else is true of a request, and the history beside one that forgets nothing.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{select, subsequence};
use proptest::strategy::Strategy;

use super::tests::{Case, ONE, TWO, given, request, secret};
use super::*;
use crate::cwmp::lockout::{LOCKED, TRIES, WINDOW};

/// In the order of the table of `connection-requests`.
const RULES: [Refusal; 6] =
    [Refusal::Disabled, Refusal::Sender, Refusal::Locked, Refusal::Malformed, Refusal::Credentials, Refusal::Limit];

/// What is wrong with a request, and in which of many ways.
#[derive(Debug, Clone)]
struct Wrongs {
    rules: Vec<Refusal>,
    allowed: &'static str,
    stranger: Option<&'static str>,
    /// Configured user name and password, and those in the request.
    credentials: (Option<(&'static str, &'static str)>, (&'static str, &'static str)),
    limit: u16,
    under_way: bool,
}

fn wrongs() -> impl Strategy<Value = Wrongs> {
    let allowed = select(vec!["acs@a.test", "ACS@A.test/r", "component.test", "component.test/any"]);
    let stranger = select(vec![
        None,
        Some(""),
        Some("@a.test"),
        Some("a.test"),
        Some("x@a.test/r"),
        Some("acs@a.test.evil.test/r"),
        Some("acs@component.test"),
        Some("cpe@b.test"),
    ]);
    let credentials = select(vec![
        (Some(("u", "p")), ("u", "x")),
        (Some(("u", "p")), ("x", "p")),
        (Some(("u", "p")), ("", "")),
        (None, ("u", "p")),
        (None, ("", "")),
        (Some(("", "")), ("", "")),
        (Some(("u", "")), ("u", "")),
    ]);
    let rules = subsequence(RULES.to_vec(), 0..=RULES.len());
    (rules, allowed, stranger, credentials, 1..4_u16, any::<bool>()).prop_map(
        |(rules, allowed, stranger, credentials, limit, under_way)| Wrongs {
            rules,
            allowed,
            stranger,
            credentials,
            limit,
            under_way,
        },
    )
}

impl Wrongs {
    /// The rules among `rules` that apply: one that shares a notification is not limited.
    fn first(&self) -> Option<Refusal> {
        self.rules.iter().copied().find(|rule| !(self.under_way && *rule == Refusal::Limit))
    }

    fn case(&self) -> (Case, Request) {
        let (mut case, mut request) = (Case::new(), request());
        case.general.allowed = ["acs@a.test", "component.test"].map(|jid| Jid::new(jid).unwrap()).to_vec();
        case.general.limit = self.limit;
        case.under_way = self.under_way;
        request.from = Some(self.allowed.to_owned());
        for rule in &self.rules {
            match rule {
                Refusal::Disabled => request.connection = TWO,
                Refusal::Sender => request.from = self.stranger.map(str::to_owned),
                Refusal::Locked => {
                    // What is no JID is nobody who could be locked out.
                    let sender = request.from.as_deref().map_or(Ok(request.account.clone().into()), Jid::new);
                    if let Ok(sender) = sender {
                        (0..TRIES).for_each(|_| _ = case.history.lockout.wrong(&sender.to_bare(), case.start));
                    }
                }
                Refusal::Malformed => request.credentials = None,
                Refusal::Credentials => {
                    let (configured, (username, password)) = self.credentials;
                    case.configured = configured.map(|(username, password)| Credentials {
                        username: secret(username),
                        password: secret(password),
                    });
                    request.credentials = request.credentials.map(|_| given(username, password));
                }
                Refusal::Limit => case.history.told.extend(vec![case.start; usize::from(self.limit)]),
            }
        }
        (case, request)
    }
}

proptest! {
    #[test]
    fn the_first_rule_that_applies_decides_whatever_else_does(wrongs in wrongs()) {
        let (mut case, request) = wrongs.case();
        prop_assert_eq!(case.decide(&request), wrongs.first().map_or(Decision::Grant, Decision::Refuse));
    }

    /// The request that is wrong in one way alone, and the one that is wrong in other ways below it as well.
    #[test]
    fn what_is_wrong_below_the_rule_that_decides_changes_nothing(wrongs in wrongs()) {
        let alone = Wrongs { rules: wrongs.first().into_iter().collect(), ..wrongs.clone() };
        let decide = |wrongs: &Wrongs| {
            let (mut case, request) = wrongs.case();
            case.decide(&request)
        };
        prop_assert_eq!(decide(&alone), decide(&wrongs));
    }

    /// Wrong credentials are noted against their sender, right ones end that, a telling of the CWMP client is noted as one;
    /// nothing else leaves a trace, so that nothing that is sent under a lock-out makes it longer.
    #[test]
    fn only_credentials_and_a_telling_change_the_history(wrongs in wrongs(), later in 0..60_000_u64) {
        let (mut case, request) = wrongs.case();
        let before = case.history.clone();
        let decision = case.decide_at(&request, later);
        let now = case.start + Duration::from_millis(later);
        let mut expected = before.clone();
        let sender = || Jid::new(request.from.as_deref().unwrap()).unwrap().to_bare();
        match decision {
            Decision::Refuse(Refusal::Credentials) => {
                expected.lockout.wrong(&sender(), now);
                prop_assert!(case.history.lockout != before.lockout);
            }
            Decision::Grant | Decision::Refuse(Refusal::Limit) => expected.lockout.right(&sender()),
            Decision::Refuse(_) => {}
        }
        if decision == Decision::Grant && !wrongs.under_way {
            expected.note_told(usize::from(wrongs.limit), now);
        }
        prop_assert_eq!(&case.history, &expected);
    }
}

/// What somebody does, so many milliseconds after the last one.
#[derive(Debug, Clone)]
struct Step {
    wait: u64,
    sender: &'static str,
    enabled: bool,
    /// Right or not; none = malformed.
    credentials: Option<bool>,
    under_way: bool,
    /// A new `connreq_period`.
    period: Option<u64>,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = select(vec![0, 0, 0, 1, 999, 1_000, 10_000, 29_999, 59_999, 60_000]);
    let sender = select(vec!["acs@a.test/1", "acs@a.test/2", "other@a.test/r", "component.test", "stranger@a.test/r"]);
    let credentials = select(vec![Some(true), Some(false), Some(false), Some(false), None]);
    let period = option::weighted(0.1, select(vec![1, 60, 61, 86_400]));
    (wait, sender, any::<u8>(), credentials, any::<u8>(), period).prop_map(
        |(wait, sender, enabled, credentials, under_way, period)| Step {
            wait,
            sender,
            enabled: enabled % 16 != 0,
            credentials,
            under_way: under_way % 8 == 0,
            period,
        },
    )
}

/// The rules as they are written, with a memory that has no end.
#[derive(Default)]
struct Endless {
    wrong: Vec<(BareJid, Instant)>,
    locked: Vec<(BareJid, Instant)>,
    told: Vec<Instant>,
}

impl Endless {
    fn decide(&mut self, step: &Step, limit: u16, period: Duration, now: Instant) -> Decision {
        let sender = Jid::new(step.sender).unwrap().to_bare();
        let recent = |list: &[(BareJid, Instant)], time| {
            list.iter().filter(|(who, at)| *who == sender && now - *at < time).count()
        };
        if !step.enabled {
            return Decision::Refuse(Refusal::Disabled);
        }
        if sender.as_str().starts_with("stranger") {
            return Decision::Refuse(Refusal::Sender);
        }
        if recent(&self.locked, LOCKED) > 0 {
            return Decision::Refuse(Refusal::Locked);
        }
        match step.credentials {
            None => return Decision::Refuse(Refusal::Malformed),
            Some(false) => {
                self.wrong.push((sender.clone(), now));
                if recent(&self.wrong, WINDOW) >= TRIES {
                    self.locked.push((sender, now));
                }
                return Decision::Refuse(Refusal::Credentials);
            }
            Some(true) => self.wrong.retain(|(who, _)| *who != sender),
        }
        if limit != 0 && !step.under_way {
            if self.told.iter().filter(|at| now - **at < period).count() >= usize::from(limit) {
                return Decision::Refuse(Refusal::Limit);
            }
            self.told.push(now);
        }
        Decision::Grant
    }
}

proptest! {
    #[test]
    fn what_is_forgotten_would_not_have_decided(limit in 0..4_u16, steps in vec(step(), 1..150)) {
        let (mut case, mut endless) = (Case::new(), Endless::default());
        case.general.allowed = ["acs@a.test", "other@a.test", "component.test"].map(|jid| Jid::new(jid).unwrap()).to_vec();
        case.general.limit = limit;
        let mut at = 0;
        for step in &steps {
            at += step.wait;
            if let Some(seconds) = step.period {
                case.general.period = Duration::from_secs(seconds);
            }
            case.under_way = step.under_way;
            let request = Request {
                connection: if step.enabled { ONE } else { TWO },
                from: Some(step.sender.to_owned()),
                credentials: step.credentials.map(|right| given("u", if right { "p" } else { "x" })),
                ..request()
            };
            let now = case.start + Duration::from_millis(at);
            let expected = endless.decide(step, limit, case.general.period, now);
            prop_assert_eq!(case.decide_at(&request, at), expected, "{:?} at {} ms", step, at);
            prop_assert!(case.history.told.len() <= usize::from(limit));
        }
    }
}
