//! Every strategy with every restart type, every reason to exit, and every side of the boundaries of the restart intensity
//! and its period: what follows, written down.
//!
//! The children `a`, `b` and `c` are all of the type, and `b` exits; `unstarted` is a start that fails while `a` runs. Two
//! exits within the period are allowed. Before this one there were: none (`none`), one (`one`), two within the period
//! (`two`), two of which the first is exactly the period ago (`edge`), or a nanosecond more (`past`).
//!
//! What follows: `+b` it is started, `-b` it is asked to stop, which it does, `xb` it is forgotten, `gb` it is given up, `!`
//! the supervisor ends, `=` nothing. As in OTP, an exit exactly the period ago still counts.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::*;

const PERIOD: Duration = Duration::from_secs(10);
const ALLOWED: Intensity = Intensity { exits: 2, period: PERIOD };

/// The exits count against the supervisor.
#[rustfmt::skip]
const WITHOUT_BUDGET: &str = "
strategy     type      reason     none       one        two     edge    past
one_for_one  permanent normal     +b         +b         -c-a!   -c-a!   +b
one_for_one  permanent shutdown   +b         +b         -c-a!   -c-a!   +b
one_for_one  permanent panicked   +b         +b         -c-a!   -c-a!   +b
one_for_one  permanent killed     +b         +b         -c-a!   -c-a!   +b
one_for_one  permanent intensity  +b         +b         -c-a!   -c-a!   +b
one_for_one  permanent unstarted  +b         +b         -c-a!   -c-a!   +b
one_for_one  transient normal     =          =          =       =       =
one_for_one  transient shutdown   =          =          =       =       =
one_for_one  transient panicked   +b         +b         -c-a!   -c-a!   +b
one_for_one  transient killed     +b         +b         -c-a!   -c-a!   +b
one_for_one  transient intensity  +b         +b         -c-a!   -c-a!   +b
one_for_one  transient unstarted  +b         +b         -c-a!   -c-a!   +b
one_for_one  temporary normal     xb         xb         xb      xb      xb
one_for_one  temporary shutdown   xb         xb         xb      xb      xb
one_for_one  temporary panicked   xb         xb         xb      xb      xb
one_for_one  temporary killed     xb         xb         xb      xb      xb
one_for_one  temporary intensity  xb         xb         xb      xb      xb
one_for_one  temporary unstarted  xb         xb         xb      xb      xb
one_for_all  permanent normal     -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  permanent shutdown   -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  permanent panicked   -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  permanent killed     -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  permanent intensity  -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  permanent unstarted  -a+a+b+c   -a+a+b+c   -a!     -a!     -a+a+b+c
one_for_all  transient normal     =          =          =       =       =
one_for_all  transient shutdown   =          =          =       =       =
one_for_all  transient panicked   -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  transient killed     -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  transient intensity  -c-a+a+b+c -c-a+a+b+c -c-a!   -c-a!   -c-a+a+b+c
one_for_all  transient unstarted  -a+a+b+c   -a+a+b+c   -a!     -a!     -a+a+b+c
one_for_all  temporary normal     xb         xb         xb      xb      xb
one_for_all  temporary shutdown   xb         xb         xb      xb      xb
one_for_all  temporary panicked   xb         xb         xb      xb      xb
one_for_all  temporary killed     xb         xb         xb      xb      xb
one_for_all  temporary intensity  xb         xb         xb      xb      xb
one_for_all  temporary unstarted  xb+c       xb+c       xb+c    xb+c    xb+c
rest_for_one permanent normal     -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one permanent shutdown   -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one permanent panicked   -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one permanent killed     -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one permanent intensity  -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one permanent unstarted  +b+c       +b+c       -a!     -a!     +b+c
rest_for_one transient normal     =          =          =       =       =
rest_for_one transient shutdown   =          =          =       =       =
rest_for_one transient panicked   -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one transient killed     -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one transient intensity  -c+b+c     -c+b+c     -c-a!   -c-a!   -c+b+c
rest_for_one transient unstarted  +b+c       +b+c       -a!     -a!     +b+c
rest_for_one temporary normal     xb         xb         xb      xb      xb
rest_for_one temporary shutdown   xb         xb         xb      xb      xb
rest_for_one temporary panicked   xb         xb         xb      xb      xb
rest_for_one temporary killed     xb         xb         xb      xb      xb
rest_for_one temporary intensity  xb         xb         xb      xb      xb
rest_for_one temporary unstarted  xb+c       xb+c       xb+c    xb+c    xb+c
";

