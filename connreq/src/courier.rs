//! Many requests at once over one session.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};
use xmpp::jid::Jid;

use super::payload::Credentials;
use super::requester::{Answer, Lost, Requester, Silence, answers, judge, request, unguessable};

/// A session that is read all the time, by a task of its own: what the server asks is answered, and the time of an answer
/// is when it came. Each request gets exactly one [`Answer`], known by the number that the sender gave it.
#[derive(Debug)]
pub struct Courier {
    orders: mpsc::UnboundedSender<(usize, Jid)>,
    answers: mpsc::UnboundedReceiver<(usize, Answer)>,
    session: Option<JoinHandle<()>>,
}

/// What takes a session's place: the orders, and where answers go.
#[cfg(test)]
pub(super) type Fake = (mpsc::UnboundedReceiver<(usize, Jid)>, mpsc::UnboundedSender<(usize, Answer)>);

/// A request under way.
struct Waiting {
    number: usize,
    to: Jid,
    start: Instant,
}

impl Courier {
    /// Takes over a session; each request waits for its answer up to `limit`.
    #[must_use]
    pub fn new(requester: Requester, credentials: Credentials, limit: Duration) -> Self {
        let (orders, to_send) = mpsc::unbounded_channel();
        let (told, answers) = mpsc::unbounded_channel();
        let session = tokio::spawn(carry(requester, credentials, limit, to_send, told));
        Self { orders, answers, session: Some(session) }
    }

    /// Sends a connection request.
    ///
    /// # Errors
    /// [`Lost`] when the session is over.
    pub fn send(&self, number: usize, to: Jid) -> Result<(), Lost> {
        self.orders.send((number, to)).map_err(|_| Lost)
    }

    /// The next answer, whichever request it belongs to. Waits for ever when none is under way.
    ///
    /// # Errors
    /// [`Lost`] when the session is over: what was not answered by then never is.
    pub async fn answer(&mut self) -> Result<(usize, Answer), Lost> {
        self.answers.recv().await.ok_or(Lost)
    }

    /// Whether the session is over.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.orders.is_closed()
    }

    /// Ends the stream cleanly and closes; what is under way is not waited for.
    pub async fn close(self) {
        drop((self.orders, self.answers));
        if let Some(session) = self.session {
            // The XMPP library may panic over what a server sends: that is an end, too.
            let _ = session.await;
        }
    }

    /// One without a session.
    #[cfg(test)]
    pub(super) fn fake() -> (Self, Fake) {
        let (orders, to_send) = mpsc::unbounded_channel();
        let (told, answers) = mpsc::unbounded_channel();
        (Self { orders, answers, session: None }, (to_send, told))
    }
}

async fn carry(
    mut requester: Requester,
    credentials: Credentials,
    limit: Duration,
    mut orders: mpsc::UnboundedReceiver<(usize, Jid)>,
    told: mpsc::UnboundedSender<(usize, Answer)>,
) {
    let mut waiting: HashMap<String, Waiting> = HashMap::new();
    // All have the same limit, so that these are in order; of those that were answered, too.
    let mut deadlines: VecDeque<(Instant, String)> = VecDeque::new();
    let tell = |number, answer| {
        // Nobody listening any more is told by the orders' end.
        let _ = told.send((number, answer));
    };
    loop {
        let first = deadlines.front().map(|(deadline, _)| *deadline);
        tokio::select! {
            order = orders.recv() => {
                let Some((number, to)) = order else { break };
                let start = Instant::now();
                let id = unguessable();
                match timeout_at(start + limit, requester.send(request(id.clone(), &to, &credentials))).await {
                    // The server takes nothing any more: what is sent after it would only pile up.
                    Err(_) => return tell(number, Answer::None(Silence::TimedOut)),
                    Ok(Err(Lost)) => return,
                    Ok(Ok(())) => {
                        deadlines.push_back((start + limit, id.clone()));
                        waiting.insert(id, Waiting { number, to, start });
                    }
                }
            }
            stepped = requester.step() => if stepped.is_err() { return },
            () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {}
        }
        // Before the deadlines: what has come has come in time.
        while let Some(response) = requester.responses.pop_front() {
            let asked = waiting.get(response.id());
            if asked.is_some_and(|asked| answers(&response, response.id(), Some(&asked.to), requester.jid()))
                && let Some(asked) = waiting.remove(response.id())
            {
                tell(asked.number, judge(&response, asked.start.elapsed()));
            }
        }
        let now = Instant::now();
        while deadlines.front().is_some_and(|(deadline, id)| *deadline <= now || !waiting.contains_key(id)) {
            if let Some((_, id)) = deadlines.pop_front()
                && let Some(asked) = waiting.remove(&id)
            {
                tell(asked.number, Answer::None(Silence::TimedOut));
            }
        }
    }
    requester.close().await;
}
