//! Panics: those of supervised actors are caught and become an exit reason, with the place where they happened; all others
//! are logged where they happen.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
};

use super::spec::ExitReason;
use crate::text::truncate;

thread_local! {
    /// Whether this thread is inside of [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the panic happened that unwinds to [`catch`].
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook; panics of supervised actors are logged by their supervisor, all others by the hook.
pub fn log_panics() {
    std::panic::set_hook(Box::new(hook));
}

fn hook(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if !keep(&place) {
        tracing::error!("internal error at {place}: {}", message(panic.payload()));
    }
}

/// Keeps the place of a panic for [`catch`]. False if nothing catches the panic, or if another one unwinds already: that
/// aborts the process, so it must be logged now.
fn keep(place: &str) -> bool {
    let catching = CATCHING.try_with(Cell::get).unwrap_or(false);
    catching
        && PLACE
            .try_with(|kept| match kept.try_borrow_mut() {
                Ok(mut kept) if kept.is_none() => {
                    *kept = Some(place.to_owned());
                    true
                }
                _ => false,
            })
            .unwrap_or(false)
}

/// Runs `work` and turns a panic of it into an exit reason.
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, ExitReason> {
    let (catching, outer) = (CATCHING.replace(true), PLACE.take());
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(catching);
    let place = PLACE.replace(outer);
    if let (Ok(_), Some(place)) = (&done, &place) {
        tracing::error!("internal error at {place}: it was caught there");
    }
    done.map_err(|payload| panicked(payload.as_ref(), place.as_deref()))
}

/// The exit reason for a panic.
pub(super) fn panicked(payload: &(dyn Any + Send), place: Option<&str>) -> ExitReason {
    let message = message(payload);
    ExitReason::Panicked(place.map_or(message.clone(), |place| format!("{message}, at {place}")))
}

/// The longest panic message that is logged, in bytes: the rest of the line must find room.
const MAX_MESSAGE: usize = 500;

/// The message of a panic, cut to [`MAX_MESSAGE`].
fn message(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    let cut = truncate(message, MAX_MESSAGE);
    let ellipsis = if cut.len() < message.len() { "..." } else { "" };
    format!("{cut}{ellipsis}")
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    fn reason(message: &str) -> ExitReason {
        ExitReason::Panicked(message.to_owned())
    }

    #[test]
    fn the_reason_has_the_message_and_the_place() {
        assert_eq!(panicked(&"a str", None), reason("a str"));
        assert_eq!(panicked(&"a String".to_owned(), Some("a.rs:1:2")), reason("a String, at a.rs:1:2"));
        assert_eq!(panicked(&7, Some("a.rs:1:2")), reason("without a message, at a.rs:1:2"));
    }

    #[test]
    fn a_long_message_is_cut() {
        let longest = "\u{e9}".repeat(MAX_MESSAGE / 2);
        assert_eq!(message(&longest), longest);
        assert_eq!(message(&format!("{longest}e")), format!("{longest}..."));
    }

    #[test]
    fn the_place_of_a_panic_is_kept_only_for_the_catch_around_it() {
        assert!(!keep("a.rs:1"), "nothing catches it");
        let inner = |place: &'static str| {
            catch(move || -> () {
                if keep(place) {
                    resume_unwind(Box::new("inner"))
                }
            })
        };
        let outer = catch(|| {
            assert_eq!(inner("b.rs:2"), Err(reason("inner, at b.rs:2")));
            assert!(keep("c.rs:3"));
            assert!(!keep("d.rs:4"), "a second one while the first unwinds");
            assert_eq!(inner("e.rs:5"), Err(reason("inner, at e.rs:5")), "while the outer one unwinds");
            resume_unwind(Box::new("outer"))
        });
        let outer: Result<(), _> = outer;
        assert_eq!(outer, Err(reason("outer, at c.rs:3")));
        assert_eq!(catch(|| ()), Ok(()));
        assert!(!keep("f.rs:6"), "it is over");
    }
}
