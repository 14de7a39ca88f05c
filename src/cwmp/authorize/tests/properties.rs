//! Property tests: the order of the rules, and the bounded history against an unbounded one.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{select, subsequence};
use proptest::strategy::Strategy;

use super::*;
use crate::cwmp::lockout::{LOCKED, MAX_FAILURES, WINDOW};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Accepting,
    Sender,
    LockOut,
    Form,
    Credentials,
    Limit,
}

/// In the order in which they are checked.
const RULES: [Rule; 6] = [Rule::Accepting, Rule::Sender, Rule::LockOut, Rule::Form, Rule::Credentials, Rule::Limit];

impl From<Refusal> for Rule {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAccepting => Self::Accepting,
            Refusal::InvalidSender | Refusal::UnlistedSender | Refusal::UnlistedAccount => Self::Sender,
            Refusal::LockedOut { .. } => Self::LockOut,
            Refusal::Malformed => Self::Form,
            Refusal::NoCredentials | Refusal::WrongCredentials => Self::Credentials,
            Refusal::Limit => Self::Limit,
        }
    }
}

/// The rules that a request breaks, and how.
#[derive(Debug, Clone)]
struct Broken {
    rules: Vec<Rule>,
    allowed: &'static str,
    stranger: Option<&'static str>,
    /// Configured user name and password, and those of the request.
    credentials: (Option<(&'static str, &'static str)>, (&'static str, &'static str)),
    limit: u16,
    under_way: bool,
}

fn broken() -> impl Strategy<Value = Broken> {
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
        |(rules, allowed, stranger, credentials, limit, under_way)| Broken {
            rules,
            allowed,
            stranger,
            credentials,
            limit,
            under_way,
        },
    )
}

impl Broken {
    /// The first of `rules` that applies: a request that shares a notification is not limited.
    fn first(&self) -> Option<Rule> {
        self.rules.iter().copied().find(|rule| !(self.under_way && *rule == Rule::Limit))
    }

    fn case(&self) -> (Case, Request) {
        let (mut case, mut request) = (Case::new(), request());
        case.general.allowed = ["acs@a.test", "component.test"].map(|jid| Jid::new(jid).unwrap()).to_vec();
        case.general.limit = self.limit;
        case.under_way = self.under_way;
        request.from = Some(self.allowed.to_owned());
        for rule in &self.rules {
            match rule {
                Rule::Accepting => request.connection = TWO,
                Rule::Sender => request.from = self.stranger.map(str::to_owned),
                Rule::LockOut => {
                    // An invalid JID cannot be locked out.
                    let sender = request.from.as_deref().map_or(Ok(request.account.clone().into()), Jid::new);
                    if let Ok(sender) = sender {
                        (0..MAX_FAILURES)
                            .for_each(|_| _ = case.history.lockout.record_failure(&sender.to_bare(), case.start));
                    }
                }
                Rule::Form => request.credentials = None,
                Rule::Credentials => {
                    let (configured, (username, password)) = self.credentials;
                    case.configured = configured.map(|(username, password)| Credentials {
                        username: secret(username),
                        password: secret(password),
                    });
                    request.credentials = request.credentials.map(|_| given(username, password));
                }
                Rule::Limit => case.history.notified.extend(vec![case.start; usize::from(self.limit)]),
            }
        }
        (case, request)
    }
}