/// The exits count against the child's own budget.
#[rustfmt::skip]
const WITH_BUDGET: &str = "
strategy     type      reason     none       one        two     edge    past
one_for_one  permanent normal     +b         +b         gb      gb      +b
one_for_one  permanent shutdown   +b         +b         gb      gb      +b
one_for_one  permanent panicked   +b         +b         gb      gb      +b
one_for_one  permanent killed     +b         +b         gb      gb      +b
one_for_one  permanent intensity  +b         +b         gb      gb      +b
one_for_one  permanent unstarted  +b         +b         gb      gb      +b
one_for_one  transient normal     =          =          =       =       =
one_for_one  transient shutdown   =          =          =       =       =
one_for_one  transient panicked   +b         +b         gb      gb      +b
one_for_one  transient killed     +b         +b         gb      gb      +b
one_for_one  transient intensity  +b         +b         gb      gb      +b
one_for_one  transient unstarted  +b         +b         gb      gb      +b
one_for_one  temporary normal     xb         xb         xb      xb      xb
one_for_one  temporary shutdown   xb         xb         xb      xb      xb
one_for_one  temporary panicked   xb         xb         xb      xb      xb
one_for_one  temporary killed     xb         xb         xb      xb      xb
one_for_one  temporary intensity  xb         xb         xb      xb      xb
one_for_one  temporary unstarted  xb         xb         xb      xb      xb
one_for_all  permanent normal     -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  permanent shutdown   -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  permanent panicked   -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  permanent killed     -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  permanent intensity  -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  permanent unstarted  -a+a+b+c   -a+a+b+c   gb+c    gb+c    -a+a+b+c
one_for_all  transient normal     =          =          =       =       =
one_for_all  transient shutdown   =          =          =       =       =
one_for_all  transient panicked   -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  transient killed     -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  transient intensity  -c-a+a+b+c -c-a+a+b+c gb      gb      -c-a+a+b+c
one_for_all  transient unstarted  -a+a+b+c   -a+a+b+c   gb+c    gb+c    -a+a+b+c
one_for_all  temporary normal     xb         xb         xb      xb      xb
one_for_all  temporary shutdown   xb         xb         xb      xb      xb
one_for_all  temporary panicked   xb         xb         xb      xb      xb
one_for_all  temporary killed     xb         xb         xb      xb      xb
one_for_all  temporary intensity  xb         xb         xb      xb      xb
one_for_all  temporary unstarted  xb+c       xb+c       xb+c    xb+c    xb+c
rest_for_one permanent normal     -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one permanent shutdown   -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one permanent panicked   -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one permanent killed     -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one permanent intensity  -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one permanent unstarted  +b+c       +b+c       gb+c    gb+c    +b+c
rest_for_one transient normal     =          =          =       =       =
rest_for_one transient shutdown   =          =          =       =       =
rest_for_one transient panicked   -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one transient killed     -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one transient intensity  -c+b+c     -c+b+c     gb      gb      -c+b+c
rest_for_one transient unstarted  +b+c       +b+c       gb+c    gb+c    +b+c
rest_for_one temporary normal     xb         xb         xb      xb      xb
rest_for_one temporary shutdown   xb         xb         xb      xb      xb
rest_for_one temporary panicked   xb         xb         xb      xb      xb
rest_for_one temporary killed     xb         xb         xb      xb      xb
rest_for_one temporary intensity  xb         xb         xb      xb      xb
rest_for_one temporary unstarted  xb+c       xb+c       xb+c    xb+c    xb+c
";

/// The ages of the exits before this one.
fn ages(history: &str) -> Vec<Duration> {
    const SECOND: Duration = Duration::from_secs(1);
    match history {
        "none" => vec![],
        "one" => vec![SECOND],
        "two" => vec![2 * SECOND, SECOND],
        "edge" => vec![PERIOD, SECOND],
        "past" => vec![PERIOD + Duration::from_nanos(1), SECOND],
        other => panic!("{other}"),
    }
}

fn strategy(word: &str) -> Strategy {
    match word {
        "one_for_one" => Strategy::OneForOne,
        "one_for_all" => Strategy::OneForAll,
        "rest_for_one" => Strategy::RestForOne,
        other => panic!("{other}"),
    }
}

