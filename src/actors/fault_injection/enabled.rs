//! Fault injection in test builds.
//!
//! `allocated` on the control socket tells how many bytes are allocated.
//!
//! `crash ACTOR [PLACE [TIMES]]` makes actors fail; several of them, separated by commas, are carried out in one turn.
//!
//! | place | effect |
//! | --- | --- |
//! | `handler` (or none) | a handler panics now |
//! | `future` | the future that a handler returned panics |
//! | `work` | the work that the actor waits for panics: the file watch, the lookup, the attempt, the CWMP client, the notifier |
//! | `task` | work on another thread that the actor waits for panics |
//! | `started` | the next TIMES starts panic |
//! | `stop` | the next TIMES stop requests panic |
//! | `closing` | the next TIMES stop requests make the actor panic while it does its last work |
//! | `ignores_stop` | the next TIMES stop requests are ignored |

use std::alloc::System;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::{Rc, Weak};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, WrapFuture};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Notify;

use crate::supervision::blocking;

/// Where an actor fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a handler.
    Handler,
    /// In the future that a handler returned.
    Future,
    /// In the work that it waits for.
    Work,
    /// On another thread.
    Task,
    /// In `started`.
    Started,
    /// When it is asked to stop.
    Stop,
    /// While it ends.
    Closing,
    /// It does not stop.
    IgnoresStop,
}

impl Place {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "handler" => Self::Handler,
            "future" => Self::Future,
            "work" => Self::Work,
            "task" => Self::Task,
            "started" => Self::Started,
            "stop" => Self::Stop,
            "closing" => Self::Closing,
            "ignores_stop" => Self::IgnoresStop,
            _ => return None,
        })
    }

    /// Whether it fails at once, and not at a later event.
    fn is_immediate(self) -> bool {
        matches!(self, Self::Handler | Self::Future | Self::Task)
    }
}

/// Makes the actor panic now.
pub struct Crash(Place);

impl Message for Crash {
    type Result = ();
}

// All actors are on one thread. The plans outlive the incarnations.
thread_local! {
    /// How often an actor still fails at a place.
    static PLANS: RefCell<BTreeMap<(String, Place), u32>> = const { RefCell::new(BTreeMap::new()) };
    /// Makes present work fail.
    static WORK: RefCell<BTreeMap<String, Weak<Notify>>> = const { RefCell::new(BTreeMap::new()) };
    /// The present addresses.
    static ACTORS: RefCell<BTreeMap<String, Recipient<Crash>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Wraps the work that an actor waits for.
pub fn at_work<F: Future>(actor: &dyn Display, work: F) -> impl Future<Output = F::Output> + use<F> {
    let fault = Rc::new(Notify::new());
    WORK.with_borrow_mut(|work| work.insert(actor.to_string(), Rc::downgrade(&fault)));
    async move {
        tokio::select! {
            biased;
            done = work => done,
            () = fault.notified() => fail(),
        }
    }
}

fn is_planned(actor: &str, place: Place) -> bool {
    PLANS.with_borrow_mut(|plans| match plans.get_mut(&(actor.to_owned(), place)) {
        Some(times) if *times > 0 => {
            *times -= 1;
            true
        }
        _ => false,
    })
}

#[allow(clippy::panic, reason = "a test asks for it")]
fn fail() -> ! {
    panic!("a test told this actor to panic")
}

/// Handles [`Crash`].
pub fn crash<A: Actor<Context = Context<A>>>(actor: &A, Crash(place): Crash) -> ResponseActFuture<A, ()> {
    match place {
        Place::Future => {
            let late = async {
                tokio::task::yield_now().await;
                fail()
            };
            Box::pin(late.into_actor(actor))
        }
        Place::Task => Box::pin(async { blocking(|| fail()).await.unwrap_or(()) }.into_actor(actor)),
        _ => fail(),
    }
}

/// Called when the actor is started.
pub fn start(actor: &dyn Display) {
    if is_planned(&actor.to_string(), Place::Started) {
        fail();
    }
}

/// Called with the context of a new incarnation.
pub fn register<A: Actor<Context = Context<A>> + Handler<Crash>>(actor: &dyn Display, ctx: &Context<A>) {
    register_address(actor, &ctx.address());
}

/// Called with the address of a new incarnation.
pub fn register_address<A: Actor<Context = Context<A>> + Handler<Crash>>(actor: &dyn Display, address: &Addr<A>) {
    ACTORS.with_borrow_mut(|actors| {
        actors.retain(|_, recipient| recipient.connected());
        actors.insert(actor.to_string(), address.clone().recipient());
    });
}

/// Called when the actor is asked to stop. True if it ignores that.
pub fn ignores_stop<A: Actor<Context = Context<A>>>(actor: &A, name: &dyn Display, ctx: &mut Context<A>) -> bool {
    let name = name.to_string();
    if is_planned(&name, Place::Stop) {
        fail();
    }
    if is_planned(&name, Place::Closing) {
        let late = async {
            tokio::task::yield_now().await;
            fail()
        };
        ctx.spawn(late.into_actor(actor));
    }
    is_planned(&name, Place::IgnoresStop)
}

/// Counts what is allocated: the resident memory of a process shows a small leak only after very long.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The bytes that are allocated at present.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Carries out a request of the control socket and returns the answer; none if the request is not for tests.
#[must_use]
pub fn handle_request(request: &str) -> Option<String> {
    if request == "allocated" {
        return Some(format!("{}\n", allocated()));
    }
    let crashes = request.strip_prefix("crash ")?;
    let done = crashes.split(',').try_for_each(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let named = if words.first() == Some(&"connection") { 2 } else { 1 };
        let (actor, how) = words.split_at_checked(named)?;
        let actor = actor.join(" ");
        let (place, times) = match how {
            [] => (Place::Handler, 1),
            [place] => (Place::parse(place)?, 1),
            [place, times] => (Place::parse(place)?, times.parse().ok()?),
            _ => return None,
        };
        if place == Place::Work {
            return WORK.with_borrow(|work| work.get(&actor)?.upgrade()).map(|fault| fault.notify_one());
        }
        if place.is_immediate() {
            return ACTORS.with_borrow(|actors| actors.get(&actor).map(|address| address.do_send(Crash(place))));
        }
        PLANS.with_borrow_mut(|plans| plans.insert((actor, place), times));
        Some(())
    });
    let answer = if done.is_some() { "ok\n" } else { "error: no such actor, or no such place\n" };
    Some(answer.to_owned())
}