proptest! {
    #[test]
    fn the_first_broken_rule_decides(broken in broken()) {
        let (mut case, request) = broken.case();
        prop_assert_eq!(case.decide(&request).map_err(Rule::from), broken.first().map_or(Ok(()), Err));
    }

    /// Breaking further rules below the deciding one does not change the decision.
    #[test]
    fn rules_below_the_deciding_one_change_nothing(broken in broken()) {
        let alone = Broken { rules: broken.first().into_iter().collect(), ..broken.clone() };
        let decide = |broken: &Broken| {
            let (mut case, request) = broken.case();
            case.decide(&request)
        };
        prop_assert_eq!(decide(&alone), decide(&broken));
    }

    /// Wrong credentials are recorded for their sender, right ones reset them, a notification is recorded; nothing else
    /// changes the history, so requests during a lock-out do not extend it.
    #[test]
    fn only_credentials_and_notifications_change_the_history(broken in broken(), later in 0..60_000_u64) {
        let (mut case, request) = broken.case();
        let before = case.history.clone();
        let decision = case.decide_at(&request, later);
        let now = case.start + Duration::from_millis(later);
        let mut expected = before.clone();
        let sender = || Jid::new(request.from.as_deref().unwrap()).unwrap().to_bare();
        match decision {
            Err(Refusal::NoCredentials | Refusal::WrongCredentials) => {
                expected.lockout.record_failure(&sender(), now);
                prop_assert!(case.history.lockout != before.lockout);
            }
            Ok(()) | Err(Refusal::Limit) => expected.lockout.record_success(&sender()),
            Err(_) => {}
        }
        if decision == Ok(()) && !broken.under_way {
            expected.record_notification(usize::from(broken.limit), now);
        }
        prop_assert_eq!(&case.history, &expected);
    }
}

/// A request, `wait` milliseconds after the previous one.
#[derive(Debug, Clone)]
struct Step {
    wait: u64,
    sender: &'static str,
    accepting: bool,
    /// Whether they are right; `None`: malformed.
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
        |(wait, sender, accepting, credentials, under_way, period)| Step {
            wait,
            sender,
            accepting: accepting % 16 != 0,
            credentials,
            under_way: under_way % 8 == 0,
            period,
        },
    )
}

/// The rules with an unbounded history, as an oracle.
#[derive(Default)]
struct Oracle {
    failures: Vec<(BareJid, Instant)>,
    locked: Vec<(BareJid, Instant)>,
    notified: Vec<Instant>,
}

impl Oracle {
    fn decide(&mut self, step: &Step, limit: u16, period: Duration, now: Instant) -> Result<(), Refusal> {
        let sender = Jid::new(step.sender).unwrap().to_bare();
        if !step.accepting {
            return Err(Refusal::NotAccepting);
        }
        if sender.as_str().starts_with("stranger") {
            return Err(Refusal::UnlistedSender);
        }
        let mut ends = self.locked.iter().filter(|(who, _)| *who == sender).map(|(_, at)| *at + LOCKED);
        if let Some(end) = ends.find(|end| *end > now) {
            return Err(Refusal::LockedOut { left: end - now });
        }
        match step.credentials {
            None => return Err(Refusal::Malformed),
            Some(false) => {
                self.failures.push((sender.clone(), now));
                let recent = self.failures.iter().filter(|(who, at)| *who == sender && now - *at < WINDOW);
                if recent.count() >= MAX_FAILURES {
                    self.locked.push((sender, now));
                }
                return Err(Refusal::WrongCredentials);
            }
            Some(true) => self.failures.retain(|(who, _)| *who != sender),
        }
        if limit != 0 && !step.under_way {
            if self.notified.iter().filter(|at| now - **at < period).count() >= usize::from(limit) {
                return Err(Refusal::Limit);
            }
            self.notified.push(now);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_bounded_history_decides_like_an_unbounded_one(limit in 0..4_u16, steps in vec(step(), 1..150)) {
        let (mut case, mut oracle) = (Case::new(), Oracle::default());
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
                connection: if step.accepting { ONE } else { TWO },
                from: Some(step.sender.to_owned()),
                credentials: step.credentials.map(|right| given("u", if right { "p" } else { "x" })),
                ..request()
            };
            let now = case.start + Duration::from_millis(at);
            let expected = oracle.decide(step, limit, case.general.period, now);
            prop_assert_eq!(case.decide_at(&request, at), expected, "{:?} at {} ms", step, at);
            prop_assert!(case.history.notified.len() <= usize::from(limit));
        }
    }
}
