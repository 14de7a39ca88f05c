//! Panics: caught where an actor or a start function runs, with the place where they happened, so that the one line that
//! says what follows says all. Those that nobody supervises are logged by themselves: none is silent.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind},
};

use tokio::task::{JoinError, JoinHandle};

use super::spec::ExitReason;

thread_local! {
    /// Whether this thread is inside of [`catch`].
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the panic happened that is on its way to [`catch`].
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics told to the log instead of standard error: by their supervisor where there is one, by themselves where not.
pub fn log_panics() {
    std::panic::set_hook(Box::new(hook));
}

fn hook(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if !keep(&place) {
        tracing::error!("internal error at {place}: {}", message(panic.payload()));
    }
}

/// Keeps the place for whoever catches the panic. False if nobody will, or if this is another one while the first
/// unwinds: that ends the process, and then or never is the time to say so.
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

/// Does the work, and turns its panic into a reason to exit.
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, ExitReason> {
    let (catching, outer) = (CATCHING.replace(true), PLACE.take());
    let done = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(catching);
    let place = PLACE.replace(outer);
    if let (Ok(_), Some(place)) = (&done, &place) {
        tracing::error!("internal error at {place}; it was dealt with there");
    }
    done.map_err(|payload| panicked(payload.as_ref(), place.as_deref()))
}

/// The reason to exit that a panic is.
pub(super) fn panicked(payload: &(dyn Any + Send), place: Option<&str>) -> ExitReason {
    let message = message(payload);
    ExitReason::Panicked(place.map_or(message.clone(), |place| format!("{message}, at {place}")))
}

/// The longest message of a panic that is told, characters: what follows from it has to find room in the same line.
const LONGEST: usize = 500;

/// The message of a panic, as far as it has one, on one line: it is going to be part of one in the log.
fn message(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    let mut message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push_str("...");
    }
    message
}

/// Does work that would hold up the thread in another one. Its panic goes on in whoever waits for it, so that their
/// supervisor sees it. Work that nobody waits for any more is not begun: there are few such threads, and it would take the
/// place of others'.
///
/// # Errors
/// [`JoinError`] if the work was given up before it began, because the process ends.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    let mut awaited = Awaited(tokio::task::spawn_blocking(work));
    match (&mut awaited.0).await.map_err(JoinError::try_into_panic) {
        Ok(done) => Ok(done),
        Err(Ok(payload)) => resume_unwind(payload),
        Err(Err(given_up)) => Err(given_up),
    }
}

/// Work that is given up with this, if it has not begun.
struct Awaited<T>(JoinHandle<T>);

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn reason(message: &str) -> ExitReason {
        ExitReason::Panicked(message.to_owned())
    }

    #[test]
    fn a_message_of_several_lines_is_one_in_the_log() {
        assert_eq!(panicked(&"left: 1\n right: 2".to_owned(), None), reason("left: 1 right: 2"));
        assert_eq!(panicked(&"as it is", None), reason("as it is"));
        assert_eq!(panicked(&7, Some("a.rs:1:2")), reason("without a message, at a.rs:1:2"));
    }

    #[test]
    fn a_long_message_is_cut() {
        let longest = "\u{e9}".repeat(LONGEST);
        assert_eq!(message(&longest), longest);
        assert_eq!(message(&format!("{longest}e")), format!("{longest}..."));
    }

    #[test]
    fn the_place_of_a_panic_is_kept_for_who_catches_it_and_for_nobody_else() {
        assert!(!keep("a.rs:1"), "nobody catches it");
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

    #[tokio::test]
    async fn a_panic_in_another_thread_goes_on_in_who_waits_for_it() {
        assert_eq!(blocking(|| 7).await.unwrap(), 7);
        let waits = tokio::spawn(blocking(|| -> () { resume_unwind(Box::new("elsewhere")) }));
        let payload = waits.await.unwrap_err().into_panic();
        assert_eq!(panicked(payload.as_ref(), None), reason("elsewhere"));
    }

    #[test]
    fn work_that_nobody_waits_for_any_more_is_not_begun() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let first = tokio::spawn(blocking(move || held.recv()));
            tokio::task::yield_now().await;
            let begun = Arc::new(AtomicBool::new(false));
            let begins = Arc::clone(&begun);
            let second = tokio::spawn(blocking(move || begins.store(true, Ordering::SeqCst)));
            tokio::task::yield_now().await;
            second.abort();
            assert!(second.await.unwrap_err().is_cancelled());
            drop(release);
            assert!(first.await.unwrap().unwrap().is_err());
            // Its turn would have been before this one's.
            blocking(|| ()).await.unwrap();
            assert!(!begun.load(Ordering::SeqCst));
        });
    }
}
