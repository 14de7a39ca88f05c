//! Fault injection in test builds.
//!
//! `allocated` on the control socket tells how many bytes are allocated.
//!
//! `crash ACTOR [FAULT [TIMES]]` makes actors fail; several of them, separated by commas, are carried out in one turn.
//!
//! | fault | effect |
//! | --- | --- |
//! | `handler` (or none) | a handler panics now |
//! | `future` | the future that a handler returned panics |
//! | `task` | work on another thread that the actor waits for panics |
//! | `freeze` | the actor waits for a future that never completes, and handles no message any more |
//! | `start` | the next TIMES starts panic |
//! | `stop` | the next TIMES stop requests panic |
//! | `closing` | the next TIMES stop requests make the actor panic while it does its last work |
//! | `ignores_stop` | the next TIMES stop requests are ignored |
//!
//! The environment variable `XMPPD_HEARTBEAT_MS` sets the interval of the heartbeats.

use std::alloc::System;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::pending;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, WrapFuture};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::blocking::blocking;
use crate::supervision::running::Running;

/// How an actor fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A handler panics.
    Handler,
    /// The future that a handler returned panics.
    Future,
    /// Work on another thread panics.
    Task,
    /// The actor waits for a future that never completes.
    Freeze,
    /// The start panics.
    Start,
    /// The handler of the stop request panics.
    Stop,
    /// The last work panics.
    Closing,
    /// The actor does not stop.
    IgnoresStop,
}

impl Fault {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "handler" => Self::Handler,
            "future" => Self::Future,
            "task" => Self::Task,
            "freeze" => Self::Freeze,
            "start" => Self::Start,
            "stop" => Self::Stop,
            "closing" => Self::Closing,
            "ignores_stop" => Self::IgnoresStop,
            _ => return None,
        })
    }

    /// Whether the actor fails now, and not at a later start or stop.
    fn is_immediate(self) -> bool {
        matches!(self, Self::Handler | Self::Future | Self::Task | Self::Freeze)
    }
}

impl Message for Fault {
    type Result = ();
}

// All actors are on one thread. The plans outlive the runs.
thread_local! {
    /// How many starts or stops of an actor still fail.
    static PLANS: RefCell<BTreeMap<(String, Fault), u32>> = const { RefCell::new(BTreeMap::new()) };
    /// The present addresses.
    static ACTORS: RefCell<BTreeMap<String, Recipient<Fault>>> = const { RefCell::new(BTreeMap::new()) };
}

fn is_planned(actor: &str, fault: Fault) -> bool {
    PLANS.with_borrow_mut(|plans| match plans.get_mut(&(actor.to_owned(), fault)) {
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

async fn fail_later() {
    tokio::task::yield_now().await;
    fail()
}

/// Starts the actor, which tests call by this name.
pub fn run<A>(name: impl Display, start: impl FnOnce() -> (Addr<A>, Running)) -> (Addr<A>, Running)
where
    A: Actor<Context = Context<A>> + Handler<Fault>,
{
    let name = name.to_string();
    if is_planned(&name, Fault::Start) {
        fail();
    }
    let (address, running) = start();
    ACTORS.with_borrow_mut(|actors| {
        actors.retain(|_, recipient| recipient.connected());
        actors.insert(name, address.clone().recipient());
    });
    (address, running)
}

/// Makes the actor fail now.
pub fn inject<A: Actor<Context = Context<A>>>(
    actor: &A,
    fault: Fault,
    ctx: &mut Context<A>,
) -> ResponseActFuture<A, ()> {
    match fault {
        Fault::Future => Box::pin(fail_later().into_actor(actor)),
        Fault::Task => Box::pin(async { blocking(|| fail()).await.unwrap_or(()) }.into_actor(actor)),
        Fault::Freeze => {
            ctx.wait(pending().into_actor(actor));
            Box::pin(async {}.into_actor(actor))
        }
        _ => fail(),
    }
}

/// Called when the actor is asked to stop. True if it ignores that.
pub fn ignores_stop<A: Actor<Context = Context<A>>>(actor: &A, name: impl Display, ctx: &mut Context<A>) -> bool {
    let name = name.to_string();
    if is_planned(&name, Fault::Stop) {
        fail();
    }
    if is_planned(&name, Fault::Closing) {
        ctx.spawn(fail_later().into_actor(actor));
    }
    is_planned(&name, Fault::IgnoresStop)
}

/// The interval, or that of the environment.
#[must_use]
pub fn heartbeat_interval(interval: Duration) -> Duration {
    let milliseconds = std::env::var("XMPPD_HEARTBEAT_MS").ok().and_then(|value| value.parse().ok());
    milliseconds.map_or(interval, Duration::from_millis)
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
        let (fault, times) = match how {
            [] => (Fault::Handler, 1),
            [fault] => (Fault::parse(fault)?, 1),
            [fault, times] => (Fault::parse(fault)?, times.parse().ok()?),
            _ => return None,
        };
        if fault.is_immediate() {
            return ACTORS.with_borrow(|actors| actors.get(&actor).map(|address| address.do_send(fault)));
        }
        PLANS.with_borrow_mut(|plans| plans.insert((actor, fault), times));
        Some(())
    });
    let answer = if done.is_some() { "ok\n" } else { "error: no such actor, or no such fault\n" };
    Some(answer.to_owned())
}
