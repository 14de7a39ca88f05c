//! Runs work that would block the thread on another one.

use std::panic::resume_unwind;

use tokio::task::JoinError;
use tracing::Span;

use crate::abort_on_drop::AbortOnDrop;

/// Runs `work` on another thread, in the present tracing span. A panic of it is resumed in the caller, so that the caller's
/// supervisor sees it. Work whose caller is gone before it began is not begun: there are few such threads.
///
/// # Errors
/// [`JoinError`] if the work was not begun because the process ends.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    let span = Span::current();
    let task = tokio::task::spawn_blocking(move || span.in_scope(work));
    // Work that has begun is not stopped by it.
    let _abort = AbortOnDrop::new(&task);
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(done) => Ok(done),
        Err(Ok(payload)) => resume_unwind(payload),
        Err(Err(cancelled)) => Err(cancelled),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_panic_on_the_other_thread_is_resumed_in_the_caller() {
        assert_eq!(blocking(|| 7).await.unwrap(), 7);
        let caller = tokio::spawn(blocking(|| -> () { resume_unwind(Box::new("elsewhere")) }));
        let payload = caller.await.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref(), Some(&"elsewhere"));
    }

    #[test]
    fn work_whose_caller_is_gone_is_not_begun() {
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
