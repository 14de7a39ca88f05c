//! How tests make actors fail, in test builds alone.
//!
//! `crash WHO [PLACE [TIMES]]` on the control socket; several of them, with commas between, are done in one turn.
//!
//! | place | what happens |
//! | --- | --- |
//! | `handler` (or none) | a handler panics, now |
//! | `future` | the future that a handler has returned panics |
//! | `work` | what it is waiting for panics: the file watch, the lookup, the attempt, the CWMP client, the notifier |
//! | `task` | work on another thread that the actor waits for panics |
//! | `started` | the next TIMES starts panic |
//! | `stop` | the next TIMES that it is asked to stop it panics |
//! | `closing` | the same, but while it goes on with what is to be done before it ends |
//! | `deaf` | the next TIMES that it is asked to stop it does not |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};

use tokio::sync::Notify;

use super::house::House;
use crate::config::model::ConnectionId;
use crate::supervision::blocking;

/// Where an actor fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a handler.
    Handler,
    /// In the future that a handler has returned.
    Future,
    /// In what it waits for at this moment.
    Work,
    /// In another thread.
    Task,
    /// In `started`.
    Started,
    /// When it is asked to stop.
    Stop,
    /// While it ends.
    Closing,
    /// It does not stop.
    Deaf,
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
            "deaf" => Self::Deaf,
            _ => return None,
        })
    }

    /// Whether it fails now, or when it comes to that.
    fn is_now(self) -> bool {
        matches!(self, Self::Handler | Self::Future | Self::Task)
    }
}

/// Makes the actor panic now.
pub struct Crash(Place);

impl Message for Crash {
    type Result = ();
}

thread_local! {
    /// Who is to fail where, and how often still. It outlives the incarnations; the actors are all on one thread.
    static PLANS: RefCell<BTreeMap<(String, Place), u32>> = const { RefCell::new(BTreeMap::new()) };
}

thread_local! {
    /// Who is at work, and how to make that fail.
    static WORK: RefCell<BTreeMap<String, Weak<Notify>>> = const { RefCell::new(BTreeMap::new()) };
}

/// To be put around what an actor waits for.
pub async fn at_work<T>(who: String, work: impl Future<Output = T>) -> T {
    let told = Rc::new(Notify::new());
    WORK.with_borrow_mut(|work| work.insert(who, Rc::downgrade(&told)));
    tokio::select! {
        biased;
        done = work => done,
        () = told.notified() => fail(),
    }
}

fn is_planned(who: &str, place: Place) -> bool {
    PLANS.with_borrow_mut(|plans| match plans.get_mut(&(who.to_owned(), place)) {
        Some(times) if *times > 0 => {
            *times -= 1;
            true
        }
        _ => false,
    })
}

#[allow(clippy::panic, reason = "it is what a test asks for")]
fn fail() -> ! {
    panic!("a test told this actor to panic")
}

/// What an actor does about [`Crash`].
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

/// To be called when the actor is started.
pub fn started(who: &str) {
    if is_planned(who, Place::Started) {
        fail();
    }
}

/// To be called when the actor is asked to stop. True if it is not to.
pub fn is_deaf<A: Actor<Context = Context<A>>>(actor: &A, who: &str, ctx: &mut Context<A>) -> bool {
    if is_planned(who, Place::Stop) {
        fail();
    }
    if is_planned(who, Place::Closing) {
        let late = async {
            tokio::task::yield_now().await;
            fail()
        };
        ctx.spawn(late.into_actor(actor));
    }
    is_planned(who, Place::Deaf)
}

/// Carries the request out, and gives the answer to it.
#[must_use]
pub fn carry_out(request: &str, house: &House) -> String {
    let done = request.split(',').try_for_each(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        let named = if words.first() == Some(&"connection") { 2 } else { 1 };
        let (who, how) = words.split_at_checked(named)?;
        let (place, times) = match how {
            [] => (Place::Handler, 1),
            [place] => (Place::parse(place)?, 1),
            [place, times] => (Place::parse(place)?, times.parse().ok()?),
            _ => return None,
        };
        if place == Place::Work {
            return WORK.with_borrow(|work| work.get(&who.join(" "))?.upgrade()).map(|told| told.notify_one());
        }
        if place.is_now() {
            return send(who, place, house);
        }
        PLANS.with_borrow_mut(|plans| plans.insert((who.join(" "), place), times));
        Some(())
    });
    if done.is_some() { "ok\n".to_owned() } else { "error: nobody of that name, or no such place\n".to_owned() }
}

fn send(who: &[&str], place: Place, house: &House) -> Option<()> {
    fn to<A: Handler<Crash> + Actor<Context = Context<A>>>(actor: Option<&Addr<A>>, place: Place) -> Option<()> {
        actor.map(|actor| actor.do_send(Crash(place)))
    }
    let rooms = house.rooms();
    match who {
        ["notifier"] => to(rooms.notifier.as_ref(), place),
        ["router"] => to(rooms.router.as_ref(), place),
        ["connections"] => to(rooms.connections.as_ref(), place),
        ["config"] => to(rooms.config.as_ref(), place),
        ["control"] => to(rooms.control.as_ref(), place),
        ["connection", id] => to(rooms.connection.get(&ConnectionId(id.parse().ok()?)), place),
        _ => None,
    }
}
