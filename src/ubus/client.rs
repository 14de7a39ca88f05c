//! A connection to `ubusd` that is kept up: calls, an object of our own, events.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::attribute::Malformed;
use super::connection::Dial;
use super::message::{FrameError, Message, kind};
use super::session::{AnswerTo, Call, Effect, Invocation, Session};
use super::status::StatusCode;
use crate::document::Table;

/// How many calls may be under way, of ours and of others to our object each.
pub(super) const MAX_CALLS: usize = 16;

/// How long `ubusd` may take to accept a connection and to send its HELLO.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The wait before the first reconnection; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait, and the only one as long as there has been no bus. A connection that held for so long starts anew with
/// the first wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// When more than this waits to be written, nothing more is read or begun.
const MAX_OUTPUT: usize = 256 << 10;

/// A larger input buffer is given back when it is empty.
const KEPT_INPUT: usize = 64 << 10;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection, and none can be made.
    #[error("ubus cannot be reached: {0}")]
    NoBus(String),
    /// The connection ended during the call.
    #[error("the connection to ubus was lost: {0}")]
    Lost(String),
    /// No object of this path.
    #[error("no object '{0}' on ubus")]
    NoObject(String),
    /// Another status than OK.
    #[error("the call on ubus failed: {0}")]
    Status(StatusCode),
    /// The time limit.
    #[error("no answer on ubus within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer is malformed.
    #[error("the answer on ubus cannot be read: {0}")]
    Unreadable(Malformed),
    /// The answer is longer than any that is expected.
    #[error("the answer on ubus is too long")]
    TooMuch,
    /// 16 calls are under way.
    #[error("too many calls on ubus are under way")]
    Busy,
    /// The client was stopped, or crashed.
    #[error("the ubus client is not running")]
    Stopped,
}

/// The object that is published.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its path.
    pub path: &'static str,
    /// Its methods.
    pub methods: &'static [Method],
}

/// A method of an [`Object`].
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, each with whether it is a number (or a string).
    pub arguments: &'static [(&'static str, bool)],
}

/// A request for our object. Dropping it answers `Unknown error`.
#[derive(Debug)]
pub struct Incoming {
    /// The method; one of [`Object::methods`].
    pub method: String,
    /// Its arguments, as the peer gave them.
    pub arguments: Table,
    /// Takes the answer.
    pub answer: oneshot::Sender<Result<Table, StatusCode>>,
}

enum Command {
    Call(Call),
    Event { id: &'static str, data: Table },
}

/// A handle for calls and events.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
}

impl Client {
    /// Calls a method within `limit`; gives the tables of its answer, of which there may be none or several. Where there is
    /// no connection one is made at once.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn call(
        &self,
        path: &str,
        method: &str,
        arguments: Table,
        limit: Duration,
    ) -> Result<Vec<Table>, CallError> {
        let (outcome, ended) = oneshot::channel();
        let call = Call { path: path.to_owned(), method: method.to_owned(), arguments, outcome };
        let call = async {
            self.commands.send(Command::Call(call)).await.map_err(|_| CallError::Stopped)?;
            ended.await.unwrap_or(Err(CallError::Stopped))
        };
        timeout(limit, call).await.unwrap_or(Err(CallError::Timeout(limit)))
    }

    /// Sends an event, if there is a connection. Says whether there was room for it.
    #[must_use]
    pub fn event(&self, id: &'static str, data: Table) -> bool {
        self.commands.try_send(Command::Event { id, data }).is_ok()
    }
}

/// A client, the future that does its work and ends when all clients are gone, and the requests for `object`.
pub fn client<D: Dial>(dial: D, object: Object) -> (Client, impl Future<Output = ()>, mpsc::Receiver<Incoming>) {
    let (commands, received) = mpsc::channel(2 * MAX_CALLS);
    let (incoming, requests) = mpsc::channel(MAX_CALLS);
    let driver =
        Driver { dial, object, commands: received, incoming, wait: None, connected_before: false, said: false };
    (Client { commands }, driver.run(), requests)
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("closed by the peer")]
    Closed,
    #[error("the peer does not begin with HELLO")]
    NoHello,
    #[error("no HELLO within {} s", CONNECT_LIMIT.as_secs())]
    Slow,
    /// All clients are gone.
    #[error("stopped")]
    Stopped,
}

struct Driver<D> {
    dial: D,
    object: Object,
    commands: mpsc::Receiver<Command>,
    incoming: mpsc::Sender<Incoming>,
    /// The last wait before a reconnection.
    wait: Option<Duration>,
    connected_before: bool,
    /// The WARNING was logged: nothing more is until the bus is back.
    said: bool,
}

impl<D: Dial> Driver<D> {
    async fn run(mut self) {
        let mut waiting = None;
        loop {
            match self.connect().await {
                Ok((stream, input)) => {
                    self.log_connected();
                    let began = Instant::now();
                    let mut session = Session::new(self.object);
                    if let Some(call) = waiting.take() {
                        session.call(call);
                    }
                    let ended = self.serve(stream, input, &mut session).await;
                    session.fail_all(&CallError::Lost(ended.to_string()));
                    if matches!(ended, Ended::Stopped) {
                        return;
                    }
                    if began.elapsed() >= LONGEST_WAIT {
                        self.wait = None;
                    }
                    self.log_lost(&ended);
                }
                Err(error) => {
                    self.log_lost(&error);
                    if let Some(call) = waiting.take() {
                        Call::end(call, Err(CallError::NoBus(error.to_string())));
                    }
                }
            }
            let Some(call) = self.pause().await else { return };
            waiting = call;
        }
    }

