//! Which name server is asked when, and what is remembered of those that were silent.

use std::cmp::Reverse;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};

use super::message::Failure;

/// What is known about the name servers of a file. It is kept as long as the file is unchanged.
#[derive(Debug)]
pub(super) struct Memory(Mutex<Vec<Known>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    last_answer: Option<Instant>,
    silent: bool,
}

impl Memory {
    pub(super) fn new(servers: usize) -> Self {
        Self(Mutex::new(vec![Known::default(); servers]))
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        // Each change is one assignment: a panic cannot have left it half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The servers in the order in which they are asked: as the file has them, the silent ones last, and of these first the one
    /// that answered last.
    fn order(&self) -> Vec<usize> {
        let known = self.known();
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_by_key(|&server| {
            (known[server].silent, known[server].silent.then_some(Reverse(known[server].last_answer)))
        });
        order
    }

    fn answered(&self, server: usize) {
        self.known()[server] = Known { last_answer: Some(Instant::now()), silent: false };
    }

    /// A question from `asked` on was not answered in time. A server that has answered another one since is not silent: there
    /// are those that drop AAAA or SRV questions alone.
    fn was_silent(&self, server: usize, asked: Instant) {
        let known = &mut self.known()[server];
        known.silent = known.last_answer.is_none_or(|answer| answer < asked);
    }
}

/// How long and how often name servers are asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The next server is asked after this time; the answers of those before are still taken.
    pub(super) turn: Duration,
    /// How often each silent server is asked.
    pub(super) attempts: u32,
}

/// What each server said, by its number; `None`: nothing.
pub(super) type Failures = Vec<Option<Failure>>;

/// Asks one server after the other until one answers. A failure has the next one asked at once, silence after a turn.
///
/// # Errors
/// No server has answered.
pub(super) async fn ask_in_turn<T, F>(
    memory: &Memory,
    patience: Patience,
    ask: impl Fn(usize) -> F,
) -> Result<T, Failures>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut failures: Failures = vec![None; memory.known().len()];
    let mut running = FuturesUnordered::new();
    for _ in 0..patience.attempts {
        for server in memory.order() {
            if failures[server].is_some() {
                continue;
            }
            let asked = Instant::now();
            let question = ask(server);
            running.push(async move { (server, question.await) });
            let turn = sleep(patience.turn);
            tokio::pin!(turn);
            while failures[server].is_none() {
                tokio::select! {
                    Some((from, result)) = running.next() => {
                        if !matches!(result, Err(Failure::Io(_))) {
                            memory.answered(from);
                        }
                        match result {
                            Ok(answer) => return Ok(answer),
                            Err(failure) => failures[from] = Some(failure),
                        }
                    }
                    () = &mut turn => {
                        memory.was_silent(server, asked);
                        break;
                    }
                }
            }
        }
    }
    Err(failures)
}

#[cfg(test)]
mod tests;