fn restart_type(word: &str) -> RestartType {
    match word {
        "permanent" => RestartType::Permanent,
        "transient" => RestartType::Transient,
        "temporary" => RestartType::Temporary,
        other => panic!("{other}"),
    }
}

/// How the exit is reported; a start that fails is a panic of the start function.
fn exit_reason(word: &str) -> ExitReason {
    match word {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown,
        "panicked" | "unstarted" => ExitReason::Panicked("boom".into()),
        "killed" => ExitReason::Killed,
        "intensity" => ExitReason::IntensityReached { child: "x".into(), last: Box::new(ExitReason::Killed) },
        other => panic!("{other}"),
    }
}

/// Three children, and a journal of what happens to them.
struct Scene {
    policy: Policy<char>,
    now: Instant,
    runs: BTreeMap<char, Incarnation>,
    journal: Vec<String>,
    /// This child's start is neither done nor failed yet.
    hangs: Option<char>,
}

impl Scene {
    fn carry_out(&mut self, actions: Vec<Action<char>>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Start { id, incarnation } => {
                    self.journal.push(format!("+{id}"));
                    self.runs.insert(id, incarnation);
                    if self.hangs != Some(id) {
                        queue.extend(self.policy.started(&id, incarnation));
                    }
                }
                Action::Stop { id, incarnation, .. } => {
                    self.journal.push(format!("-{id}"));
                    queue.extend(self.policy.exited(&id, incarnation, &ExitReason::Shutdown, self.now).1);
                }
                Action::Kill { id, .. } => self.journal.push(format!("kill {id}")),
                Action::GiveUp { id, .. } => self.journal.push(format!("g{id}")),
                Action::Remove { id } => self.journal.push(format!("x{id}")),
                Action::Terminate(_) => {
                    assert_eq!(self.policy.children(), [], "left behind");
                    // That its children are forgotten by then goes without saying.
                    self.journal.retain(|entry| !entry.starts_with('x'));
                    self.journal.push("!".to_owned());
                }
            }
        }
    }
}

/// What follows when `b` exits.
fn journal(strategy: Strategy, restart: RestartType, word: &str, history: &str, budgeted: bool) -> String {
    let policy = Policy::new(strategy, ALLOWED);
    let hangs = (word == "unstarted").then_some('b');
    // Far enough from the clock's own beginning.
    let now = Instant::now() + 10 * PERIOD;
    let mut scene = Scene { policy, now, runs: BTreeMap::new(), journal: Vec::new(), hangs };
    for id in ['a', 'b', 'c'] {
        let budget = (budgeted && id == 'b').then_some(ALLOWED);
        let shutdown = Shutdown::Within(Duration::from_secs(2));
        let actions = scene.policy.start_child(ChildSpec { id, restart, shutdown, budget }).unwrap();
        scene.carry_out(actions);
    }
    for age in ages(history) {
        let account =
            if budgeted { scene.policy.children[1].budget.as_mut().unwrap() } else { &mut scene.policy.history };
        assert!(account.record(now.checked_sub(age).unwrap()), "{history} is within the limit");
    }
    scene.journal.clear();
    scene.hangs = None;
    let (_, actions) = scene.policy.exited(&'b', scene.runs[&'b'], &exit_reason(word), now);
    scene.carry_out(actions);
    if scene.journal.is_empty() { "=".to_owned() } else { scene.journal.concat() }
}

fn check(table: &str, budgeted: bool) {
    let mut rows =
        table.lines().filter(|line| !line.is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let histories = rows.next().unwrap().split_off(3);
    let mut seen = Vec::new();
    for row in rows {
        assert_eq!(row.len(), 3 + histories.len(), "{row:?}");
        for (history, expected) in histories.iter().zip(&row[3..]) {
            let follows = journal(strategy(row[0]), restart_type(row[1]), row[2], history, budgeted);
            assert_eq!(&follows, expected, "{} {} {} after {history}", row[0], row[1], row[2]);
        }
        assert!(!seen.contains(&row[..3].to_vec()), "{row:?} is there twice");
        seen.push(row[..3].to_vec());
    }
    assert_eq!(seen.len(), 3 * 3 * 6, "a combination is missing");
}

#[test]
fn what_follows_from_every_exit() {
    check(WITHOUT_BUDGET, false);
}

#[test]
fn what_follows_from_every_exit_of_a_child_with_a_budget() {
    check(WITH_BUDGET, true);
}
