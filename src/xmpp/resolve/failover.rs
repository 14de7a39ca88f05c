//! Asks several name servers in turn, and remembers the silent ones.

use std::cmp::Reverse;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep};

use super::message::NameServerError;

/// What is known about the name servers of a `resolv.conf`, until it changes.
#[derive(Debug)]
pub(super) struct ServerStates(Mutex<Vec<ServerState>>);

#[derive(Debug, Clone, Copy, Default)]
struct ServerState {
    last_answer: Option<Instant>,
    silent: bool,
}

impl ServerStates {
    pub(super) fn new(servers: usize) -> Self {
        Self(Mutex::new(vec![ServerState::default(); servers]))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ServerState>> {
        // Each change is a single assignment, so a panic leaves the states consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order in which to ask the servers: that of the file, then the silent ones, the one with the latest answer
    /// first.
    fn order(&self) -> Vec<usize> {
        let states = self.lock();
        let mut order: Vec<usize> = (0..states.len()).collect();
        order.sort_by_key(|&server| {
            (states[server].silent, states[server].silent.then_some(Reverse(states[server].last_answer)))
        });
        order
    }

    fn record_answer(&self, server: usize) {
        self.lock()[server] = ServerState { last_answer: Some(Instant::now()), silent: false };
    }

    /// Records that a question sent at `asked` was not answered in time. A server that has answered another one since
    /// is not silent: some servers drop AAAA or SRV questions only.
    fn record_silence(&self, server: usize, asked: Instant) {
        let state = &mut self.lock()[server];
        state.silent = state.last_answer.is_none_or(|answer| answer < asked);
    }
}

/// How long and how often to ask name servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryPolicy {
    /// Time until the next server is asked. Late answers are still accepted.
    pub(super) turn: Duration,
    /// How often to ask each silent server.
    pub(super) attempts: u32,
}

/// The error of each server, by its index; `None`: no answer.
pub(super) type Failures = Vec<Option<NameServerError>>;

/// Asks one server after the other until one answers: the next one at once after an error, and after a turn of silence.
///
/// # Errors
/// No server gave a usable answer.
pub(super) async fn ask_in_turn<T, F>(
    states: &ServerStates,
    policy: QueryPolicy,
    ask: impl Fn(usize) -> F,
) -> Result<T, Failures>
where
    F: Future<Output = Result<T, NameServerError>>,
{
    let mut failures: Failures = vec![None; states.lock().len()];
    let mut running = FuturesUnordered::new();
    for _ in 0..policy.attempts {
        for server in states.order() {
            if failures[server].is_some() {
                continue;
            }
            let asked = Instant::now();
            let question = ask(server);
            running.push(async move { (server, question.await) });
            let turn = sleep(policy.turn);
            tokio::pin!(turn);
            while failures[server].is_none() {
                tokio::select! {
                    Some((from, result)) = running.next() => {
                        if !matches!(result, Err(NameServerError::Io(_))) {
                            states.record_answer(from);
                        }
                        match result {
                            Ok(answer) => return Ok(answer),
                            Err(failure) => failures[from] = Some(failure),
                        }
                    }
                    () = &mut turn => {
                        states.record_silence(server, asked);
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