    /// Waits before the next attempt, or until a call needs one. None: all clients are gone.
    async fn pause(&mut self) -> Option<Option<Call>> {
        let wait = match self.wait {
            _ if !self.connected_before => LONGEST_WAIT,
            None => FIRST_WAIT,
            Some(wait) => LONGEST_WAIT.min(2 * wait),
        };
        self.wait = Some(wait);
        let over = sleep_until(Instant::now() + wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Some(None),
                command = self.commands.recv() => match command? {
                    Command::Call(call) if !call.outcome.is_closed() => return Some(Some(call)),
                    // An event that cannot be sent now would be out of date later.
                    Command::Call(_) | Command::Event { .. } => {}
                },
            }
        }
    }

    async fn connect(&self) -> Result<(D::Stream, BytesMut), Ended> {
        let connect = async {
            let mut stream = self.dial.dial().await?;
            let mut input = BytesMut::new();
            loop {
                match Message::take(&mut input)? {
                    Some(message) if message.kind == kind::HELLO => return Ok((stream, input)),
                    Some(_) => return Err(Ended::NoHello),
                    None if stream.read_buf(&mut input).await? == 0 => return Err(Ended::Closed),
                    None => {}
                }
            }
        };
        timeout(CONNECT_LIMIT, connect).await.unwrap_or(Err(Ended::Slow))
    }

    async fn serve(&mut self, stream: D::Stream, mut input: BytesMut, session: &mut Session) -> Ended {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut answers = FuturesUnordered::new();
        let mut publish_again = None;
        // What came together with HELLO.
        if let Err(ended) = self.take_all(&mut input, session, &mut answers, &mut publish_again) {
            return ended;
        }
        loop {
            let room = session.out.len() < MAX_OUTPUT;
            input.reserve(4096);
            tokio::select! {
                read = reader.read_buf(&mut input), if room => {
                    let taken = match read {
                        Ok(0) => Err(Ended::Closed),
                        Ok(_) => self.take_all(&mut input, session, &mut answers, &mut publish_again),
                        Err(error) => Err(error.into()),
                    };
                    if let Err(ended) = taken {
                        return ended;
                    }
                }
                written = writer.write(&session.out), if !session.out.is_empty() => match written {
                    Ok(0) => return Ended::Closed,
                    Ok(written) => drop(session.out.drain(..written)),
                    Err(error) => return error.into(),
                },
                command = self.commands.recv(), if room => match command {
                    Some(Command::Call(call)) => session.call(call),
                    Some(Command::Event { id, data }) => session.event(id, data),
                    None => return Ended::Stopped,
                },
                Some((to, answer)) = answers.next() => session.answer(to, answer),
                () = until(publish_again) => {
                    publish_again = None;
                    session.publish();
                }
            }
        }
    }

    /// Takes all complete messages off the input.
    fn take_all(
        &mut self,
        input: &mut BytesMut,
        session: &mut Session,
        answers: &mut FuturesUnordered<BoxFuture<'static, Answer>>,
        publish_again: &mut Option<Instant>,
    ) -> Result<(), Ended> {
        while let Some(message) = Message::take(input)? {
            match session.receive(message) {
                Some(Effect::Invoked(invocation)) => {
                    if let Err((to, status)) = self.hand_over(invocation, answers) {
                        session.answer(to, Err(status));
                    }
                }
                Some(Effect::Published) => tracing::debug!("ubus: object published: path={}", self.object.path),
                Some(Effect::PublishRefused(status)) => {
                    let path = self.object.path;
                    tracing::warn!("ubus: the object is refused: {status} path={path}; another xmppd may have it");
                    *publish_again = Some(Instant::now() + LONGEST_WAIT);
                }
                None => {}
            }
        }
        if input.is_empty() && input.capacity() > KEPT_INPUT {
            *input = BytesMut::new();
        }
        Ok(())
    }

    fn hand_over(
        &mut self,
        invocation: Invocation,
        answers: &mut FuturesUnordered<BoxFuture<'static, Answer>>,
    ) -> Result<(), (AnswerTo, StatusCode)> {
        let Invocation { method, arguments, answer_to } = invocation;
        if !self.object.methods.iter().any(|known| known.name == method) {
            return Err((answer_to, StatusCode::METHOD_NOT_FOUND));
        }
        let arguments = arguments.map_err(|_| (answer_to, StatusCode::INVALID_ARGUMENT))?;
        if answers.len() >= MAX_CALLS {
            return Err((answer_to, StatusCode::NO_MEMORY));
        }
        let (answer, answered) = oneshot::channel();
        if self.incoming.try_send(Incoming { method, arguments, answer }).is_err() {
            return Err((answer_to, StatusCode::UNKNOWN_ERROR));
        }
        answers.push(Box::pin(async move { (answer_to, answered.await.unwrap_or(Err(StatusCode::UNKNOWN_ERROR))) }));
        Ok(())
    }

    fn log_connected(&mut self) {
        if std::mem::take(&mut self.said) {
            crate::notice!("ubus: connected again");
        } else {
            tracing::info!("ubus: connected");
        }
        self.connected_before = true;
    }

    fn log_lost(&mut self, error: &Ended) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!("ubus: no connection: {error}; xmppd offers nothing there until it is back");
        }
    }
}

type Answer = (AnswerTo, Result<Table, StatusCode>);

/// Waits for a point in time, or without end.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
