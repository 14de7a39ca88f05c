//! Sends many requests at once over one session.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use xmpp::jid::Jid;

use super::payload::Credentials;
use super::requester::{Answer, NoAnswer, Requester, SessionLost, answers, into_answer, random_id, request};

/// A session on which many requests can be pending. Each request gets exactly one [`Answer`], under the number that the
/// caller gave it.
///
/// A task reads the session all the time, so that the server's requests are answered and round trip times are exact.
#[derive(Debug)]
pub struct RequestPipeline {
    requests: mpsc::UnboundedSender<(usize, Jid)>,
    answers: mpsc::UnboundedReceiver<(usize, Answer)>,
    session: Option<JoinHandle<()>>,
}

/// The session's ends of the channels, for a test in the session's place.
#[cfg(test)]
pub(super) type FakeSession = (mpsc::UnboundedReceiver<(usize, Jid)>, mpsc::UnboundedSender<(usize, Answer)>);

/// A request that was sent and has no answer yet.
struct Pending {
    number: usize,
    to: Jid,
    start: Instant,
}

impl RequestPipeline {
    /// Takes over a session. Each request waits for its answer up to `limit`.
    #[must_use]
    pub fn new(requester: Requester, credentials: Credentials, limit: Duration) -> Self {
        let (requests, to_send) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let session = tokio::spawn(run_session(requester, credentials, limit, to_send, answered));
        Self { requests, answers, session: Some(session) }
    }

    /// Sends a connection request.
    ///
    /// # Errors
    /// [`SessionLost`] when the session has ended.
    pub fn send(&self, number: usize, to: Jid) -> Result<(), SessionLost> {
        self.requests.send((number, to)).map_err(|_| SessionLost)
    }

    /// Waits for the next answer to any of the requests; forever if none is pending.
    ///
    /// # Errors
    /// [`SessionLost`] when the session has ended: requests still pending then get no answer.
    pub async fn answer(&mut self) -> Result<(usize, Answer), SessionLost> {
        self.answers.recv().await.ok_or(SessionLost)
    }

    /// Returns whether the session has ended.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.requests.is_closed()
    }

    /// Closes the stream cleanly, without waiting for pending requests.
    pub async fn close(self) {
        drop((self.requests, self.answers));
        if let Some(session) = self.session {
            // The XMPP library may panic on what a server sends; that ends the session as well.
            let _ = session.await;
        }
    }

    /// Creates a pipeline without a session.
    #[cfg(test)]
    pub(super) fn fake() -> (Self, FakeSession) {
        let (requests, to_send) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        (Self { requests, answers, session: None }, (to_send, answered))
    }
}

async fn run_session(
    mut requester: Requester,
    credentials: Credentials,
    limit: Duration,
    mut requests: mpsc::UnboundedReceiver<(usize, Jid)>,
    answered: mpsc::UnboundedSender<(usize, Answer)>,
) {
    let mut pending: HashMap<String, Pending> = HashMap::new();
    // In order, since all requests have the same limit. Answered requests stay until their turn comes.
    let mut deadlines: VecDeque<(Instant, String)> = VecDeque::new();
    let report = |number, answer| {
        // A receiver that is gone has also closed `requests`, which ends the loop.
        let _ = answered.send((number, answer));
    };
    loop {
        let first = deadlines.front().map(|(deadline, _)| *deadline);
        tokio::select! {
            next = requests.recv() => {
                let Some((number, to)) = next else { break };
                let start = Instant::now();
                let id = random_id();
                match timeout_at(start + limit, requester.send(request(id.clone(), &to, &credentials))).await {
                    // The server has stopped reading: further requests would only pile up.
                    Err(_) => return report(number, Answer::None(NoAnswer::TimedOut)),
                    Ok(Err(SessionLost)) => return,
                    Ok(Ok(())) => {
                        deadlines.push_back((start + limit, id.clone()));
                        pending.insert(id, Pending { number, to, start });
                    }
                }
            }
            stepped = requester.step() => if stepped.is_err() { return },
            () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {}
        }
        // Before the deadlines: an answer that has arrived is in time.
        while let Some(response) = requester.responses.pop_front() {
            let asked = pending.get(response.id());
            if asked.is_some_and(|asked| answers(&response, response.id(), Some(&asked.to), requester.jid()))
                && let Some(asked) = pending.remove(response.id())
            {
                report(asked.number, into_answer(&response, asked.start.elapsed()));
            }
        }
        let now = Instant::now();
        while deadlines.front().is_some_and(|(deadline, id)| *deadline <= now || !pending.contains_key(id)) {
            if let Some((_, id)) = deadlines.pop_front()
                && let Some(asked) = pending.remove(&id)
            {
                report(asked.number, Answer::None(NoAnswer::TimedOut));
            }
        }
    }
    requester.close().await;
}
